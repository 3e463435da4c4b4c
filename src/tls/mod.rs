//! Rank 3: certificates. Who a daemon is, how it proves it, and which nodes it may speak for.
//!
//! - [`daemon_name`]: what may be the name of a daemon, a DNS name.
//! - [`Authority`]: a small certificate authority of one's own; it issues the certificate of a daemon.
//! - [`Identity`]: the files of one daemon (`ca.pem`, `cert.pem`, `key.pem`) read and checked against each other, so that
//!   each mistake is found before the first handshake, and named.
//! - [`server_config`] and [`client_config`]: how the two sides of a trunk speak TLS. Mutual, always.
//! - [`PeerCertificate`]: which names the certificate of the other side carries.
//!
//! Nothing here opens a file or reads the clock: bytes and the time come in.

#[cfg(any(test, feature = "daemon"))]
mod authority;
mod endpoint;
mod error;
mod identity;
mod name;
mod peer;
mod provider;
mod x509;

#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "daemon"))]
pub use authority::Authority;
#[cfg(any(test, feature = "daemon"))]
pub use authority::CA_YEARS;
#[cfg(any(test, feature = "daemon"))]
pub use authority::Issued;
#[cfg(any(test, feature = "daemon"))]
pub use authority::LEAF_DAYS_DEFAULT;
#[cfg(any(test, feature = "daemon"))]
pub use authority::LEAF_DAYS_MAX;
pub use endpoint::ALPN;
pub use endpoint::client_config;
pub use endpoint::reset_key;
pub use endpoint::server_config;
#[cfg(any(test, feature = "daemon"))]
pub use error::AuthorityError;
pub use error::EndpointError;
pub use error::IdentityError;
pub use error::IdentityErrors;
pub use error::NameError;
pub use error::PeerError;
pub use identity::CA_FILE;
pub use identity::CERT_FILE;
pub use identity::Identity;
pub use identity::KEY_FILE;
pub use identity::PemFiles;
pub use name::daemon_name;
pub use peer::PeerCertificate;
#[cfg(any(test, feature = "daemon"))]
pub use provider::key_exchange_name;
pub use provider::provider;
