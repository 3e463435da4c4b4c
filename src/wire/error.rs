use thiserror::Error;

use crate::codec::CodecError;

/// Why a peer's bytes are not the protocol: each ends the trunk they came on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WireError {
    /// A field is cut short or holds a value it may not.
    #[error("malformed {what}: {source}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// What is wrong with it.
        source: CodecError,
    },
    /// A length is over its limit.
    #[error("{what} of {length} bytes; at most {limit} are allowed")]
    Oversized {
        /// What was announced.
        what: &'static str,
        /// Its announced length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The protobuf message cannot be decoded.
    #[error("malformed notice: {0}")]
    Protobuf(String),
    /// A notice without a body, or with a field outside its range.
    #[error("notice with {0}")]
    Notice(&'static str),
}
