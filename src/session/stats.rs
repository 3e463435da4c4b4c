use crate::order::AliasStats;

/// Counters of a session. They are never reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// Frames sent per lane.
    pub frames_sent: Vec<u64>,
    /// Frames received per lane.
    pub frames_received: Vec<u64>,
    /// Frames that carried at least one fence.
    pub frames_fenced: u64,
    /// Counters of the aliases that signals to the peer were addressed to.
    pub aliases: AliasStats,
    /// Signals not delivered because their receiver belongs to an earlier incarnation of the node, which would close
    /// its connection.
    pub signals_stale: u64,
    /// Names in announcements that no node can have, or that are too many.
    pub names_refused: u64,
    /// Frames that arrived for a circuit that is closed.
    pub frames_late: u64,
    /// Bytes of bodies sent by circuits that have ended.
    pub bytes_sent: u64,
    /// Bytes of bodies received by circuits that have ended.
    pub bytes_received: u64,
}
