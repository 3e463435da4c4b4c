use std::time::Duration;
use std::time::SystemTime;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertificateRevocationListParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::PublicKeyData;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::error::AuthorityError;
use super::name::daemon_name;
use super::name::host_name;
use super::x509;
use super::x509::Facts;

/// The validity of a new authority in years. Replacing it affects every host, so it outlives the hardware.
pub const CA_YEARS: u32 = 10;

/// The default validity of a daemon's certificate in days. Without revocation, a stolen key can be used for this long. Three
/// months is what public authorities consider acceptable for manual renewal.
pub const LEAF_DAYS_DEFAULT: u32 = 90;

/// The maximum validity of a certificate in days: the longest that common verifiers accept (CA/Browser Forum ballot 193).
pub const LEAF_DAYS_MAX: u32 = 825;

/// Certificates are valid from this long before they are created, because the clocks of two hosts differ.
const BACKDATE: Duration = Duration::from_secs(60 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The last second of the year 9999, the latest date a certificate can hold (RFC 5280 §4.1.2.5), in seconds since 1970.
const LATEST: i64 = 253_402_300_799;

/// The names of the authority's files, for messages.
const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca-key.pem";

/// A private certificate authority: a key (ECDSA P-256) and its self-signed certificate.
///
/// It signs certificates of daemons, not of other authorities (path length 0). Serial numbers are 160 bits of the hash of the
/// new key, so they are as random as the key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    /// The end of the authority's validity, in seconds since 1970.
    not_after: i64,
}

/// A new certificate, with its key.
pub struct Issued {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key in PKCS #8. Secret.
    pub key_pem: String,
    /// The end of its validity, as text.
    pub valid_to: String,
}

impl Authority {
    /// Creates an authority that is valid for [`CA_YEARS`] from `now`.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Clock`] if a certificate cannot hold the date `now`. [`AuthorityError::Make`] if the machine provides no
    /// random numbers.
    pub fn create(now: SystemTime) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let not_after = period(&mut params, now, DAY * 365 * CA_YEARS, LATEST)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Each authority has its own name. With the same name, a file from the wrong authority would look like a forged one.
        let mark: String = params
            .key_identifier(&key)
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        params.distinguished_name = common_name(&format!("beamway authority {mark}"));
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate_pem,
            not_after,
        })
    }

    /// Loads an authority from its two files, which other tools may have created.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::File`] if a file is malformed or is not that of an authority, [`AuthorityError::KeyMismatch`] and
    /// [`AuthorityError::Expired`].
    pub fn from_pem(certificate: &[u8], key: &[u8], now: SystemTime) -> Result<Self, AuthorityError> {
        let bad = |file, reason: String| AuthorityError::File { file, reason };
        let der = CertificateDer::from_pem_slice(certificate).map_err(|error| bad(CA_FILE, error.to_string()))?;
        let facts = Facts::read(&der).map_err(|reason| bad(CA_FILE, reason))?;
        if !facts.is_authority {
            return Err(bad(
                CA_FILE,
                "not the certificate of an authority (no `CA:TRUE`)".to_owned(),
            ));
        }
        if let Some(reason) = facts.unfit_issuer {
            return Err(bad(CA_FILE, reason));
        }
        let key = std::str::from_utf8(key)
            .map_err(|error| error.to_string())
            .and_then(|text| KeyPair::from_pem(text).map_err(|error| error.to_string()))
            .map_err(|reason| bad(CA_KEY_FILE, reason))?;
        if key.subject_public_key_info() != facts.public_key {
            return Err(AuthorityError::KeyMismatch);
        }
        if facts.not_after <= x509::seconds(now) {
            return Err(AuthorityError::Expired(x509::date(facts.not_after)));
        }
        let certificate_pem = String::from_utf8_lossy(certificate).into_owned();
        Ok(Self {
            issuer: Issuer::from_ca_cert_der(&der, key)?,
            certificate_pem,
            not_after: facts.not_after,
        })
    }

    /// The certificate of the authority, for `ca.pem` on every host.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The end of its validity.
    pub(super) fn valid_until(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(self.not_after).unwrap_or(0))
    }

    /// Signs a list of revoked certificates.
    pub(super) fn sign_list(&self, list: &CertificateRevocationListParams) -> Result<String, rcgen::Error> {
        list.signed_by(&self.issuer)?.pem()
    }

    /// The key of the authority in PKCS #8. Secret: its holder can impersonate any daemon.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// As [`Authority::issue_with_hosts`], without further hosts.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Name`], [`AuthorityError::Days`] and [`AuthorityError::Make`].
    #[cfg(any(test, feature = "internals"))]
    pub fn issue(&self, name: &str, days: u32, now: SystemTime) -> Result<Issued, AuthorityError> {
        self.issue_with_hosts(name, &[], days, now)
    }

    /// Creates a key and a certificate for the daemon `name`. The certificate is valid for `days` from `now`, but not longer than
    /// the authority, and for both sides of a handshake. It contains the name, and the DNS names and IP addresses `hosts`: by
    /// default, the daemon may speak for the nodes of all of them.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Name`] and [`AuthorityError::Days`] for invalid arguments, also if a host is neither a DNS name nor an IP
    /// address, and [`AuthorityError::Make`].
    pub fn issue_with_hosts(
        &self,
        name: &str,
        hosts: &[String],
        days: u32,
        now: SystemTime,
    ) -> Result<Issued, AuthorityError> {
        let name = daemon_name(name)?;
        let mut names = vec![name.clone()];
        for host in hosts {
            let host = host_name(host)?;
            if !names.contains(&host) {
                names.push(host);
            }
        }
        if !(1..=LEAF_DAYS_MAX).contains(&days) {
            return Err(AuthorityError::Days {
                days,
                max: LEAF_DAYS_MAX,
            });
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        let not_after = period(&mut params, now, DAY * days, self.not_after)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        // X.520 limits a common name to 64 characters. The subject is for people; only the SAN counts.
        params.distinguished_name = common_name(&name.chars().take(64).collect::<String>());
        Ok(Issued {
            certificate_pem: params.signed_by(&key, &self.issuer)?.pem(),
            key_pem: key.serialize_pem(),
            valid_to: x509::date(not_after),
        })
    }
}

/// Sets the validity from a little before `now` to `length` after it, but at most to `latest`. Returns its end.
fn period(
    params: &mut CertificateParams,
    now: SystemTime,
    length: Duration,
    latest: i64,
) -> Result<i64, AuthorityError> {
    let end = now.checked_add(length).ok_or(AuthorityError::Clock)?;
    let begin = now.checked_sub(BACKDATE).ok_or(AuthorityError::Clock)?;
    if x509::seconds(begin) == 0 || x509::seconds(end) > LATEST {
        return Err(AuthorityError::Clock);
    }
    let end = x509::seconds(end).min(latest);
    let since = Duration::from_secs(u64::try_from(end).map_err(|_| AuthorityError::Clock)?);
    params.not_before = begin.into();
    params.not_after = (SystemTime::UNIX_EPOCH + since).into();
    Ok(end)
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}
