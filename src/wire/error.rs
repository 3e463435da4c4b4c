use thiserror::Error;

use crate::codec::CodecError;

/// Why the bytes of a peer violate the protocol. Each error closes the trunk they arrived on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WireError {
    /// A field is truncated or has an invalid value.
    #[error("malformed {what}: {source}")]
    Malformed {
        /// The structure that was being read.
        what: &'static str,
        /// What is wrong.
        source: CodecError,
    },
    /// A length exceeds its limit.
    #[error("{what} of {length} bytes; at most {limit} are allowed")]
    Oversized {
        /// The structure with this length.
        what: &'static str,
        /// The length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The protobuf message is malformed.
    #[error("malformed notice: {0}")]
    Protobuf(String),
    /// A notice has no body, or a field out of range.
    #[error("malformed notice: {0}")]
    Notice(&'static str),
}
