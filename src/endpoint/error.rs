use thiserror::Error;

/// Why nothing more comes from a circuit, and nothing more can be sent.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Closed {
    /// The circuit is closed, by the far side or because the session ended. Everything that was to be delivered has been.
    #[error("{0}")]
    Circuit(String),
    /// The session itself is gone.
    #[error("the session with the peer has ended")]
    NoSession,
}

/// Why signals cannot be handed over at once.
#[derive(Debug)]
pub enum TrySendError<T> {
    /// There is no room now; here they are. [`poll_ready`](super::io::endpoint::SignalSender::poll_ready) tells when to try
    /// again.
    Full(T),
    /// The session is gone.
    NoSession(T),
}
