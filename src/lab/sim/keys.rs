use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::hmac;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::PKCS_ED25519;
use rcgen::SerialNumber;
use rcgen::date_time_ymd;

use super::node::name_of;
use crate::tls::Identity;
use crate::tls::PemFiles;
use crate::tls::client_config;
use crate::tls::reset_key;
use crate::tls::server_config;

/// Certificates of the simulated daemons.
///
/// Ed25519, with fixed serial numbers: all certificates and signatures are of one length whatever was drawn, so that packets
/// of two runs are of one length too.
pub(super) struct Keys {
    of_hosts: Vec<[Key; 2]>,
}

/// How one daemon proves who it is.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) server: Arc<rustls::ServerConfig>,
    pub(super) client: Arc<rustls::ClientConfig>,
    pub(super) reset: Arc<hmac::Key>,
}

impl Keys {
    /// Two keys for each host: one that it has, and one that it gets when that is lost.
    pub(super) fn make(hosts: usize) -> anyhow::Result<Self> {
        let mut params = params(vec![], 1)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_ED25519)?)?;
        let mut of_hosts = Vec::new();
        for host in 0..hosts {
            of_hosts.push([Key::make(&authority, host)?, Key::make(&authority, host)?]);
        }
        Ok(Self { of_hosts })
    }

    /// The key of a host, the first or the one after it was lost.
    pub(super) fn of(&self, host: usize, is_new: bool) -> anyhow::Result<&Key> {
        let both = self.of_hosts.get(host);
        let [first, second] = both.ok_or_else(|| anyhow::anyhow!("no key was made for host {host}"))?;
        Ok(if is_new { second } else { first })
    }
}

impl Key {
    fn make(authority: &CertifiedIssuer<'_, KeyPair>, host: usize) -> anyhow::Result<Self> {
        let name = name_of(host);
        let mut params = params(vec![name.clone()], 2 + host as u8)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let (authorities, private) = (authority.pem(), key.serialize_pem());
        let certificate = params.signed_by(&key, authority)?.pem();
        let files = PemFiles {
            authorities: authorities.as_bytes(),
            certificate: certificate.as_bytes(),
            key: private.as_bytes(),
            revoked: b"",
        };
        let identity =
            Identity::load(&files, &name, SystemTime::now()).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
        Ok(Self {
            server: Arc::new(server_config(&identity)?),
            client: Arc::new(client_config(&identity)?),
            reset: Arc::new(reset_key(&identity)),
        })
    }
}

fn params(names: Vec<String>, serial: u8) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.serial_number = Some(SerialNumber::from(vec![serial]));
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    Ok(params)
}
