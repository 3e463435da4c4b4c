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
    /// Every mistake in the settings, the configuration file and the certificates, one line each. A line says where the
    /// mistake is, what the value is, and what is allowed.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    /// TLS cannot be configured with these certificates.
    #[error("{side}: {reason}")]
    Tls {
        /// Which connections are affected.
        side: &'static str,
        /// The error that TLS reports.
        reason: String,
    },
    /// The daemon cannot listen on an address.
    #[error("{message}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The kind of error that the system reports.
        kind: io::ErrorKind,
        /// What failed, the error that the system reports, and what to do.
        message: String,
    },
    /// The daemon cannot start for another reason.
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
