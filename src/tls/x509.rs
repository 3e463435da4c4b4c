use std::net::IpAddr;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::GeneralName;
use x509_parser::prelude::X509Certificate;
use x509_parser::time::ASN1Time;
#[cfg(any(test, feature = "daemon"))]
use x509_parser::x509::X509Name;

/// The properties of a certificate that the checks need and rustls's verifier does not provide.
pub(super) struct Facts {
    /// The start of the validity, in seconds since 1970.
    pub(super) not_before: i64,
    /// The end of the validity, in seconds since 1970.
    pub(super) not_after: i64,
    /// Whether the certificate may sign others.
    pub(super) is_authority: bool,
    /// The IP addresses among the subject alternative names.
    pub(super) addresses: Vec<IpAddr>,
    /// The subject alternative names that are neither DNS names nor addresses, and wildcards, each with its kind.
    pub(super) other_names: Vec<String>,
    /// The subject's public key in DER.
    #[cfg(any(test, feature = "daemon"))]
    pub(super) public_key: Vec<u8>,
    /// Why its subject cannot be used as the issuer of new certificates; `None` if it can.
    #[cfg(any(test, feature = "daemon"))]
    pub(super) unfit_issuer: Option<String>,
}

impl Facts {
    /// Reads one certificate. The error is the parser's reason.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err(format!("{} bytes after its end", rest.len()));
        }
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names.map_or(&[][..], |names| &names.value.general_names);
        Ok(Self {
            addresses: names.iter().filter_map(address).collect(),
            other_names: names.iter().filter_map(other_name).collect(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            is_authority: parsed.is_ca(),
            #[cfg(any(test, feature = "daemon"))]
            public_key: parsed.public_key().raw.to_vec(),
            #[cfg(any(test, feature = "daemon"))]
            unfit_issuer: unfit_issuer(parsed.subject()).err(),
        })
    }

    /// Whether the certificate is valid at `now`, in seconds since 1970.
    pub(super) fn valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

fn address(name: &GeneralName<'_>) -> Option<IpAddr> {
    let GeneralName::IPAddress(bytes) = name else {
        return None;
    };
    let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok()
}

fn other_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) if name.contains('*') => {
            Some(format!("the wildcard `{name}`, which names no single daemon"))
        }
        GeneralName::DNSName(_) | GeneralName::IPAddress(_) => None,
        GeneralName::URI(uri) => Some(format!("the URI `{uri}`")),
        GeneralName::RFC822Name(mail) => Some(format!("the e-mail address `{mail}`")),
        _ => Some("a name of another kind".to_owned()),
    }
}

/// Checks that `rcgen` writes `subject` as it was read. `rcgen` keeps one value per attribute type, and panics if a set is empty
/// or an object identifier has no encoding (ITU-T X.690 §8.19). The error is the reason why it does not.
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

/// Seconds since 1970. Earlier times become 0, and times beyond the range of `i64` its maximum.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A time as text: `2027-02-19 03:12:00 UTC`.
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
