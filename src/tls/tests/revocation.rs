use rcgen::KeyPair;

use super::support::DAY;
use super::support::Files;
use super::support::foreign_files;
use super::support::foreign_leaf;
use super::support::issue;
use crate::tls::Authority;
use crate::tls::Identity;
use crate::tls::NotTrusted;
use crate::tls::PemFiles;

fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

fn load(files: &Files, name: &str, revoked: &str) -> Result<Identity, Vec<String>> {
    let files = PemFiles {
        authorities: files.authorities.as_bytes(),
        certificate: files.certificate.as_bytes(),
        key: files.key.as_bytes(),
        revoked: revoked.as_bytes(),
    };
    Identity::load(&files, name, now()).map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
}

#[test]
fn a_certificate_is_trusted_until_it_is_revoked_or_expires_or_its_authority_goes() {
    let authority = Authority::create(now()).expect("an authority");
    let another = Authority::create(now()).expect("an authority");
    let [left, right, third] = ["left", "right", "third"].map(|name| issue(&authority, name, now()));
    let chain = |name: &str, files: &Files| load(files, name, "").expect("good files").chain().to_vec();
    let (of_right, of_third) = (chain("right", &right), chain("third", &third));
    let first = authority
        .revoke(None, &[right.certificate.clone().into()], now())
        .expect("a list");
    let second = authority
        .revoke(Some(first.as_bytes()), &[third.certificate.clone().into()], now())
        .expect("a list");
    let check = |revoked: &str, chain, at| {
        load(&left, "left", revoked)
            .expect("good files")
            .trust()
            .expect("authorities")
            .check(chain, at)
    };
    assert_eq!(check("", &of_right, now()), Ok(()));
    assert_eq!(check("", &of_right, now() + 91 * DAY), Err(NotTrusted::Expired));
    assert_eq!(check(&first, &of_right, now()), Err(NotTrusted::Revoked));
    assert_eq!(check(&first, &of_third, now()), Ok(()));
    for chain in [&of_right, &of_third] {
        assert_eq!(
            check(&second, chain, now()),
            Err(NotTrusted::Revoked),
            "the second list has the first one, too"
        );
    }
    // A list of another authority says nothing about these, and one beyond its time still counts.
    let foreign = another
        .revoke(None, &[right.certificate.clone().into()], now())
        .expect("a list");
    assert_eq!(check(&foreign, &of_right, now()), Ok(()));
    assert_eq!(check(&(foreign + &first), &of_right, now()), Err(NotTrusted::Revoked));
    let other = issue(&another, "other", now());
    let unknown = load(&left, "left", "")
        .expect("good files")
        .trust()
        .expect("authorities");
    assert!(matches!(
        unknown.check(&chain("other", &other), now()),
        Err(NotTrusted::Other(_))
    ));
    assert!(matches!(unknown.check(&[], now()), Err(NotTrusted::Other(_))));
}

#[test]
fn mistakes_in_a_list_and_an_own_certificate_in_it_are_told() {
    let authority = Authority::create(now()).expect("an authority");
    let left = issue(&authority, "left", now());
    let list = authority
        .revoke(None, &[left.certificate.clone().into()], now())
        .expect("a list");
    for (revoked, told) in [
        (list.as_str(), "cert.pem: revoked by crl.pem"),
        ("nothing", "crl.pem: it contains no section"),
        (&list.replace('M', "N"), "crl.pem: "),
        (&left.certificate, "crl.pem: it contains no section"),
    ] {
        let mistakes = load(&left, "left", revoked).expect_err("a mistake");
        assert!(
            mistakes.iter().any(|mistake| mistake.starts_with(told)),
            "{told}: {mistakes:?}"
        );
    }
    let key = KeyPair::generate().expect("a key");
    let foreign = foreign_files(&foreign_leaf(&["left"], now()), &key, now());
    let serial = authority
        .revoke(None, &[foreign.certificate.clone().into()], now())
        .expect("a list");
    load(&foreign, "left", &serial).expect("a list of an authority that has not signed it");
    let refused = authority
        .revoke(Some(b"damage"), &[], now())
        .map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.starts_with("crl.pem")));
}
