use quinn::ReadError;
use quinn::TransportErrorCode;
use quinn::WriteError;
use thiserror::Error;

use super::TrunkConfig;
use crate::session::SessionError;
use crate::tls::explain;
use crate::wire::WireError;

/// Why a trunk could not be established, or why it ended.
#[derive(Debug, Error)]
pub enum TrunkError {
    /// The UDP socket cannot be bound.
    #[error("cannot listen on UDP {address}: {source}; is another daemon running there?")]
    Bind {
        /// The configured address.
        address: std::net::SocketAddr,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The peer's host name has no address.
    #[error("cannot resolve {address}: {reason}")]
    Resolve {
        /// The address as configured.
        address: String,
        /// The resolver's error.
        reason: String,
    },
    /// The connection could not be established, or was lost.
    #[error("{0}")]
    Connection(String),
    /// Nothing answers at an address.
    #[error(
        "no answer from UDP {0}: does the daemon run there, and do all firewalls on the way let UDP to this port and back \
         through, in packets of 1,280 bytes (MTU)?"
    )]
    NoAnswer(std::net::SocketAddr),
    /// The kernel of this host does not send to an address.
    #[error("nothing was sent to UDP {address}: {reason}")]
    Unsent {
        /// The address.
        address: std::net::SocketAddr,
        /// What the kernel says, and what to do.
        reason: String,
    },
    /// The peer dropped a connection that it had dialled: another one was faster, or the peer is stopping.
    #[error("the peer closed this connection because it no longer needs it")]
    Withdrawn,
    /// The peer does not have the identity that it claims, or not the expected one.
    #[error("refused {claimed:?}: {reason}")]
    Identity {
        /// The name that the peer claims.
        claimed: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The two daemons have no protocol version in common.
    #[error(
        "the peer speaks versions {0} to {1} of the protocol; this daemon speaks {min} to {max}",
        min = crate::wire::VERSION_MIN,
        max = crate::wire::VERSION
    )]
    Version(u32, u32),
    /// The peer sent malformed bytes.
    #[error("the peer broke the protocol: {0}")]
    Wire(#[from] WireError),
    /// The peer broke the rules of a session.
    #[error("the peer broke the protocol: {0}")]
    Session(#[from] SessionError),
    /// The peer's first notice is not a `Hello`.
    #[error("the peer broke the protocol: its first notice is not a Hello")]
    Greeting,
    /// The peer ended a stream that must stay open as long as the trunk.
    #[error("the peer broke the protocol: it ended {0}")]
    Ended(&'static str),
    /// The peer did not answer in time.
    #[error("the peer did not {0} in time")]
    Late(&'static str),
    /// A newer connection took its place.
    #[error("the connection gave way to a newer one: too many are being set up")]
    Displaced,
    /// The address that was dialled is one of this daemon.
    #[error("that is an address of this daemon")]
    Myself,
    /// There is a session with this peer already.
    #[error("there is a session with this peer already")]
    Duplicate,
}

impl TrunkError {
    /// One word for monitoring.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "bind",
            Self::Resolve { .. } => "resolve",
            // TLS refuses here.
            Self::Connection(_) => "connection",
            Self::NoAnswer(_) => "no_answer",
            Self::Unsent { .. } => "unsent",
            Self::Withdrawn => "withdrawn",
            Self::Identity { .. } => "identity",
            Self::Version(..) => "version",
            Self::Wire(_) | Self::Session(_) | Self::Greeting | Self::Ended(_) => "protocol",
            Self::Late(_) => "late",
            Self::Displaced => "displaced",
            Self::Myself => "myself",
            Self::Duplicate => "duplicate",
        }
    }
}

impl From<quinn::ConnectionError> for TrunkError {
    fn from(error: quinn::ConnectionError) -> Self {
        use quinn::ConnectionError::ApplicationClosed;
        use quinn::ConnectionError::ConnectionClosed;
        match error {
            ApplicationClosed(close) if close.error_code == TrunkConfig::DROPPED => Self::Withdrawn,
            // It is the same daemon that closes here and reads there.
            ApplicationClosed(close)
                if close.error_code == TrunkConfig::REFUSED && close.reason == Self::Myself.to_string() =>
            {
                Self::Myself
            }
            // Before the handshake is complete, an application can send only this code (RFC 9000 section 10.2.3).
            ConnectionClosed(close) if close.error_code == TransportErrorCode::APPLICATION_ERROR => Self::Withdrawn,
            // The peer sends the text of its error with its close.
            error => Self::Connection(explain(&error.to_string(), matches!(error, ConnectionClosed(_)))),
        }
    }
}

impl From<ReadError> for TrunkError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(why) => why.into(),
            error => Self::Connection(error.to_string()),
        }
    }
}

impl From<WriteError> for TrunkError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(why) => why.into(),
            error => Self::Connection(error.to_string()),
        }
    }
}
