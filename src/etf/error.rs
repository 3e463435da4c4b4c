use thiserror::Error;

use crate::codec::CodecError;

/// Why bytes are not the term they should be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TermError {
    /// The term is cut short.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A tag that no term of a connection without atom cache has.
    #[error("tag {tag} where {expected} should be")]
    Tag {
        /// What should be there.
        expected: &'static str,
        /// The tag found.
        tag: u8,
    },
    /// A number that the item cannot have.
    #[error("{what} of {value}")]
    Range {
        /// The item.
        what: &'static str,
        /// The number found.
        value: u64,
    },
}
