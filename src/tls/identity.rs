use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::TrustAnchor;
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem;
use rustls_pki_types::pem::PemObject;
use webpki::EndEntityCert;
use webpki::KeyUsage;
use webpki::OwnedCertRevocationList;

use super::error::EndpointError;
use super::error::IdentityError;
use super::error::IdentityErrors;
use super::name::daemon_name;
use super::peer::PeerCertificate;
use super::provider::provider;
use super::trust::NotTrusted;
use super::trust::Trust;
use super::x509;
use super::x509::Facts;

/// The authorities that a daemon trusts: one or several certificates.
pub const CA_FILE: &str = "ca.pem";
/// The daemon's own certificate, followed by any intermediate ones.
pub const CERT_FILE: &str = "cert.pem";
/// The daemon's private key.
pub const KEY_FILE: &str = "key.pem";
/// Certificates that are no longer accepted: lists of the authorities. Optional.
pub const CRL_FILE: &str = "crl.pem";

/// The maximum size of a file in bytes. A certificate has about 1 KiB, so hundreds fit.
const FILE_BYTES_MAX: usize = 1 << 20;
/// The maximum number of authorities: each adds a name to every handshake, and two are enough for a rotation.
const AUTHORITIES_MAX: usize = 64;
/// The maximum length of a chain. The verifier rejects longer ones anyway (webpki accepts 6 intermediates).
const CHAIN_MAX: usize = 8;
/// The maximum number of revocation lists: one for each authority, and for those between.
const CRLS_MAX: usize = 256;

/// The contents of a daemon's files.
#[derive(Clone, Copy)]
pub struct PemFiles<'a> {
    /// `ca.pem`
    pub authorities: &'a [u8],
    /// `cert.pem`
    pub certificate: &'a [u8],
    /// `key.pem`
    pub key: &'a [u8],
    /// `crl.pem`; empty if there is none.
    pub revoked: &'a [u8],
}

/// A daemon's certificate, key and trusted authorities. They have been checked against each other when they were loaded.
pub struct Identity {
    name: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authorities: Arc<RootCertStore>,
    /// When the first of the authorities expires, in seconds since 1970.
    authorities_until: i64,
    crls: Vec<CertificateRevocationListDer<'static>>,
    not_after: i64,
    hosts: Vec<String>,
}

impl Identity {
    /// Reads and checks the files of the daemon `name`. The key must belong to the certificate. The chain must lead to an
    /// authority in `ca.pem` that is valid at `now`, for serving and for dialling. The certificate must be valid at `now` and
    /// contain `name`, and must not be revoked. Keys may be ECDSA, Ed25519 or RSA. Other sections of the files are ignored.
    ///
    /// If at least one authority is valid, expired ones are ignored, so that authorities can be rotated.
    ///
    /// # Errors
    ///
    /// All mistakes at once, except those that another mistake hides.
    pub fn load(files: &PemFiles<'_>, name: &str, now: SystemTime) -> Result<Self, IdentityErrors> {
        let mut errors = Vec::new();
        let now = x509::seconds(now);
        let name = daemon_name(name).map_err(|error| errors.push(error.into())).ok();
        let authorities = authorities(files.authorities, now, &mut errors);
        let chain = certificates(files.certificate, CERT_FILE, CHAIN_MAX, &mut errors);
        let key = private_key(files.key, &mut errors);
        let crls = revocation_lists(files.revoked, &mut errors);
        let leaf = chain.first().and_then(|first| leaf(first, &mut errors));
        if let (Some(facts), Some(anchors)) = (&leaf, &authorities) {
            check_chain(&chain, &anchors.list, facts, now, &mut errors);
        }
        if let (Some(name), Some(_)) = (&name, &leaf) {
            check_name(&chain, name, &mut errors);
        }
        if let (Some(key), Some(_)) = (&key, &leaf) {
            check_key(&chain, key, &provider(), &mut errors);
        }
        match (name, authorities, key, leaf) {
            (Some(name), Some(authorities), Some(key), Some(leaf)) if errors.is_empty() => Self {
                hosts: PeerCertificate::from_chain(&chain).map_or_else(|_| Vec::new(), |own| own.hosts()),
                name,
                chain,
                key,
                authorities: Arc::new(RootCertStore {
                    roots: authorities.list,
                }),
                authorities_until: authorities.until,
                crls,
                not_after: leaf.not_after,
            }
            .checked(now),
            _ => Err(IdentityErrors(errors)),
        }
    }

