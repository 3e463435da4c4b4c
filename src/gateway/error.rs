use thiserror::Error;

use crate::dist::HandshakeError;
use crate::dist::PacketError;
use crate::endpoint::Closed;

/// Why a leg ended.
#[derive(Debug, Error)]
pub enum LegError {
    /// The node's connection failed.
    #[error("connection to the local node: {0}")]
    Io(#[from] std::io::Error),
    /// The node closed the connection.
    #[error("the local node closed the connection")]
    Closed,
    /// The node sent what is no handshake message.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The node sent what is no packet.
    #[error("packet: {0}")]
    Packet(#[from] PacketError),
    /// Policy does not let the peer speak for the node.
    #[error("peer {peer} may not speak for node {node}: no pattern of its `allow` fits")]
    Policy {
        /// The peer.
        peer: String,
        /// The node it claims.
        node: String,
    },
    /// Nothing came for too long.
    #[error("{0} within {1:?}")]
    Late(&'static str, std::time::Duration),
    /// The session ended the circuit.
    #[error("{0}")]
    CircuitClosed(String),
    /// The session itself is gone.
    #[error("the session with the peer has ended")]
    NoSession,
}

impl From<Closed> for LegError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Circuit(reason) => Self::CircuitClosed(reason),
            Closed::NoSession => Self::NoSession,
        }
    }
}
