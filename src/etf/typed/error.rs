use std::fmt::Display;

use thiserror::Error;

use crate::etf::TermError;
use crate::etf::encode::Excess;

/// Why a value cannot be written as a term, or a term not be read as a value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ValueError {
    /// The bytes are no term, or beyond the limits, or the value has no term.
    #[error(transparent)]
    Term(#[from] TermError),
    /// The term is not what the type asks for, or the type says no.
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
