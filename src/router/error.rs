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

/// Two nodes may not be connected, since a `[[policy]]` says so. Whoever is refused reads the text, at both ends.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{}{from} may not be connected to {to}: rule {rule} of the [[policy]] of daemon {owner} denies it",
    Self::BEGIN
)]
pub struct Denied {
    /// The node that connects, or that is at this end.
    pub from: String,
    /// The other node.
    pub to: String,
    /// The number of the rule, counted from 1.
    pub rule: usize,
    /// The daemon whose rule it is.
    pub owner: String,
}

impl Denied {
    const BEGIN: &str = "policy: ";

    /// Whether a circuit that was closed for this reason was denied, by this daemon or by the peer.
    pub fn is_reason(reason: &str) -> bool {
        reason.starts_with(Self::BEGIN)
    }
}
