use std::fs;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use super::secret::check_secret;
#[cfg(feature = "config-file")]
use crate::config;
use crate::config::Config;
#[cfg(feature = "config-file")]
use crate::config::Purpose;
use crate::tls::CA_FILE;
use crate::tls::CERT_FILE;
use crate::tls::CRL_FILE;
use crate::tls::Identity;
use crate::tls::KEY_FILE;
use crate::tls::PemFiles;

/// Maximum number of bytes read from a file. Larger than what the parsers accept, so that they report the error.
const FILE_BYTES_MAX: u64 = (1 << 20) + 1;

/// A checked configuration file, and the checked certificates that it names.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) identity: Identity,
}

/// Reads a configuration file and the certificates that it names.
///
/// # Errors
///
/// Every mistake in both, one line each, ready to be printed.
#[cfg(feature = "config-file")]
pub(crate) fn load(file: &Path, purpose: Purpose) -> Result<Loaded, Vec<String>> {
    let bytes = read(file).map_err(|reason| vec![reason])?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        vec![format!("{}: not UTF-8 at byte {offset}", file.display())]
    })?;
    match config::parse(&text, purpose) {
        Ok(config) => match identity(file, &config.gateway.certs, Some(&config.gateway.name)) {
            Ok(identity) => Ok(Loaded { config, identity }),
            Err(lines) => Err(lines),
        },
        Err(mistakes) => {
            let mut lines: Vec<_> = mistakes
                .list
                .iter()
                .map(|mistake| format!("{}: {mistake}", file.display()))
                .collect();
            if let Some(certs) = &mistakes.certs {
                lines.extend(
                    identity(file, certs, mistakes.name.as_deref())
                        .err()
                        .unwrap_or_default(),
                );
            }
            Err(lines)
        }
    }
}

/// Loads the certificates of `name`. Without a name, only checks that the files can be read.
pub(super) fn identity(config: &Path, certs: &Path, name: Option<&str>) -> Result<Identity, Vec<String>> {
    let folder = resolve(config, certs);
    let key = |reason: &str| format!("{}: gateway.certs = {certs:?}: {reason}", config.display());
    if !folder.is_dir() {
        return Err(vec![key(&format!(
            "no folder {}; allowed: the folder that holds {CA_FILE}, {CERT_FILE} and {KEY_FILE} \
             (`beamway certs init` and `beamway certs issue` make one)",
            folder.display()
        ))]);
    }
    let names = FileNames::of(&folder);
    let mut missing = Vec::new();
    let mut open = |name: &str| {
        read(&folder.join(name)).unwrap_or_else(|reason| {
            missing.push(key(&reason));
            Vec::new()
        })
    };
    let (authorities, certificate, private) = (open(names.authorities), open(names.certificate), open(names.key));
    let revoked = match folder.join(CRL_FILE).exists() {
        true => open(CRL_FILE),
        false => Vec::new(),
    };
    if !missing.is_empty() {
        return Err(missing);
    }
    let files = PemFiles {
        authorities: &authorities,
        certificate: &certificate,
        key: &private,
        revoked: &revoked,
    };
    let Some(name) = name else {
        return Err(Vec::new());
    };
    let exposed = check_secret(&folder.join(names.key)).err().map(|reason| key(&reason));
    let loaded = Identity::load(&files, name, SystemTime::now());
    match (loaded, exposed) {
        (Ok(identity), None) => Ok(identity),
        (loaded, exposed) => {
            let errors = loaded.err().map_or_else(Vec::new, |errors| errors.0);
            let told = errors.iter().map(|error| names.told(&error.to_string()));
            let lines = told.map(|error| key(&format!("{}/{error}", folder.display())));
            Err(lines.chain(exposed).collect())
        }
    }
}

/// How the files in a folder of certificates are named.
struct FileNames {
    authorities: &'static str,
    certificate: &'static str,
    key: &'static str,
}

impl FileNames {
    /// As `beamway certs issue` names them.
    const OWN: Self = Self {
        authorities: CA_FILE,
        certificate: CERT_FILE,
        key: KEY_FILE,
    };

    /// As cert-manager does in the secret of a `Certificate`, which Kubernetes mounts as a folder.
    const CERT_MANAGER: Self = Self {
        authorities: "ca.crt",
        certificate: "tls.crt",
        key: "tls.key",
    };

    fn of(folder: &Path) -> Self {
        let has = |name: &str| folder.join(name).exists();
        match !has(CERT_FILE) && has(Self::CERT_MANAGER.certificate) {
            true => Self::CERT_MANAGER,
            false => Self::OWN,
        }
    }

    /// An error with the names that the files have.
    fn told(&self, error: &str) -> String {
        error
            .replace(CA_FILE, self.authorities)
            .replace(CERT_FILE, self.certificate)
            .replace(KEY_FILE, self.key)
    }
}

/// The files that settings come from: the configuration file, if there is one, and those of its certificates.
pub(super) fn files(config: Option<&Path>, certs: &Path) -> Vec<PathBuf> {
    let folder = resolve(config.unwrap_or(Path::new("")), certs);
    let names = FileNames::of(&folder);
    let of_certs = [names.authorities, names.certificate, names.key, CRL_FILE];
    let of_certs = of_certs.map(|name| folder.join(name));
    config.map(Path::to_owned).into_iter().chain(of_certs).collect()
}

/// A folder named in a configuration file. It is relative to the folder of the file, so that the daemon can be started from
/// anywhere. If no such folder exists, it is relative to the current folder.
fn resolve(config: &Path, folder: &Path) -> PathBuf {
    let beside = config.parent().unwrap_or(Path::new("")).join(folder);
    if beside.exists() || !folder.exists() {
        beside
    } else {
        folder.to_owned()
    }
}

/// Reads a whole file, up to [`FILE_BYTES_MAX`]. The error names the file.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // Opening a named pipe would block until there is a writer.
    let regular = fs::metadata(file).map(|found| found.is_file());
    regular
        .and_then(|regular| {
            if regular {
                File::open(file)
            } else {
                Err(std::io::Error::other("not a file"))
            }
        })
        .and_then(|open| open.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok(bytes)
}
