use std::time::Duration;
use std::time::SystemTime;

use rcgen::CertifiedIssuer;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::support::DAY;
use super::support::Files;
use super::support::foreign_authority;
use super::support::foreign_files;
use super::support::foreign_leaf;
use super::support::issue;
use super::support::signed;
use crate::tls::Authority;
use crate::tls::AuthorityError;
use crate::tls::CA_YEARS;
use crate::tls::LEAF_DAYS_MAX;
use crate::tls::PeerCertificate;

/// 2026-11-21, an arbitrary date.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200)
}

fn authority() -> Authority {
    Authority::create(now()).expect("an authority")
}

fn good() -> Files {
    issue(&authority(), "left", now())
}

/// Checks that there is exactly one mistake, whose message begins with the file and contains `piece`.
fn only(files: &Files, name: &str, at: SystemTime, file: &str, piece: &str) {
    let mistakes = files.mistakes(name, at);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(
        mistakes[0].starts_with(file) && mistakes[0].contains(piece),
        "{mistakes:?}"
    );
}

#[test]
fn what_the_authority_issues_is_an_identity() {
    let identity = good().load("LEFT", now()).expect("good files");
    assert_eq!(identity.name(), "left");
    assert_eq!(identity.chain().len(), 1);
    assert_eq!(identity.valid_until(), now() + 90 * DAY);
    assert_eq!(identity.valid_until_text(), "2027-02-19 00:00:00 UTC");
    let debug = format!("{identity:?}");
    assert!(debug.contains("left") && !debug.contains("key"), "{debug}");
}

#[test]
fn an_authority_is_loaded_again_and_issues_what_the_first_one_trusts() {
    let first = authority();
    let again = Authority::from_pem(first.certificate_pem().as_bytes(), first.key_pem().as_bytes(), now());
    let mut files = issue(&again.expect("the same authority"), "right", now());
    files.authorities = first.certificate_pem().to_owned();
    files.load("right", now()).expect("a certificate of the same authority");
}

#[test]
fn serial_numbers_and_keys_differ() {
    let authority = authority();
    let (one, two) = (issue(&authority, "a", now()), issue(&authority, "a", now()));
    assert_ne!(one.key, two.key);
    let serial = |files: &Files| {
        let der = CertificateDer::from_pem_slice(files.certificate.as_bytes()).expect("a certificate");
        webpki::EndEntityCert::try_from(&der)
            .expect("a certificate")
            .serial()
            .to_vec()
    };
    assert_ne!(serial(&one), serial(&two));
    assert!(serial(&one).len() >= 16, "at least 128 bits, nearly always 160");
}

#[test]
fn a_certificate_never_outlives_its_authority() {
    let authority = authority();
    let late = now() + DAY * (365 * CA_YEARS - 5);
    let files = issue(&authority, "left", late);
    let identity = files.load("left", late).expect("still valid");
    assert_eq!(identity.valid_until(), now() + DAY * 365 * CA_YEARS);
    let after = late + 6 * DAY;
    let key = authority.key_pem();
    let loaded = Authority::from_pem(authority.certificate_pem().as_bytes(), key.as_bytes(), after);
    assert!(matches!(loaded, Err(AuthorityError::Expired(_))));
}

#[test]
fn an_authority_refuses_what_it_cannot_sign() {
    let authority = authority();
    let error = |name: &str, days| authority.issue(name, days, now()).err().expect("refused").to_string();
    assert!(error("a b", 1).contains("cannot name a daemon"));
    assert!(error("a", 0).contains("1 to 825 days"));
    assert!(error("a", LEAF_DAYS_MAX + 1).contains("1 to 825 days"));
    assert!(authority.issue("a", LEAF_DAYS_MAX, now()).is_ok());
    for clock in [
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800),
    ] {
        assert!(matches!(Authority::create(clock), Err(AuthorityError::Clock)));
    }
}

#[test]
fn the_files_of_an_authority_must_fit() {
    let (one, two) = (authority(), authority());
    let load = |certificate: &str, key: &str| Authority::from_pem(certificate.as_bytes(), key.as_bytes(), now()).err();
    assert!(matches!(
        load(one.certificate_pem(), &two.key_pem()),
        Some(AuthorityError::KeyMismatch)
    ));
    let leaf = issue(&one, "left", now());
    let message = |certificate: &str, key: &str| load(certificate, key).expect("refused").to_string();
    assert!(message(&leaf.certificate, &leaf.key).starts_with("ca.pem: not the certificate of an authority"));
    assert!(message("", &one.key_pem()).starts_with("ca.pem: "));
    assert!(message(one.certificate_pem(), "").starts_with("ca-key.pem: "));
}

