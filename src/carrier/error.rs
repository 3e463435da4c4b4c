use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use crate::epmd::EpmdError;
use crate::tls::EndpointError;
use crate::trunk::TrunkError;

/// Why [`Lanes`](super::Lanes) or a daemon did not start.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// Mistakes in the settings, in the configuration file, or in the certificates: all of them, a line each. A line says where
    /// the mistake is, what stands there, and what is allowed.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    /// TLS does not accept the certificates.
    #[error("{side}: {reason}")]
    Tls {
        /// For which connections.
        side: &'static str,
        /// What TLS says.
        reason: String,
    },
    /// An address cannot be listened on.
    #[error("{message}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The kind of error that the system reports.
        kind: io::ErrorKind,
        /// What was tried, what the system says, and what to do.
        message: String,
    },
    /// The system does not start the daemon for another reason.
    #[error("{0}")]
    Other(String),
}

impl StartError {
    pub(super) fn tls(side: &'static str) -> impl Fn(EndpointError) -> Self {
        move |error| Self::Tls {
            side,
            reason: error.to_string(),
        }
    }
}

impl From<TrunkError> for StartError {
    fn from(error: TrunkError) -> Self {
        match &error {
            TrunkError::Bind { address, source } => Self::Listen {
                address: *address,
                kind: source.kind(),
                message: error.to_string(),
            },
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<EpmdError> for StartError {
    fn from(error: EpmdError) -> Self {
        match &error {
            EpmdError::Bind { address, source } => Self::Listen {
                address: *address,
                kind: source.kind(),
                message: error.to_string(),
            },
            _ => Self::Other(error.to_string()),
        }
    }
}
