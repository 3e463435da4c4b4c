use std::sync::Arc;
use std::time::Duration;

use rustls::AlertDescription;
use rustls::CertificateError;
use rustls::Error;
use rustls::OtherError;
use rustls_pki_types::ServerName;
use rustls_pki_types::UnixTime;

use crate::tls::explain;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// The texts are those of the rustls that is linked: a new one that says it differently fails here.
#[test]
fn times_are_dates_and_names_of_variants_are_sentences() {
    let expired = CertificateError::ExpiredContext {
        time: at(1_795_219_200),
        not_after: at(1_795_132_800),
    };
    let early = CertificateError::NotValidYetContext {
        time: at(1_795_132_800),
        not_before: at(1_795_219_200),
    };
    let name = CertificateError::NotValidForNameContext {
        expected: ServerName::try_from("rihgt").expect("a name"),
        presented: vec!["DnsName(\"right\")".to_owned(), "IpAddress(10.0.0.2)".to_owned()],
    };
    let authority = CertificateError::Other(OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity)));
    for (error, clear) in [
        (
            expired,
            "the peer's certificate: certificate expired: by our clock it is 2026-11-21 00:00:00 UTC, but certificate is \
             not valid after 2026-11-20 00:00:00 UTC (86400 seconds ago); check the clocks of both hosts",
        ),
        (
            early,
            "the peer's certificate: certificate not valid yet: by our clock it is 2026-11-20 00:00:00 UTC, but \
             certificate is not valid before 2026-11-21 00:00:00 UTC (86400 seconds in future); check the clocks of both hosts",
        ),
        (
            name,
            "the certificate at this address is not for the name \"rihgt\", but for `right` or `10.0.0.2`; correct `name` or \
             `address` of the [[peer]]",
        ),
        (
            authority,
            "the peer presents the certificate of an authority (CA:TRUE); it needs one of its own (`beamway certs issue`)",
        ),
        (
            CertificateError::UnknownIssuer,
            "the peer's certificate is not signed by an authority in our ca.pem",
        ),
    ] {
        assert_eq!(explain(&Error::InvalidCertificate(error).to_string(), false), clear);
    }
    let told = explain(
        &Error::AlertReceived(AlertDescription::CertificateExpired).to_string(),
        false,
    );
    assert!(
        told.starts_with("the peer refused our certificate: it has expired"),
        "{told}"
    );
    assert_eq!(explain("timed out", true), "timed out");
    assert_eq!(explain("verification time soon", false), "verification time soon");
}

/// A peer that refuses our certificate sends the text that is in its own log, and means ours.
#[test]
fn what_a_peer_says_about_our_certificate_is_turned_round() {
    let name = CertificateError::NotValidForNameContext {
        expected: ServerName::try_from("rihgt").expect("a name"),
        presented: vec!["DnsName(\"right\")".to_owned()],
    };
    let expired = CertificateError::ExpiredContext {
        time: at(1_795_219_200),
        not_after: at(1_795_132_800),
    };
    for (error, clear) in [
        (
            name,
            "our certificate is not for the name \"rihgt\", but for `right`; the peer has another `name` in its [[peer]] for us",
        ),
        (
            expired,
            "our certificate: certificate expired: by the peer's clock it is 2026-11-21 00:00:00 UTC, but certificate is not \
             valid after 2026-11-20 00:00:00 UTC (86400 seconds ago); check the clocks of both hosts",
        ),
        (
            CertificateError::UnknownIssuer,
            "our certificate is not signed by an authority in the peer's ca.pem",
        ),
    ] {
        assert_eq!(explain(&Error::InvalidCertificate(error).to_string(), true), clear);
    }
}
