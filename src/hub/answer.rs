use std::sync::Arc;

use super::Unreachable;

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The node is attached to this daemon.
    Local {
        /// The part before the `@`.
        name: String,
    },
    /// A peer holds the name.
    Remote {
        /// The peer.
        peer: Arc<str>,
        /// The part before the `@`.
        name: String,
        /// The host part of the node.
        host: String,
    },
    /// There is no such node.
    Unknown,
    /// The question was a bare name, and several peers have a node with it.
    Ambiguous(Vec<String>),
}

/// The result of an announcement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The full names that can be reached through this peer now.
    pub reachable: Vec<String>,
    /// The full names that cannot be reached through this peer, each with the reason.
    pub unreachable: Vec<(String, Unreachable)>,
    /// The full names that change hands: the peer no longer announces them and other peers hold them from now on, or the peer
    /// takes them over from a peer that is not configured.
    pub moved: Vec<Moved>,
}

/// A full name that a peer holds from now on, instead of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The full name.
    pub node: String,
    /// The peer that holds it now.
    pub peer: Arc<str>,
}
