use std::time::Duration;

use super::Memory;

/// What a session needs to know of its daemon and of what was agreed with the peer.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Lanes in each direction, as agreed.
    pub lanes: u8,
    /// Whether our name is the lower of the two: then our circuits have odd ids.
    pub is_lower: bool,
    /// Largest window of one circuit in bytes: what the far BEAM may have underway to ours. Past it, small signals wait
    /// behind bulk in the far VM, so it is generous.
    pub circuit_budget: u64,
    /// Where what is kept for BEAMs is accounted, together with the daemon's other sessions.
    pub memory: Memory,
    /// Bytes that may wait for the lanes, or for the peer to say that it has them; beyond, no leg is read.
    pub backlog: u64,
    /// How long the session outlives a trunk that is lost or silent; zero: not at all, and nothing is kept to be sent again.
    pub grace: Duration,
    /// How long an acknowledgement may wait for company.
    pub receipt_delay: Duration,
    /// How long a BEAM may take to read what is left when its circuit was closed.
    pub close_deadline: Duration,
    /// A mistake to make.
    #[cfg(test)]
    pub(crate) bug: Option<Bug>,
}

/// Mistakes that tests ask for, to show that the simulation notices; there is no way to them outside of tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The first batch of each replay is left out.
    SkipReplay,
    /// One fence of every second frame that has any is forgotten.
    DropFence,
    /// What QUIC has taken counts as received by the peer.
    AcknowledgeEarly,
    /// What is sent again and was there already is taken for new.
    TakeTwice,
    /// Strands change lanes although the peer may not have what the former lane was given.
    ChangeLanes,
}

impl SessionConfig {
    /// The first window of a circuit, in bytes. It doubles each time a window's worth was read: a BEAM that never reads
    /// holds no more than this.
    pub const FIRST_WINDOW: u64 = 4 << 20;

    /// Circuits of a session: pairs of nodes, 64 on each side with all on the other. An empty one takes a few kilobytes.
    pub const CIRCUITS_MAX: usize = 4096;

    /// Bytes that may wait for the control stream. Honest peers read it at once.
    pub const CONTROL_MAX: usize = 16 << 20;
}

/// Defaults. Those that a user can set have their reasons beside their limits, in the module `config`.
impl SessionConfig {
    pub(crate) const LANES: u8 = 16;
    pub(crate) const CIRCUIT_BUDGET: u64 = 64 << 20;
    pub(crate) const MEMORY: u64 = 1 << 30;
    pub(crate) const BACKLOG: u64 = 64 << 20;
    pub(crate) const GRACE: Duration = Duration::from_secs(15);
    pub(crate) const CLOSE_DEADLINE: Duration = Duration::from_secs(10);
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            lanes: Self::LANES,
            is_lower: true,
            circuit_budget: Self::CIRCUIT_BUDGET,
            memory: Memory::new(Self::MEMORY),
            backlog: Self::BACKLOG,
            grace: Self::GRACE,
            receipt_delay: Duration::from_millis(5),
            close_deadline: Self::CLOSE_DEADLINE,
            #[cfg(test)]
            bug: None,
        }
    }
}
