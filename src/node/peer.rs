use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use super::FarIdentity;
use crate::etf::Pid;
use crate::etf::Reference;

/// Another node that is connected, or being connected.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connection: u32,
    pub(super) state: State,
    /// Links between processes of this node and that one.
    pub(super) links: FxHashSet<(Pid, Pid)>,
    /// Monitors of its processes, created here.
    pub(super) monitors: FxHashSet<Reference>,
    /// Monitors of our processes, created there.
    pub(super) watching: FxHashMap<Reference, Pid>,
    /// Processes that monitor the node, and the number of `NodeDown` messages that each gets.
    pub(super) watchers: FxHashMap<Pid, u32>,
    /// Spawn requests to that node: the requester, and whether only errors are reported.
    pub(super) spawning: FxHashMap<Reference, (Pid, bool)>,
}

#[derive(Debug)]
pub(super) enum State {
    Pending {
        attempt: u64,
        /// Whether this node dialled.
        is_ours: bool,
    },
    Up(FarIdentity),
}
