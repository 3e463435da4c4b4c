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
    /// The port mapper accepts no connection, or does not answer.
    #[error("the port mapper does not answer within {0:?}: its daemon hangs or is overloaded")]
    Late(std::time::Duration),
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
    /// Whether the machine lacks the address or its family, as one without IPv6 does.
    pub fn is_no_such_address(&self) -> bool {
        let Self::Bind { source, .. } = self else {
            return false;
        };
        // A kernel without IPv6 refuses the socket: EAFNOSUPPORT, which has no kind of its own.
        source.kind() == std::io::ErrorKind::AddrNotAvailable || source.raw_os_error() == Some(nix::libc::EAFNOSUPPORT)
    }

    const REMEDY: &str =
        "if a stock epmd runs there, stop it or choose another port with [epmd] listen and ERL_EPMD_PORT";
}
