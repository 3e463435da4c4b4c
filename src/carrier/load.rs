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
    let mut missing = Vec::new();
    let mut open = |name: &str| {
        read(&folder.join(name)).unwrap_or_else(|reason| {
            missing.push(key(&reason));
            Vec::new()
        })
    };
    let (authorities, certificate, private) = (open(CA_FILE), open(CERT_FILE), open(KEY_FILE));
    if !missing.is_empty() {
        return Err(missing);
    }
    let files = PemFiles {
        authorities: &authorities,
        certificate: &certificate,
        key: &private,
    };
    let Some(name) = name else {
        return Err(Vec::new());
    };
    let exposed = check_secret(&folder.join(KEY_FILE)).err().map(|reason| key(&reason));
    let loaded = Identity::load(&files, name, SystemTime::now());
    match (loaded, exposed) {
        (Ok(identity), None) => Ok(identity),
        (loaded, exposed) => {
            let errors = loaded.err().map_or_else(Vec::new, |errors| errors.0);
            let lines = errors.iter().map(|error| key(&format!("{}/{error}", folder.display())));
            Err(lines.chain(exposed).collect())
        }
    }
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
