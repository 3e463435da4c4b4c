use std::sync::Arc;

use thiserror::Error;

use crate::dist::HandshakeError;
use crate::router::Denied;
use crate::router::NotAllowed;

/// Why a local node was not attached.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AttachError {
    /// A local node already has this name.
    #[error("a local node has this name")]
    Taken,
    /// The port mapper's maximum number of local nodes is reached.
    #[error("there are too many local nodes")]
    TooMany,
}

/// Why a full name cannot be reached through the peer that announced it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unreachable {
    /// The policy does not let the peer speak for the node.
    #[error("the peer may not speak for it: {0}")]
    Policy(NotAllowed),
    /// A local node has the name.
    #[error("a local node has this name")]
    Local,
    /// Another peer holds the name. When that peer withdraws it, this peer holds the name.
    #[error("peer {0} holds it: it announced it first, or it is a [[peer]] here and this one is not")]
    Held(Arc<str>),
    /// The peer has announced the maximum number of nodes. This announcement is not kept.
    #[error("the peer announced too many nodes")]
    TooMany,
}

/// Why a circuit that a peer opened was refused.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The first handshake message is malformed, or does not contain a valid node name.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The policy does not let the peer speak for the node.
    #[error("peer {peer} may not speak for node {node}: {reason}")]
    Policy {
        /// The peer.
        peer: String,
        /// The node for which it wanted to speak.
        node: String,
        /// What does not fit.
        reason: NotAllowed,
    },
    /// The policy does not let the two nodes be connected.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The initiator's name is that of a node of this daemon.
    #[error(
        "peer {peer} may not speak for node {node}: a node of this name is up here; give one of the two another name"
    )]
    Here {
        /// The peer.
        peer: String,
        /// The node for which it wanted to speak.
        node: String,
    },
    /// The initiator's name is that of a node of another peer.
    #[error("peer {peer} may not speak for node {node}: it is up at peer {holder}; give one of the two another name")]
    Elsewhere {
        /// The peer.
        peer: String,
        /// The node for which it wanted to speak.
        node: String,
        /// The peer that holds the name.
        holder: Arc<str>,
    },
    /// No local node has the name.
    #[error("no node {node} is registered here{hint}")]
    Unknown {
        /// The target.
        node: String,
        /// A similar name, as text, or nothing.
        hint: String,
    },
    /// The local node's queue of new circuits is full, or the node is ending.
    #[error("node {0} accepts no connections now")]
    Busy(String),
}
