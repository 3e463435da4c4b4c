use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use super::FarIdentity;
use crate::etf::Pid;
use crate::etf::Reference;

/// Another node that is connected, or is being connected.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connection: u32,
    pub(super) state: State,
    /// Links from here to there.
    pub(super) links: FxHashSet<(Pid, Pid)>,
    /// Monitors of processes there, made here.
    pub(super) monitors: FxHashSet<Reference>,
    /// Monitors of processes here, made there.
    pub(super) watching: FxHashMap<Reference, Pid>,
    /// Who watches the node, and how many messages it wants when it is gone.
    pub(super) watchers: FxHashMap<Pid, u32>,
    /// Requests to spawn there, and whether only an error is to be told.
    pub(super) spawning: FxHashMap<Reference, (Pid, bool)>,
}

#[derive(Debug)]
pub(super) enum State {
    /// It is being connected.
    Pending {
        attempt: u64,
        /// Whether we called.
        is_ours: bool,
    },
    /// It is connected.
    Up(FarIdentity),
}
