use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rustls_pki_types::CertificateDer;
#[cfg(any(test, feature = "daemon"))]
use rustls_pki_types::pem::PemObject;
use webpki::EndEntityCert;

use super::error::PeerError;
use super::x509::Facts;

/// The names in a peer's certificate. The handshake has already verified the certificate itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    names: Vec<String>,
    addresses: Vec<String>,
    /// Names that name no daemon, such as URIs, each with its kind.
    others: Vec<String>,
    /// In seconds since 1970.
    not_after: i64,
}

/// The hosts in the first certificate of a PEM file: DNS names and IP addresses.
///
/// # Errors
///
/// The reason why the file is no certificate.
#[cfg(any(test, feature = "daemon"))]
pub fn hosts_in(pem: &[u8]) -> Result<Vec<String>, String> {
    let certificate = CertificateDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
    let certificate = PeerCertificate::from_chain(&[certificate]).map_err(|error| error.to_string())?;
    Ok(certificate.hosts())
}

impl PeerCertificate {
    /// Reads the subject alternative names of the first certificate of a chain. The subject's common name does not count
    /// (RFC 9525 §2).
    ///
    /// # Errors
    ///
    /// [`PeerError::Missing`] if the chain is empty, [`PeerError::Unreadable`] if the certificate is malformed.
    pub fn from_chain(chain: &[CertificateDer<'_>]) -> Result<Self, PeerError> {
        let first = chain.first().ok_or(PeerError::Missing)?;
        let certificate = EndEntityCert::try_from(first).map_err(PeerError::Unreadable)?;
        let facts = Facts::read(first).map_err(PeerError::Malformed)?;
        let names = certificate.valid_dns_names().map(str::to_ascii_lowercase);
        Ok(Self {
            names: names.filter(|name| !name.contains('*')).collect(),
            addresses: facts.addresses.iter().map(ToString::to_string).collect(),
            others: facts.other_names,
            not_after: facts.not_after,
        })
    }

    /// All DNS names except wildcards, in lower case, in the order of the certificate.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The last moment at which the certificate is valid.
    pub fn valid_until(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.not_after).unwrap_or(0))
    }

    /// The hosts for whose nodes the daemon may speak by default: all DNS names except wildcards, and all IP addresses.
    pub fn hosts(&self) -> Vec<String> {
        self.names.iter().chain(&self.addresses).cloned().collect()
    }

    /// Names that cannot name a daemon, each with its kind: addresses, wildcards, URIs and others.
    pub fn others(&self) -> impl Iterator<Item = String> {
        let addresses = self
            .addresses
            .iter()
            .map(|address| format!("the IP address `{address}`"));
        addresses.chain(self.others.iter().cloned())
    }

    /// Whether the certificate contains the daemon name `name`, ignoring case. A wildcard matches no name: it would let the
    /// holder of one key impersonate any daemon.
    pub fn carries(&self, name: &str) -> bool {
        !name.contains('*') && self.names.iter().any(|held| held.eq_ignore_ascii_case(name))
    }
}
