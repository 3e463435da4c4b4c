//! Rank 3: certificates, which prove the names of daemons.
//!
//! - [`daemon_name`]: checks the name of a daemon, a DNS name.
//! - [`Authority`]: a small private certificate authority. It issues the certificates of daemons, and revokes them (`revocation`).
//! - [`Identity`]: the files of one daemon (`ca.pem`, `cert.pem`, `key.pem`, perhaps `crl.pem`). They are checked against each other, so
//!   that each mistake is found and named before the first handshake.
//! - [`server_config`] and [`client_config`]: the TLS configuration of both sides of a trunk. It is always mutual TLS.
//! - [`PeerCertificate`]: the names in the certificate of a peer. [`Trust`]: whether it is still accepted.
//! - [`explain()`]: clear words for what TLS says about certificates.
//!
//! Nothing here opens a file or reads the clock. File contents and the time are arguments.

#[cfg(any(test, feature = "daemon"))]
mod authority;
mod endpoint;
mod error;
mod explain;
mod identity;
mod name;
mod peer;
mod provider;
#[cfg(any(test, feature = "daemon"))]
mod revocation;
mod trust;
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
pub use endpoint::client_config_for_any;
pub use endpoint::reset_key;
pub use endpoint::server_config;
#[cfg(any(test, feature = "daemon", feature = "internals"))]
pub use endpoint::temporary_reset_key;
#[cfg(any(test, feature = "daemon"))]
pub use error::AuthorityError;
pub use error::EndpointError;
pub use error::IdentityError;
pub use error::IdentityErrors;
pub use error::NameError;
pub use error::PeerError;
pub use explain::explain;
pub use identity::CA_FILE;
pub use identity::CERT_FILE;
pub use identity::CRL_FILE;
pub use identity::Identity;
pub use identity::KEY_FILE;
pub use identity::PemFiles;
pub use name::daemon_name;
#[cfg(any(test, feature = "daemon"))]
pub use name::host_name;
pub use peer::PeerCertificate;
#[cfg(any(test, feature = "daemon"))]
pub use peer::hosts_in;
#[cfg(any(test, feature = "daemon"))]
pub use provider::key_exchange_name;
pub use provider::provider;
pub use trust::NotTrusted;
pub use trust::Trust;
