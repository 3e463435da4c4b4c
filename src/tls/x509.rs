use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;
use x509_parser::time::ASN1Time;
#[cfg(any(test, feature = "daemon"))]
use x509_parser::x509::X509Name;

/// What the checks need of a certificate beyond what the verifier of rustls tells.
pub(super) struct Facts {
    /// First moment of validity, seconds since 1970.
    pub(super) not_before: i64,
    /// Last moment of validity, seconds since 1970.
    pub(super) not_after: i64,
    /// Whether it may sign others.
    pub(super) is_authority: bool,
    /// The subject's public key, as DER.
    #[cfg(any(test, feature = "daemon"))]
    pub(super) public_key: Vec<u8>,
    /// Why its subject cannot stand as the issuer of certificates made here; `None` when it can.
    #[cfg(any(test, feature = "daemon"))]
    pub(super) unfit_issuer: Option<String>,
}

impl Facts {
    /// Reads one certificate; the error is the reader's reason.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err(format!("{} bytes after its end", rest.len()));
        }
        Ok(Self {
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            is_authority: parsed.is_ca(),
            #[cfg(any(test, feature = "daemon"))]
            public_key: parsed.public_key().raw.to_vec(),
            #[cfg(any(test, feature = "daemon"))]
            unfit_issuer: unfit_issuer(parsed.subject()).err(),
        })
    }

    /// Whether `now`, in seconds since 1970, lies within the validity.
    pub(super) fn valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// Whether `rcgen` writes `subject` as it read it: it keeps one value per attribute type, and panics over an empty set
/// and over an object identifier that has no encoding (ITU-T X.690 §8.19). The error says what stands against it.
#[cfg(any(test, feature = "daemon"))]
fn unfit_issuer(subject: &X509Name<'_>) -> Result<(), String> {
    let mut seen = Vec::new();
    for attributes in subject.iter() {
        let mut attributes = attributes.iter();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
            return Err("its subject has a part without exactly one attribute".to_owned());
        };
        let kind: Vec<u64> = attribute.attr_type().iter().into_iter().flatten().collect();
        let encodable = matches!(kind[..], [0 | 1, 0..=39, ..] | [2, 0..=175, ..]);
        if !encodable {
            return Err("its subject has an attribute of a malformed type".to_owned());
        }
        if seen.contains(&kind) {
            return Err("its subject has two attributes of the same type".to_owned());
        }
        seen.push(kind);
    }
    Ok(())
}

/// Seconds since 1970; a clock before that reads as 0, one beyond `i64` as its end.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A moment for people: `2027-02-19 03:12:00 UTC`.
pub(super) fn date(seconds: i64) -> String {
    let Ok(moment) = ASN1Time::from_timestamp(seconds).map(|time| time.to_datetime()) else {
        return format!("{seconds} s after 1970");
    };
    format!(
        "{}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        moment.year(),
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}