    /// Peers refuse a certificate that is revoked, so its daemon must not begin with it.
    fn checked(self, now: i64) -> Result<Self, IdentityErrors> {
        if self.crls.is_empty() {
            return Ok(self);
        }
        let one = |error| IdentityErrors(vec![error]);
        let trust = self
            .trust()
            .map_err(|error| one(IdentityError::Crl(error.to_string())))?;
        let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(now).unwrap_or(0));
        match trust.check(&self.chain, now) {
            Err(NotTrusted::Revoked) => Err(one(IdentityError::Revoked)),
            _ => Ok(self),
        }
    }

    /// The daemon's name, in lower case.
    #[cfg(test)]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The certificate and its intermediates, as sent to peers.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The hosts for whose nodes peers let this daemon speak by default: the DNS names and IP addresses in the certificate.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// A copy of the private key.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }

    /// The trusted authorities.
    pub fn authorities(&self) -> Arc<RootCertStore> {
        self.authorities.clone()
    }

    /// Which certificates of peers are accepted.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] if rustls rejects what [`Identity::load`] accepted.
    pub fn trust(&self) -> Result<Trust, EndpointError> {
        Trust::new(self.authorities(), &self.crls)
    }

    /// The lists of revoked certificates.
    pub fn crls(&self) -> &[CertificateRevocationListDer<'static>] {
        &self.crls
    }

    /// The last moment at which peers accept the certificate.
    pub fn valid_until(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.not_after).unwrap_or(0))
    }

    /// The last moment at which all authorities are valid.
    pub fn authorities_valid_until(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.authorities_until).unwrap_or(0))
    }

    /// Whether another one has the same certificate, key, authorities and revocation lists.
    pub fn is_same(&self, other: &Self) -> bool {
        self.presents_same(other)
            && self.crls == other.crls
            && self.authorities_until == other.authorities_until
            && self.authorities.roots == other.authorities.roots
    }

    /// Whether another one presents the same certificate.
    pub fn presents_same(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key.secret_der() == other.key.secret_der()
    }

    /// The last moment at which peers accept the certificate, as text, in UTC.
    pub fn valid_until_text(&self) -> String {
        x509::date(self.not_after)
    }
}

/// The output does not contain the key, since it may be logged.
impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identity")
            .field("name", &self.name)
            .field("chain", &self.chain.len())
            .field("authorities", &self.authorities.len())
            .field("crls", &self.crls.len())
            .field("valid_until", &self.valid_until_text())
            .finish_non_exhaustive()
    }
}

/// The certificates of a file. Empty if the file has any mistake.
fn certificates(
    bytes: &[u8],
    file: &'static str,
    max: usize,
    errors: &mut Vec<IdentityError>,
) -> Vec<CertificateDer<'static>> {
    if too_large(bytes, file, errors) {
        return Vec::new();
    }
    match CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, pem::Error>>() {
        Ok(found) if found.is_empty() => errors.push(IdentityError::NoCertificate { file }),
        Ok(found) if found.len() > max => errors.push(IdentityError::TooMany {
            file,
            count: found.len(),
            max,
        }),
        Ok(found) => return found,
        Err(error) => errors.push(IdentityError::Pem {
            file,
            reason: error.to_string(),
        }),
    }
    Vec::new()
}

fn too_large(bytes: &[u8], file: &'static str, errors: &mut Vec<IdentityError>) -> bool {
    let too_large = bytes.len() > FILE_BYTES_MAX;
    if too_large {
        errors.push(IdentityError::TooLarge {
            file,
            bytes: bytes.len(),
            max: FILE_BYTES_MAX,
        });
    }
    too_large
}

/// The authorities that are valid now.
struct Authorities {
    list: Vec<TrustAnchor<'static>>,
    /// When the first of them expires, in seconds since 1970.
    until: i64,
}

/// The authorities that are valid now; `None` if there is none, or if any certificate is not that of an authority.
fn authorities(bytes: &[u8], now: i64, errors: &mut Vec<IdentityError>) -> Option<Authorities> {
    let found = certificates(bytes, CA_FILE, AUTHORITIES_MAX, errors);
    let before = errors.len();
    let mut anchors = Vec::new();
    let mut until = i64::MAX;
    let mut out_of_time = None;
    for (index, certificate) in found.iter().enumerate() {
        let number = index + 1;
        let unreadable = |reason| IdentityError::Certificate {
            file: CA_FILE,
            number,
            reason,
        };
        match Facts::read(certificate) {
            Err(reason) => errors.push(unreadable(reason)),
            Ok(facts) if !facts.is_authority => errors.push(IdentityError::NotAuthority { number }),
            // The verifier does not check the dates of an authority, so they are checked here.
            Ok(facts) if !facts.valid_at(now) => {
                out_of_time = Some(IdentityError::AuthorityTime {
                    number,
                    now: x509::date(now),
                    from: x509::date(facts.not_before),
                    to: x509::date(facts.not_after),
                });
            }
            Ok(facts) => match webpki::anchor_from_trusted_cert(certificate) {
                Ok(anchor) => {
                    until = until.min(facts.not_after);
                    anchors.push(anchor.to_owned());
                }
                Err(error) => errors.push(unreadable(error.to_string())),
            },
        }
    }
    if let (true, Some(error)) = (anchors.is_empty(), out_of_time) {
        errors.push(error);
    }
    (errors.len() == before && !anchors.is_empty()).then_some(Authorities { list: anchors, until })
}

