use thiserror::Error;

use crate::codec::CodecError;

/// Why a port mapper request is refused, or the port mapper cannot start.
#[derive(Debug, Error)]
pub enum EpmdError {
    /// The request is malformed.
    #[error("malformed request: {0}")]
    Codec(#[from] CodecError),
    /// There is no request with this number.
    #[error("unknown request {0}")]
    Unknown(u8),
    /// The message is too long.
    #[error("port mapper message of {length} bytes; at most {limit} are allowed")]
    Oversized {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The name is not a valid node name.
    #[error("{0:?} is not a valid node name")]
    Name(String),
    /// The port mapper cannot be reached.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The address cannot be bound.
    #[error("cannot serve the port mapper on {address}: {source}; {remedy}", remedy = Self::REMEDY)]
    Bind {
        /// The configured address.
        address: std::net::SocketAddr,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl EpmdError {
    const REMEDY: &str =
        "if a stock epmd runs there, stop it or choose another port with [epmd] listen and ERL_EPMD_PORT";
}
