use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::error::PeerError;

/// The names in a peer's certificate. The handshake has already verified the certificate itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    names: Vec<String>,
}

impl PeerCertificate {
    /// Reads the DNS names from the subject alternative names of the first certificate of a chain. The subject's common
    /// name does not count (RFC 9525 §2).
    ///
    /// # Errors
    ///
    /// [`PeerError::Missing`] if the chain is empty, [`PeerError::Unreadable`] if the certificate is malformed.
    pub fn from_chain(chain: &[CertificateDer<'_>]) -> Result<Self, PeerError> {
        let first = chain.first().ok_or(PeerError::Missing)?;
        let certificate = EndEntityCert::try_from(first).map_err(PeerError::Unreadable)?;
        Ok(Self {
            names: certificate.valid_dns_names().map(str::to_ascii_lowercase).collect(),
        })
    }

    /// All DNS names, in lower case, in the order of the certificate.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the certificate contains the daemon name `name`, ignoring case. A wildcard matches no name: it would let the
    /// holder of one key impersonate any daemon.
    pub fn carries(&self, name: &str) -> bool {
        !name.contains('*') && self.names.iter().any(|held| held.eq_ignore_ascii_case(name))
    }
}
