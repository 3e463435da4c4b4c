use thiserror::Error;

use crate::codec::CodecError;

/// Why a term could not be decoded or encoded.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TermError {
    /// The term is truncated.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The tag is unknown, or is not allowed on a connection without atom cache.
    #[error("expected {expected}, found tag {tag}")]
    Tag {
        /// What was expected.
        expected: &'static str,
        /// The tag found.
        tag: u8,
    },
    /// A value is out of range.
    #[error("invalid {what}: {value}")]
    Range {
        /// The item.
        what: &'static str,
        /// The value found.
        value: u64,
    },
    /// The term exceeds [`Limits`](super::Limits), or a limit of the format.
    #[error("term exceeds the limit of {limit} {what}")]
    Limit {
        /// The quantity that is limited.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A map contains the same key twice.
    #[error("duplicate key in a map")]
    DuplicateKey,
    /// A float is infinite or NaN, which Erlang does not support.
    #[error("float is infinite or NaN")]
    NotFinite,
    /// The size of a compressed term is wrong, or its data is corrupt.
    #[error("corrupt compressed term")]
    Deflate,
    /// A compressed term cannot be read without a copy: call [`inflate`](super::inflate) first.
    #[error("term is compressed; inflate it first")]
    Compressed,
}
