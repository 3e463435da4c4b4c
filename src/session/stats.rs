use crate::order::AliasStats;

/// Plain counters of a session; read them, never reset them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// Frames sent per lane.
    pub frames_sent: Vec<u64>,
    /// Frames received per lane.
    pub frames_received: Vec<u64>,
    /// Frames that carried at least one fence.
    pub frames_fenced: u64,
    /// What became of the aliases that signals to the peer were addressed to.
    pub aliases: AliasStats,
    /// Signals not delivered because their receiver belongs to an earlier life of the node, and would end its connection.
    pub signals_stale: u64,
    /// Frames that arrived for a circuit that is closed.
    pub frames_late: u64,
}
