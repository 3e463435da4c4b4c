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

/// Why a peer may not speak for a node.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct NotAllowed {
    /// What does not fit, and what would.
    pub(super) reason: String,
}

/// Why a daemon may not dial in.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("it is no [[peer]] here, and no pattern of `[accept] names` fits; add one of the two")]
pub struct NotAccepted;
