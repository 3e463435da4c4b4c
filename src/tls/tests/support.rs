use std::time::Duration;
use std::time::SystemTime;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::SigningKey;

use crate::tls::Authority;
use crate::tls::Identity;
use crate::tls::IdentityErrors;
use crate::tls::LEAF_DAYS_DEFAULT;
use crate::tls::PemFiles;

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The files of one daemon.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) authorities: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Files {
    pub(super) fn load(&self, name: &str, now: SystemTime) -> Result<Identity, IdentityErrors> {
        let files = PemFiles {
            authorities: self.authorities.as_bytes(),
            certificate: self.certificate.as_bytes(),
            key: self.key.as_bytes(),
            revoked: b"",
        };
        Identity::load(&files, name, now)
    }

    /// The messages of all mistakes.
    pub(super) fn mistakes(&self, name: &str, now: SystemTime) -> Vec<String> {
        let errors = self.load(name, now).expect_err("mistakes").0;
        errors.iter().map(ToString::to_string).collect()
    }
}

/// The files of a daemon, issued by an [`Authority`].
pub(super) fn issue(authority: &Authority, name: &str, now: SystemTime) -> Files {
    let issued = authority.issue(name, LEAF_DAYS_DEFAULT, now).expect("a certificate");
    Files {
        authorities: authority.certificate_pem().to_owned(),
        certificate: issued.certificate_pem,
        key: issued.key_pem,
    }
}

/// An identity issued by a new authority.
pub(super) fn identity(authority: &Authority, name: &str, now: SystemTime) -> Identity {
    issue(authority, name, now).load(name, now).expect("good files")
}

/// Parameters of an authority that another tool might create.
pub(super) fn foreign_authority(name: &str, now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.not_before = (now - DAY).into();
    params.not_after = (now + 30 * DAY).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// Parameters of a daemon's certificate that another tool might create.
pub(super) fn foreign_leaf(names: &[&str], now: SystemTime) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("DNS names");
    params.not_before = (now - DAY).into();
    params.not_after = (now + 10 * DAY).into();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// Files with a certificate signed by a new foreign authority.
pub(super) fn foreign_files(params: &CertificateParams, key: &KeyPair, now: SystemTime) -> Files {
    let authority = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(foreign_authority("root", now), authority).expect("an authority");
    signed(&authority, params, key)
}

pub(super) fn signed<S: SigningKey>(
    issuer: &CertifiedIssuer<'_, S>,
    params: &CertificateParams,
    key: &KeyPair,
) -> Files {
    Files {
        authorities: issuer.pem(),
        certificate: params.signed_by(key, issuer).expect("a certificate").pem(),
        key: key.serialize_pem(),
    }
}
