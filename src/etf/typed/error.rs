use std::fmt::Display;

use thiserror::Error;

use crate::etf::TermError;
use crate::etf::encode::Excess;

/// Why a value could not be converted to a term, or a term to a value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ValueError {
    /// The bytes are not a well-formed term, the term exceeds the limits, or the value cannot be represented as a term.
    #[error(transparent)]
    Term(#[from] TermError),
    /// The term does not have the type that was expected, or the type rejected it.
    #[error("{0}")]
    Value(String),
}

impl From<Excess> for ValueError {
    fn from(excess: Excess) -> Self {
        Self::Term(excess.into())
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}
