use std::time::Duration;

use super::Memory;
use super::Share;
use crate::router::Rules;
use crate::wire::VERSION;

/// The configuration of a session: settings of the daemon, and what was agreed on with the peer.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The version of the protocol.
    pub version: u32,
    /// The number of lanes in each direction.
    pub lanes: u8,
    /// Whether the name of this daemon is the lower of the two. If so, the circuits it opens have odd ids.
    pub is_lower: bool,
    /// The maximum window of one circuit in bytes: what the remote BEAM may have in flight to the local one. If it is
    /// exhausted, small signals wait behind bulk data in the remote VM, so it is generous.
    pub circuit_budget: u64,
    /// Where the memory is counted that the session keeps for its peer.
    pub memory: Share,
    /// The maximum number of bytes that wait for the lanes or for an acknowledgement. Above it, legs are not read.
    pub backlog: u64,
    /// How long the session survives the loss or silence of a trunk. Zero means not at all; then nothing is kept for
    /// retransmission.
    pub grace: Duration,
    /// How long an acknowledgement may be delayed to be combined with others.
    pub receipt_delay: Duration,
    /// How long a BEAM may take to read what is left when its circuit was closed.
    pub close_deadline: Duration,
    /// What holds between nodes: which may be connected, and their limits. Its owner applies it, by their names.
    pub rules: Rules,
    /// A bug to simulate.
    #[cfg(test)]
    pub(crate) bug: Option<Bug>,
}

/// Bugs that tests can enable to show that the simulation detects them. Not available outside of tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Omit the first batch of each replay.
    SkipReplay,
    /// Omit one fence of every second frame that has any.
    DropFence,
    /// Treat everything that QUIC has accepted as received by the peer.
    AcknowledgeEarly,
    /// Process frames that were sent again, although they had arrived before.
    TakeTwice,
    /// Let strands change lanes although the peer may not have everything from the former lane.
    ChangeLanes,
}

/// The settings of a session that may change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// See [`SessionConfig::circuit_budget`].
    pub circuit_budget: u64,
    /// See [`SessionConfig::backlog`].
    pub backlog: u64,
    /// See [`SessionConfig::close_deadline`].
    pub close_deadline: Duration,
}

impl SessionConfig {
    /// The settings that may change while a session runs.
    pub const fn bounds(&self) -> Bounds {
        Bounds {
            circuit_budget: self.circuit_budget,
            backlog: self.backlog,
            close_deadline: self.close_deadline,
        }
    }

    /// The same with other bounds.
    #[must_use]
    pub const fn with(mut self, bounds: Bounds) -> Self {
        self.circuit_budget = bounds.circuit_budget;
        self.backlog = bounds.backlog;
        self.close_deadline = bounds.close_deadline;
        self
    }

    /// The initial window of a circuit in bytes. It doubles each time a full window has been read. A BEAM that never
    /// reads has at most this much buffered.
    pub const FIRST_WINDOW: u64 = 4 << 20;

    /// The window of a circuit in bytes until the handshake of its nodes is complete: what is sent right after it passes,
    /// and whoever never completes one can make us keep little.
    pub const HANDSHAKE_WINDOW: u64 = 64 << 10;

    /// The maximum number of circuits of a session: all pairs of 64 nodes on each side. An idle circuit takes a few
    /// kilobytes.
    pub const CIRCUITS_MAX: usize = 4096;

    /// The maximum number of host parts of one announced node: more than a host has addresses. The others are not looked at.
    pub const HOSTS_OF_A_NODE: usize = 512;

    /// The maximum number of bytes that wait for the control stream. A well-behaved peer reads it at once.
    pub const CONTROL_MAX: usize = 16 << 20;
}

/// Defaults. For those that a user can set, the reasons are documented next to their limits, in the module `config`.
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
            version: VERSION,
            lanes: Self::LANES,
            is_lower: true,
            circuit_budget: Self::CIRCUIT_BUDGET,
            memory: Memory::new(Self::MEMORY).share(""),
            backlog: Self::BACKLOG,
            grace: Self::GRACE,
            receipt_delay: Duration::from_millis(5),
            close_deadline: Self::CLOSE_DEADLINE,
            rules: Rules::default(),
            #[cfg(test)]
            bug: None,
        }
    }
}
