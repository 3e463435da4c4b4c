use thiserror::Error;

/// Why nothing more can be received from a circuit or sent on it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Closed {
    /// The circuit was closed by the far side, or because the session ended. The text is the reason. All signals that arrived
    /// before have been delivered.
    #[error("{0}")]
    Circuit(String),
    /// The session has ended.
    #[error("the session with the peer has ended")]
    NoSession,
}

/// Why signals were not accepted. Each variant returns them.
#[derive(Debug)]
pub enum TrySendError<T> {
    /// There is no room now. [`poll_ready`](super::io::endpoint::SignalSender::poll_ready) tells when to try again.
    Full(T),
    /// The session has ended.
    NoSession(T),
}