#[test]
fn time_is_checked_on_both_ends() {
    let files = good();
    let hour = Duration::from_secs(60 * 60);
    files.load("left", now() - hour).expect("begins an hour early");
    only(
        &files,
        "left",
        now() - hour - DAY / 2,
        "ca.pem",
        "it is 2026-11-20 11:00:00 UTC, and certificate 1 is valid from 2026-11-20 23:00:00 UTC",
    );
    only(
        &files,
        "left",
        now() + 91 * DAY,
        "cert.pem",
        "expired on 2027-02-19 00:00:00 UTC, and it is 2027-02-20 00:00:00 UTC;",
    );
    let early = foreign_leaf(&["left"], now() + 5 * DAY);
    let files = foreign_files(&early, &KeyPair::generate().expect("a key"), now());
    only(&files, "left", now(), "cert.pem", "not valid before 2026-11-25");
}

#[test]
fn the_name_must_be_in_the_certificate() {
    only(
        &good(),
        "right",
        now(),
        "cert.pem",
        "issued for `left`, not for `right`",
    );
    let key = KeyPair::generate().expect("a key");
    let files = foreign_files(&foreign_leaf(&[], now()), &key, now());
    only(&files, "left", now(), "cert.pem", "no DNS name at all");
    // A wildcard names no daemon, although TLS would accept it.
    let files = foreign_files(&foreign_leaf(&["*.example.com"], now()), &key, now());
    only(
        &files,
        "left.example.com",
        now(),
        "cert.pem",
        "issued for the wildcard `*.example.com`, which names no single daemon, not for `left.example.com`",
    );
    let several = foreign_leaf(&["one.example.com", "Left.example.com"], now());
    foreign_files(&several, &key, now())
        .load("left.example.com", now())
        .expect("one of several names, in any case");
    let mut params = foreign_leaf(&["10.0.0.1"], now());
    let uri = "spiffe://example.com/beam/left".try_into().expect("ASCII");
    params.subject_alt_names.push(rcgen::SanType::URI(uri));
    only(
        &foreign_files(&params, &key, now()),
        "left",
        now(),
        "cert.pem",
        "issued for the IP address `10.0.0.1`, the URI `spiffe://example.com/beam/left`, not for `left`",
    );
}

#[test]
fn hosts_of_a_certificate_are_its_names_and_addresses() {
    let authority = authority();
    let hosts = ["Host1.example.com", "10.0.0.1", "FD00:0::1", "left"].map(str::to_owned);
    let issued = authority
        .issue_with_hosts("Left", &hosts, 1, now())
        .expect("a certificate");
    let files = Files {
        authorities: authority.certificate_pem().to_owned(),
        certificate: issued.certificate_pem,
        key: issued.key_pem,
    };
    let identity = files.load("left", now()).expect("good files");
    assert_eq!(identity.hosts(), ["left", "host1.example.com", "10.0.0.1", "fd00::1"]);
    files.load("10.0.0.1", now()).expect_err("an address names no daemon");
    for bad in ["*.example.com", "a b", "", "host1:80", "a@b"] {
        let refused = authority.issue_with_hosts("left", &[bad.to_owned()], 1, now()).err();
        assert!(matches!(refused, Some(AuthorityError::Name(_))), "{bad}");
    }
}

#[test]
fn the_certificate_of_an_authority_is_no_daemons() {
    let key = KeyPair::generate().expect("a key");
    let mut params = foreign_leaf(&["left"], now());
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    only(
        &foreign_files(&params, &key, now()),
        "left",
        now(),
        "cert.pem",
        "the first certificate is that of an authority (CA:TRUE)",
    );
}

#[test]
fn key_certificate_and_authority_must_belong_together() {
    let (one, two) = (good(), good());
    let files = Files {
        key: two.key.clone(),
        ..one.clone()
    };
    only(&files, "left", now(), "key.pem", "does not belong");
    let files = Files {
        authorities: two.authorities,
        ..one.clone()
    };
    only(
        &files,
        "left",
        now(),
        "cert.pem",
        "not signed by an authority in ca.pem",
    );
    let files = Files {
        authorities: one.certificate.clone(),
        ..one
    };
    only(&files, "left", now(), "ca.pem", "certificate 1 is not a CA");
}

#[test]
fn both_uses_are_needed() {
    let key = KeyPair::generate().expect("a key");
    for (held, missing) in [
        (ExtendedKeyUsagePurpose::ServerAuth, "clientAuth"),
        (ExtendedKeyUsagePurpose::ClientAuth, "serverAuth"),
    ] {
        let mut params = foreign_leaf(&["left"], now());
        params.extended_key_usages = vec![held];
        let files = foreign_files(&params, &key, now());
        only(
            &files,
            "left",
            now(),
            "cert.pem",
            &format!("may not be used for {missing}"),
        );
    }
    let mut params = foreign_leaf(&["left"], now());
    params.extended_key_usages = Vec::new();
    foreign_files(&params, &key, now())
        .load("left", now())
        .expect("no list of uses allows all (RFC 5280 §4.2.1.12)");
}

#[test]
fn keys_of_other_kinds_are_taken() {
    for algorithm in [
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let files = foreign_files(&foreign_leaf(&["left"], now()), &key, now());
        files
            .load("left", now())
            .unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
    }
}

