use std::collections::BTreeMap;
use std::time::Duration;
use std::time::SystemTime;

use rcgen::CertificateRevocationListParams;
use rcgen::KeyIdMethod;
use rcgen::RevokedCertParams;
use rcgen::SerialNumber;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::CertificateRevocationList;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;

use super::CRL_FILE;
use super::authority::Authority;
use super::error::AuthorityError;
use super::x509;

/// Serial numbers and when they were revoked.
type Revoked = BTreeMap<Vec<u8>, SystemTime>;

impl Authority {
    /// Makes a list of the certificates of this authority that are no longer accepted: those of the list `before`, and `certificates`,
    /// which are PEM files. Peers use a list beyond its time, so it names the end of the authority's own.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::File`] if a file is malformed, and [`AuthorityError::Make`].
    pub fn revoke(
        &self,
        before: Option<&[u8]>,
        certificates: &[Vec<u8>],
        now: SystemTime,
    ) -> Result<String, AuthorityError> {
        let mut revoked = before.map_or_else(|| Ok(Revoked::new()), listed)?;
        for certificate in certificates {
            revoked.entry(serial(certificate)?).or_insert(now);
        }
        let params = CertificateRevocationListParams {
            this_update: now.into(),
            next_update: self.valid_until().max(now + Duration::from_secs(1)).into(),
            // Numbers grow with time (RFC 5280 §5.2.3).
            crl_number: SerialNumber::from(u64::try_from(x509::seconds(now)).unwrap_or(0)),
            issuing_distribution_point: None,
            revoked_certs: revoked.into_iter().map(revoked_params).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(self.sign_list(&params)?)
    }
}

fn revoked_params((serial, at): (Vec<u8>, SystemTime)) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from_slice(&serial),
        revocation_time: at.into(),
        reason_code: None,
        invalidity_date: None,
    }
}

/// What a list of this authority holds.
fn listed(list: &[u8]) -> Result<Revoked, AuthorityError> {
    let bad = |reason: String| AuthorityError::File { file: CRL_FILE, reason };
    let der = CertificateRevocationListDer::from_pem_slice(list).map_err(|error| bad(error.to_string()))?;
    let (_, parsed) = CertificateRevocationList::from_der(&der).map_err(|error| bad(error.to_string()))?;
    let revoked = parsed.iter_revoked_certificates().map(|one| {
        let at = u64::try_from(one.revocation_date.timestamp()).unwrap_or(0);
        (
            one.raw_serial().to_vec(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(at),
        )
    });
    Ok(revoked.collect())
}

/// The serial number of the first certificate of a file.
fn serial(certificate: &[u8]) -> Result<Vec<u8>, AuthorityError> {
    let bad = |reason: String| AuthorityError::File {
        file: super::CERT_FILE,
        reason,
    };
    let der = CertificateDer::from_pem_slice(certificate).map_err(|error| bad(error.to_string()))?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| bad(error.to_string()))?;
    Ok(parsed.raw_serial().to_vec())
}
