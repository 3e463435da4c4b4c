use thiserror::Error;

use crate::codec::CodecError;

/// Why bytes are not the term they should be, or a term cannot be written.
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
    /// More than [`Limits`](super::Limits) allow.
    #[error("a term of more than {limit} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much of it is allowed.
        limit: usize,
    },
    /// A map with the same key twice, as no Erlang map is.
    #[error("a map has the same key twice")]
    DuplicateKey,
    /// A float that is no number: Erlang has none.
    #[error("a float that is infinite or no number")]
    NotFinite,
    /// A compressed term that does not inflate to what it says.
    #[error("a compressed term is damaged")]
    Deflate,
    /// A compressed term where nothing may be copied: [`inflate`](super::inflate) it first.
    #[error("a compressed term cannot be read in place")]
    Compressed,
}
