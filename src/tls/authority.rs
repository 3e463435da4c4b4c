use std::time::Duration;
use std::time::SystemTime;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
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
use super::x509;
use super::x509::Facts;

/// How long a new authority lives, years. Replacing it means touching every host, so it outlives the hardware.
pub const CA_YEARS: u32 = 10;

/// How long a certificate of a daemon is valid unless told otherwise, days. Without revocation a stolen key is of use
/// for this long; three months is what public authorities settled on as still bearable by hand.
pub const LEAF_DAYS_DEFAULT: u32 = 90;

/// Longest validity of a certificate, days: the most that common verifiers accept (825, CA/Browser Forum ballot 193).
pub const LEAF_DAYS_MAX: u32 = 825;

/// Certificates begin this much in the past: clocks of two hosts differ, and nobody waits for a new certificate.
const BACKDATE: Duration = Duration::from_secs(60 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Last second of the year 9999, the latest date a certificate can hold (RFC 5280 §4.1.2.5), seconds since 1970.
const LATEST: i64 = 253_402_300_799;

/// Names of the authority's files in messages.
const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca-key.pem";

/// A certificate authority of one's own: a key (ECDSA P-256) and its self-signed certificate.
///
/// It signs daemons, not other authorities (path length 0). Serial numbers are 160 bits of the hash of the new key,
/// hence as random as the key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    /// Last moment of the authority, seconds since 1970.
    not_after: i64,
}

/// A certificate just issued, with its key.
pub struct Issued {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key, PKCS #8. Secret.
    pub key_pem: String,
    /// Last day of validity, for people.
    pub valid_to: String,
}

impl Authority {
    /// Makes a new authority, valid for [`CA_YEARS`] from `now`.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Clock`] when `now` cannot stand in a certificate, [`AuthorityError::Make`] when the machine gives
    /// no randomness.
    pub fn create(now: SystemTime) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let not_after = period(&mut params, now, DAY * 365 * CA_YEARS, LATEST)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Two authorities of the same name would make a mixed-up file look like a forged one.
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

    /// Loads an authority from its two files; also one made by other tools.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::File`] for what cannot be read or is no authority, [`AuthorityError::KeyMismatch`] and
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

    /// The key of the authority, PKCS #8. Secret: whoever has it can be any daemon.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Makes a key and a certificate for the daemon `name`, valid for `days` from `now` but never longer than the
    /// authority itself. It serves for both sides of a handshake and carries one DNS name.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Name`] and [`AuthorityError::Days`] for bad arguments; [`AuthorityError::Make`].
    pub fn issue(&self, name: &str, days: u32, now: SystemTime) -> Result<Issued, AuthorityError> {
        let name = daemon_name(name)?;
        if !(1..=LEAF_DAYS_MAX).contains(&days) {
            return Err(AuthorityError::Days {
                days,
                max: LEAF_DAYS_MAX,
            });
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.clone()])?;
        let not_after = period(&mut params, now, DAY * days, self.not_after)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        // X.520 bounds a common name to 64 characters; the subject is for people, the name that counts is the SAN.
        params.distinguished_name = common_name(&name.chars().take(64).collect::<String>());
        Ok(Issued {
            certificate_pem: params.signed_by(&key, &self.issuer)?.pem(),
            key_pem: key.serialize_pem(),
            valid_to: x509::date(not_after),
        })
    }
}

/// Sets the validity from a little before `now` to `length` after it, at most to `latest`; gives its end.
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
