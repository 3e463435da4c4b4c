use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::CertificateError;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::UnixTime;
use thiserror::Error;

use super::EndpointError;
use super::explain;
use super::provider::provider;
use super::x509;

/// Which certificates of peers are accepted: those of our authorities that are valid and not revoked. A connection outlives the
/// moment at which TLS has checked them, so they are checked again.
#[derive(Clone)]
pub struct Trust(Arc<dyn ClientCertVerifier>);

/// Why the certificate of a peer is not accepted any more.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotTrusted {
    /// An authority has revoked it.
    #[error("the peer's certificate is revoked (crl.pem)")]
    Revoked,
    /// Its time is over.
    #[error("the peer's certificate has expired")]
    Expired,
    /// Anything else, such as an authority that is not in `ca.pem` any more.
    #[error("the peer's certificate is not accepted any more: {0}")]
    Other(String),
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// With these authorities and revocation lists.
    ///
    /// A certificate whose authority has published no list is accepted, and a list is used beyond its time: a list that was not renewed
    /// must not part a cluster.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] if rustls rejects them.
    pub(super) fn new(
        authorities: Arc<RootCertStore>,
        crls: &[CertificateRevocationListDer<'static>],
    ) -> Result<Self, EndpointError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider())
            .with_crls(crls.iter().cloned())
            .allow_unknown_revocation_status()
            .build()?;
        Ok(Self(verifier))
    }

    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.0)
    }

    /// Whether a chain is accepted at `now`.
    ///
    /// # Errors
    ///
    /// [`NotTrusted`] if it is not.
    pub fn check(&self, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<(), NotTrusted> {
        let Some((first, others)) = chain.split_first() else {
            return Err(NotTrusted::Other("there is none".to_owned()));
        };
        let seconds = u64::try_from(x509::seconds(now)).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        self.0
            .verify_client_cert(first, others, now)
            .map(|_| ())
            .map_err(|error| match error {
                rustls::Error::InvalidCertificate(CertificateError::Revoked) => NotTrusted::Revoked,
                rustls::Error::InvalidCertificate(
                    CertificateError::Expired | CertificateError::ExpiredContext { .. },
                ) => NotTrusted::Expired,
                error => NotTrusted::Other(explain(&error.to_string(), false)),
            })
    }
}
