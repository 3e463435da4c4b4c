use thiserror::Error;

/// Why a network path cannot be emulated.
#[derive(Debug, Error)]
pub enum LinkemError {
    /// A word of its description is wrong.
    #[error("{word}: allowed: {allowed}")]
    Word {
        /// The word as it was given.
        word: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// Only root can make namespaces and devices.
    #[error("only root can make devices in network namespaces: run this as root")]
    NotRoot,
    /// Something of the system refused.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// `ip` refused.
    #[error("ip {arguments}: {said}")]
    Ip {
        /// What it was to do.
        arguments: String,
        /// Its complaint.
        said: String,
    },
}