/// The revocation lists of a file, which may be empty. Without any if the file has a mistake.
fn revocation_lists(bytes: &[u8], errors: &mut Vec<IdentityError>) -> Vec<CertificateRevocationListDer<'static>> {
    if too_large(bytes, CRL_FILE, errors) {
        return Vec::new();
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, pem::Error>>();
    match lists {
        Ok(lists) if lists.len() > CRLS_MAX => {
            errors.push(IdentityError::TooMany {
                file: CRL_FILE,
                count: lists.len(),
                max: CRLS_MAX,
            });
            Vec::new()
        }
        Ok(lists) if lists.is_empty() && !bytes.is_empty() => {
            errors.push(IdentityError::Crl(
                "it contains no section `-----BEGIN X509 CRL-----`".to_owned(),
            ));
            lists
        }
        Ok(lists) => match lists
            .iter()
            .find_map(|list| OwnedCertRevocationList::from_der(list).err())
        {
            Some(error) => {
                errors.push(IdentityError::Crl(error.to_string()));
                Vec::new()
            }
            None => lists,
        },
        Err(error) => {
            errors.push(IdentityError::Pem {
                file: CRL_FILE,
                reason: error.to_string(),
            });
            Vec::new()
        }
    }
}

fn private_key(bytes: &[u8], errors: &mut Vec<IdentityError>) -> Option<PrivateKeyDer<'static>> {
    if too_large(bytes, KEY_FILE, errors) {
        return None;
    }
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => return Some(key),
        Err(pem::Error::NoItemsFound) => errors.push(IdentityError::NoKey),
        Err(error) => errors.push(IdentityError::Pem {
            file: KEY_FILE,
            reason: error.to_string(),
        }),
    }
    None
}

fn leaf(certificate: &CertificateDer<'_>, errors: &mut Vec<IdentityError>) -> Option<Facts> {
    let error = match (Facts::read(certificate), EndEntityCert::try_from(certificate)) {
        (Ok(facts), Ok(_)) => return Some(facts),
        (Err(reason), _) => reason,
        (_, Err(error)) => error.to_string(),
    };
    errors.push(IdentityError::Certificate {
        file: CERT_FILE,
        number: 1,
        reason: error,
    });
    None
}

/// Checks the chain for both sides of a handshake, as a peer will.
fn check_chain(
    chain: &[CertificateDer<'static>],
    anchors: &[TrustAnchor<'static>],
    leaf: &Facts,
    now: i64,
    errors: &mut Vec<IdentityError>,
) {
    if now > leaf.not_after {
        errors.push(IdentityError::Expired(x509::date(leaf.not_after), x509::date(now)));
    } else if now < leaf.not_before {
        errors.push(IdentityError::NotYetValid(x509::date(leaf.not_before), x509::date(now)));
    }
    let Some((first, intermediates)) = chain.split_first() else {
        return;
    };
    let Ok(certificate) = EndEntityCert::try_from(first) else {
        return;
    };
    // If the certificate is not valid now, the chain is checked at a time at which it is, so that one mistake does not hide
    // another.
    let at = now.min(leaf.not_after).max(leaf.not_before);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or(0)));
    let algorithms = provider().signature_verification_algorithms.all;
    for (usage, text) in [
        (KeyUsage::server_auth(), "serverAuth"),
        (KeyUsage::client_auth(), "clientAuth"),
    ] {
        let error = match certificate.verify_for_usage(algorithms, anchors, intermediates, at, usage, None, None) {
            Ok(_) => continue,
            Err(webpki::Error::CaUsedAsEndEntity) => IdentityError::IsAuthority,
            Err(webpki::Error::UnknownIssuer) => IdentityError::UnknownIssuer,
            Err(webpki::Error::RequiredEkuNotFoundContext(_)) => IdentityError::Usage { usage: text },
            Err(error) => IdentityError::Chain(error.to_string()),
        };
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
}

fn check_name(chain: &[CertificateDer<'static>], name: &str, errors: &mut Vec<IdentityError>) {
    let Ok(certificate) = PeerCertificate::from_chain(chain) else {
        return;
    };
    if !certificate.carries(name) {
        let names = certificate.names().iter().map(|name| format!("`{name}`"));
        let held: Vec<String> = names.chain(certificate.others()).collect();
        let held = match held.as_slice() {
            [] => "no DNS name at all".to_owned(),
            held => held.join(", "),
        };
        errors.push(IdentityError::Name {
            wanted: name.to_owned(),
            held,
        });
    }
}

fn check_key(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
    errors: &mut Vec<IdentityError>,
) {
    let signer = match provider.key_provider.load_private_key(key.clone_key()) {
        Ok(signer) => signer,
        Err(error) => {
            errors.push(IdentityError::Key(error.to_string()));
            return;
        }
    };
    // Unlike rustls's own loader, this rejects a key whose public half is unknown. It is known for all supported kinds.
    if CertifiedKey::new(chain.to_vec(), signer).keys_match().is_err() {
        errors.push(IdentityError::KeyMismatch);
    }
}
