use std::sync::Arc;

use thiserror::Error;

use crate::dist::HandshakeError;

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
    #[error("no pattern of the peer's `allow` fits")]
    Policy,
    /// A local node has the name.
    #[error("a local node has this name")]
    Local,
    /// Another peer announced the name first. When that peer withdraws it, this peer holds the name.
    #[error("peer {0} announced it first")]
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
    #[error("peer {peer} may not speak for node {node}: no pattern of its `allow` fits")]
    Policy {
        /// The peer.
        peer: String,
        /// The node for which it wanted to speak.
        node: String,
    },
    /// No local node has the name.
    #[error("no node {0} is registered here")]
    Unknown(String),
    /// The local node's queue of new circuits is full, or the node is ending.
    #[error("node {0} accepts no connections now")]
    Busy(String),
}