#[test]
fn chains_with_intermediates_hold_only_when_complete() {
    let root = KeyPair::generate().expect("a key");
    let root = CertifiedIssuer::self_signed(foreign_authority("root", now()), root).expect("an authority");
    let middle = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    let middle = CertifiedIssuer::signed_by(foreign_authority("middle", now()), middle, &root).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let mut files = signed(&middle, &foreign_leaf(&["left"], now()), &key);
    files.authorities = root.pem();
    only(&files, "left", now(), "cert.pem", "append the missing intermediate");
    files.certificate.push_str(&middle.pem());
    assert_eq!(files.load("left", now()).expect("complete").chain().len(), 2);
    // The leaf must come first. Otherwise the key does not match and the name is missing.
    files.certificate = format!("{}{}", middle.pem(), files.certificate);
    assert!(
        files
            .mistakes("left", now())
            .iter()
            .any(|text| text.starts_with("key.pem"))
    );
}

#[test]
fn authorities_change_over_with_an_old_one_beside_the_new() {
    let (old, new) = (
        authority(),
        Authority::create(now() + 3650 * DAY).expect("an authority"),
    );
    let then = now() + 3651 * DAY;
    let mut files = issue(&new, "left", then);
    files.authorities = format!("{}\n{}", old.certificate_pem(), files.authorities);
    assert_eq!(
        files.load("left", then).expect("the new one holds").authorities().len(),
        1
    );
    let mut files = issue(&old, "left", now());
    files.authorities = format!("{}\n{}", authority().certificate_pem(), files.authorities);
    assert_eq!(files.load("left", now()).expect("both hold").authorities().len(), 2);
    let stale = issue(&old, "left", now());
    let mistakes = stale.mistakes("left", then);
    assert!(
        mistakes
            .iter()
            .any(|text| text.contains("contains no authority that is valid now")),
        "{mistakes:?}"
    );
}

#[test]
fn files_that_are_something_else_are_named() {
    let good = good();
    let with = |authorities: &str, certificate: &str, key: &str| Files {
        authorities: authorities.to_owned(),
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let (ca, cert, key) = (good.authorities.as_str(), good.certificate.as_str(), good.key.as_str());
    only(&with("", cert, key), "left", now(), "ca.pem", "no certificate");
    only(&with(ca, key, key), "left", now(), "cert.pem", "no certificate");
    only(&with(ca, cert, cert), "left", now(), "key.pem", "no private key");
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    only(
        &with(ca, junk, key),
        "left",
        now(),
        "cert.pem",
        "certificate 1 cannot be read",
    );
    only(
        &with(junk, cert, key),
        "left",
        now(),
        "ca.pem",
        "certificate 1 cannot be read",
    );
    let cut = &cert[..cert.len() / 2];
    only(&with(ca, cut, key), "left", now(), "cert.pem", "");
    let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    only(&with(ca, cert, junk), "left", now(), "key.pem", "cannot be used");
    only(
        &with(ca, cert, &"#".repeat((1 << 20) + 1)),
        "left",
        now(),
        "key.pem",
        "at most 1048576 are allowed",
    );
    only(
        &with(&ca.repeat(65), cert, key),
        "left",
        now(),
        "ca.pem",
        "65 certificates",
    );
    only(
        &with(ca, &cert.repeat(9), key),
        "left",
        now(),
        "cert.pem",
        "9 certificates",
    );
    // Other sections of a file are ignored: some tools put key and certificate into one file.
    let together = format!("{key}{cert}");
    with(ca, &together, &together)
        .load("left", now())
        .expect("sections are told apart");
}

#[test]
fn mistakes_do_not_hide_each_other() {
    let files = Files {
        authorities: good().authorities,
        key: String::new(),
        ..good()
    };
    let mistakes = files.mistakes("right", now() + 100 * DAY);
    for piece in ["not signed by", "no private key", "not for `right`", "expired on"] {
        assert!(
            mistakes.iter().any(|text| text.contains(piece)),
            "{piece}: {mistakes:?}"
        );
    }
}

#[test]
fn a_peer_is_known_by_the_names_of_its_first_certificate() {
    let params = foreign_leaf(&["Right.example.com", "r2", "*.w.example"], now());
    let files = foreign_files(&params, &KeyPair::generate().expect("a key"), now());
    let read = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let chain = [read(&files.certificate), read(&files.authorities)];
    let peer = PeerCertificate::from_chain(&chain).expect("a certificate");
    assert_eq!(peer.names(), ["right.example.com", "r2"]);
    assert_eq!(peer.hosts(), peer.names(), "a wildcard names no host");
    assert!(peer.carries("RIGHT.example.com") && peer.carries("r2"));
    for name in ["right", "example.com", "a.w.example", "*.w.example", "", "root"] {
        assert!(!peer.carries(name), "{name}");
    }
    assert!(PeerCertificate::from_chain(&[]).is_err());
    assert!(PeerCertificate::from_chain(&[CertificateDer::from(vec![0x30, 0])]).is_err());
}
