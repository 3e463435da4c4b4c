use thiserror::Error;

/// Why a line cannot be laid, or is not what was asked for.
#[derive(Debug, Error)]
pub enum LinkemError {
    /// A word that describes the line is wrong.
    #[error("{word}: allowed: {allowed}")]
    Word {
        /// The word as it was given.
        word: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// Namespaces and devices are root's.
    #[error("devices in network namespaces can only be made by root: run this as root")]
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
