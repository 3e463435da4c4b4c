use std::sync::LazyLock;
use std::time::Duration;
use std::time::SystemTime;

use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::support::Files;
use super::support::issue;
use crate::tls::Authority;
use crate::tls::Identity;
use crate::tls::PeerCertificate;
use crate::tls::PemFiles;

struct Sample {
    files: Files,
    authority_key: String,
    now: SystemTime,
}

static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200);
    let authority = Authority::create(now).expect("an authority");
    Sample {
        files: issue(&authority, "left", now),
        authority_key: authority.key_pem(),
        now,
    }
});

/// One way to damage bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Replace(Vec<u8>),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len().max(1);
        match self {
            Self::Flip(at, bits) => {
                if let Some(byte) = bytes.get_mut(at % len) {
                    *byte ^= bits;
                }
            }
            Self::Cut(at) => bytes.truncate(at % len),
            Self::Insert(at, piece) => {
                let at = (at % len).min(bytes.len());
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Replace(other) => bytes.clone_from(other),
        }
    }
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let piece = || prop::collection::vec(any::<u8>(), 0..64);
    let one = prop_oneof![
        4 => (any::<usize>(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        2 => any::<usize>().prop_map(Damage::Cut),
        2 => (any::<usize>(), piece()).prop_map(|(at, piece)| Damage::Insert(at, piece)),
        1 => piece().prop_map(Damage::Replace),
    ];
    prop::collection::vec(one, 1..4)
}

fn spoil(bytes: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damage {
        damage.apply(&mut bytes);
    }
    bytes
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for chunk in der.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                text.push(char::from(ALPHABET[(group >> (18 - 6 * place)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text.into_bytes()
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .expect("a certificate")
        .to_vec()
}

fn load(authorities: &[u8], certificate: &[u8], key: &[u8]) -> bool {
    let files = PemFiles {
        authorities,
        certificate,
        key,
        revoked: b"",
    };
    match Identity::load(&files, "left", SAMPLE.now) {
        Ok(_) => true,
        Err(errors) => {
            assert!(!errors.0.is_empty() && !errors.to_string().is_empty());
            false
        }
    }
}

#[test]
fn undamaged_files_hold() {
    let files = &SAMPLE.files;
    let certificate = pem("CERTIFICATE", &der(&files.certificate));
    assert!(load(files.authorities.as_bytes(), &certificate, files.key.as_bytes()));
}

#[test]
fn an_authority_with_any_bit_flipped_never_panics() {
    let whole = der(&SAMPLE.files.authorities);
    let mut loaded = 0;
    for at in 0..whole.len() {
        for bit in 0..8 {
            let spoilt = pem("CERTIFICATE", &spoil(&whole, &[Damage::Flip(at, 1 << bit)]));
            if let Ok(authority) = Authority::from_pem(&spoilt, SAMPLE.authority_key.as_bytes(), SAMPLE.now) {
                let _ = authority.issue("left", 1, SAMPLE.now);
                loaded += 1;
            }
        }
    }
    assert!(
        loaded > 0,
        "some flips hit parts that nobody reads, and those reach `issue`"
    );
}

proptest! {
    #[test]
    fn damaged_files_are_refused_or_the_same(which in 0..3_usize, damage in damage()) {
        let files = &SAMPLE.files;
        let mut parts = [&files.authorities, &files.certificate, &files.key].map(|text| text.as_bytes().to_vec());
        parts[which] = spoil(&parts[which], &damage);
        // Damage outside the sections has no effect. All other damage must be detected, without a panic.
        load(&parts[0], &parts[1], &parts[2]);
    }

    #[test]
    fn a_certificate_with_damaged_contents_is_refused(damage in damage()) {
        let files = &SAMPLE.files;
        let whole = der(&files.certificate);
        let spoilt = spoil(&whole, &damage);
        let same = spoilt == whole;
        prop_assert_eq!(load(files.authorities.as_bytes(), &pem("CERTIFICATE", &spoilt), files.key.as_bytes()), same);
        let _ = PeerCertificate::from_chain(&[CertificateDer::from(spoilt)]);
    }

    #[test]
    fn a_damaged_authority_never_signs_by_accident(certificate in damage(), key in damage()) {
        let whole = der(&SAMPLE.files.authorities);
        let spoilt = pem("CERTIFICATE", &spoil(&whole, &certificate));
        let _ = load(&spoilt, SAMPLE.files.certificate.as_bytes(), SAMPLE.files.key.as_bytes());
        if let Ok(authority) = Authority::from_pem(&spoilt, SAMPLE.authority_key.as_bytes(), SAMPLE.now) {
            let _ = authority.issue("left", 1, SAMPLE.now);
        }
        let key = spoil(SAMPLE.authority_key.as_bytes(), &key);
        let _ = Authority::from_pem(SAMPLE.files.authorities.as_bytes(), &key, SAMPLE.now);
    }
}
