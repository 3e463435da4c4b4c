use thiserror::Error;

/// A text that is not a pattern of node names.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{pattern}` is not a pattern of node names: {reason}")]
pub struct PatternError {
    /// The text, cut to 80 characters.
    pub pattern: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}
