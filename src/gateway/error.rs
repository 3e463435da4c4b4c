use std::sync::Arc;

use thiserror::Error;

use crate::dist::HandshakeError;
use crate::dist::PacketError;
use crate::endpoint::Closed;
use crate::endpoint::FollowError;
use crate::endpoint::NotFound;

/// Why a leg ended.
#[derive(Debug, Error)]
pub enum LegError {
    /// The connection to the local node failed, or could not be established.
    #[error("connection to the local node failed: {0}")]
    Io(#[from] std::io::Error),
    /// The local node was found at none of the addresses of this host.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The local node closed the connection.
    #[error("the local node closed the connection")]
    Closed,
    /// The local node closed the connection when it learned the remote one's name.
    #[error(
        "the local node closed the connection when the remote one told its name, {0}: it was probably asked for by another \
         one; use exactly this name"
    )]
    OtherName(String),
    /// A handshake message is malformed or unexpected, or names a node for which the peer may not speak.
    #[error(transparent)]
    Handshake(#[from] FollowError),
    /// The local node sent a malformed packet.
    #[error("packet: {0}")]
    Packet(#[from] PacketError),
    /// A local connection claims the name of a node that is elsewhere.
    #[error("node {node} is up at peer {peer}, so no local node can have this name")]
    Elsewhere {
        /// The claimed name.
        node: String,
        /// The peer that holds it.
        peer: Arc<str>,
    },
    /// A local connection claims the name of a visible node that is not registered.
    #[error(
        "node {0} is not registered at the port mapper of this gateway; a visible node must be \
         (does it register elsewhere? see ERL_EPMD_PORT)"
    )]
    Unregistered(String),
    /// A time-out. The fields are what did not happen, and the time.
    #[error("{0} within {1:?}")]
    Late(&'static str, std::time::Duration),
    /// The circuit was closed, with this reason.
    #[error("{0}")]
    CircuitClosed(String),
    /// The session of the circuit has ended.
    #[error("the session with the peer has ended")]
    NoSession,
}

impl LegError {
    /// What the peer is told. It needs no addresses of this host.
    pub(super) fn for_peer(&self) -> String {
        match self {
            Self::NotFound(found) => format!(
                "node {} is registered, but does not accept connections on its port; the log of the gateway on its host says more",
                found.node
            ),
            other => other.to_string(),
        }
    }
}

impl From<HandshakeError> for LegError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error.into())
    }
}

impl From<Closed> for LegError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Circuit(reason) => Self::CircuitClosed(reason),
            Closed::NoSession => Self::NoSession,
        }
    }
}
