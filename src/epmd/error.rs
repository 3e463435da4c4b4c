use thiserror::Error;

use crate::codec::CodecError;

/// Why a port mapper request is refused, or the port mapper cannot start.
#[derive(Debug, Error)]
pub enum EpmdError {
    /// The request is malformed.
    #[error("malformed request: {0}")]
    Codec(#[from] CodecError),
    /// The request is of a kind that does not exist.
    #[error("unknown request {0}")]
    Unknown(u8),
    /// The message is longer than any can be.
    #[error("port mapper message of {length} bytes; at most {limit} are allowed")]
    Oversized {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The name is not one a node can have.
    #[error("{0:?} is not a valid node name")]
    Name(String),
    /// The port mapper cannot be reached.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The address cannot be bound.
    #[error("cannot serve the port mapper on {address}: {source}; {remedy}", remedy = Self::REMEDY)]
    Bind {
        /// The address wanted.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

impl EpmdError {
    const REMEDY: &str =
        "if a stock epmd runs there, stop it or choose another port with [epmd] listen and ERL_EPMD_PORT";
}
