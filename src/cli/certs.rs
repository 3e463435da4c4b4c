//! `beamway certs`: creates an authority in a folder, and in it a folder for each daemon.
//!
//! ```text
//! DIR/ca.pem          the authority's certificate
//! DIR/ca-key.pem      its key: secret, only needed to issue
//! DIR/NAME/ca.pem     ┐
//! DIR/NAME/cert.pem   │ what the daemon NAME needs, all in one folder
//! DIR/NAME/key.pem    ┘ secret
//! DIR/crl.pem         certificates that are no longer accepted, if there are any; a copy belongs into the folder of every daemon
//! ```
//!
//! Existing files are never overwritten, and keys are created readable only by their owner.

use std::collections::HashSet;
use std::fs;
use std::fs::DirBuilder;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;

use super::args::CertsCommand;
use super::output;
use crate::carrier::check_secret;
use crate::tls::Authority;
use crate::tls::CA_FILE;
use crate::tls::CA_YEARS;
use crate::tls::CERT_FILE;
use crate::tls::CRL_FILE;
use crate::tls::Issued;
use crate::tls::KEY_FILE;
use crate::tls::daemon_name;
use crate::tls::host_name;
use crate::tls::hosts_in;

/// The authority's key, beside its certificate [`CA_FILE`].
const CA_KEY_FILE: &str = "ca-key.pem";

/// Anyone may read a certificate.
const PUBLIC: u32 = 0o644;
/// Only its owner may read a key.
const SECRET: u32 = 0o600;

pub(super) fn run(command: &CertsCommand) -> anyhow::Result<ExitCode> {
    match command {
        CertsCommand::Init { dir } => {
            init(dir)?;
            output::say(&format!(
                "created an authority, valid for {CA_YEARS} years: {} (for every host) and {} (secret, keep it here)",
                dir.join(CA_FILE).display(),
                dir.join(CA_KEY_FILE).display()
            ));
        }
        CertsCommand::Issue {
            dir,
            days,
            hosts,
            names,
        } => {
            for (folder, issued) in issue(dir, names, hosts, *days)? {
                output::say(&format!(
                    "issued {}/{{{CA_FILE},{CERT_FILE},{KEY_FILE}}}, valid to {}",
                    folder.display(),
                    issued.valid_to
                ));
            }
        }
        CertsCommand::Renew { dir, days, names } => {
            for (folder, issued) in renew(dir, names, *days)? {
                let valid_to = issued.valid_to;
                output::say(&format!(
                    "renewed {}/{{{CERT_FILE},{KEY_FILE}}}, valid to {valid_to}",
                    folder.display()
                ));
            }
        }
        CertsCommand::Revoke { dir, names } => {
            let list = revoke(dir, names)?;
            output::say(&format!(
                "revoked in {0}: {1}; copy {0} into the folder of certificates of every daemon (they notice it, or `beamway reload`)",
                list.display(),
                names.join(", ")
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives daemons another certificate and key, for the names and hosts of the certificates that they have. Each file is replaced at once.
/// Returns the folders and what was issued, in the order of the names.
///
/// # Errors
///
/// If the authority or a certificate cannot be read, nothing is written. Also if a file cannot be written.
pub fn renew(dir: &Path, names: &[String], days: u32) -> anyhow::Result<Vec<(PathBuf, Issued)>> {
    let now = SystemTime::now();
    let authority = authority(dir, now)?;
    let mut wanted = Vec::new();
    for name in names {
        let name = daemon_name(name)?;
        let folder = dir.join(&name);
        let file = folder.join(CERT_FILE);
        let before = fs::read(&file).with_context(|| {
            format!(
                "cannot read {}; `beamway certs issue --dir {} {name}` makes the first one",
                file.display(),
                dir.display()
            )
        })?;
        let hosts = hosts_in(&before).map_err(|reason| anyhow!("{}: {reason}", file.display()))?;
        wanted.push((authority.issue_with_hosts(&name, &hosts, days, now)?, folder));
    }
    let mut done = Vec::new();
    for (issued, folder) in wanted {
        replace(&folder.join(KEY_FILE), issued.key_pem.as_bytes(), SECRET)?;
        replace(&folder.join(CERT_FILE), issued.certificate_pem.as_bytes(), PUBLIC)?;
        done.push((folder, issued));
    }
    Ok(done)
}

/// Adds certificates to the authority's list of those that are revoked, `dir/crl.pem`. Returns the path of the list. Each of `names` is the
/// name of a daemon, whose certificate is `dir/NAME/cert.pem`, or the path of a certificate.
///
/// # Errors
///
/// If the authority, a certificate or the list cannot be read, or the list cannot be written.
pub fn revoke(dir: &Path, names: &[String]) -> anyhow::Result<PathBuf> {
    let now = SystemTime::now();
    let authority = authority(dir, now)?;
    let certificates = names.iter().map(|name| {
        let of_daemon = dir.join(name).join(CERT_FILE);
        let file = if of_daemon.is_file() {
            of_daemon
        } else {
            PathBuf::from(name)
        };
        fs::read(&file).with_context(|| format!("cannot read the certificate {}", file.display()))
    });
    let certificates = certificates.collect::<anyhow::Result<Vec<_>>>()?;
    let list = dir.join(CRL_FILE);
    let before = match exists(&list)? {
        true => Some(fs::read(&list).with_context(|| format!("cannot read {}", list.display()))?),
        false => None,
    };
    let text = authority.revoke(before.as_deref(), &certificates, now)?;
    replace(&list, text.as_bytes(), PUBLIC)?;
    Ok(list)
}

/// Replaces a file, or creates it. Whoever reads it finds the old one or the new one.
fn replace(file: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let unfinished = file.with_extension(format!("new.{}", std::process::id()));
    write_new(&unfinished, bytes, mode)?;
    fs::rename(&unfinished, file).with_context(|| format!("cannot replace {}", file.display()))
}

/// Creates an authority: `dir/ca.pem` and `dir/ca-key.pem`. Creates the folder if it is missing.
///
/// # Errors
///
/// If either file exists already, or cannot be written.
pub fn init(dir: &Path) -> anyhow::Result<()> {
    let certificate = dir.join(CA_FILE);
    let key = dir.join(CA_KEY_FILE);
    for file in [&certificate, &key] {
        if exists(file)? {
            bail!(
                "{} already exists and is not overwritten: that would invalidate every certificate it signed. \
                 Use it (`beamway certs issue --dir {} NAME`), or choose another folder",
                file.display(),
                dir.display()
            );
        }
    }
    let authority = Authority::create(SystemTime::now())?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create the folder {}", dir.display()))?;
    write_new(&key, authority.key_pem().as_bytes(), SECRET)?;
    write_new(&certificate, authority.certificate_pem().as_bytes(), PUBLIC).inspect_err(|_| {
        // A key without its certificate would block the next attempt.
        let _ = fs::remove_file(&key);
    })
}

/// Issues a certificate for each name: `dir/NAME/{ca.pem,cert.pem,key.pem}`, signed by the authority in `dir`. Each contains all
/// `hosts` too. A folder appears complete or not at all. Returns the folders and what was issued, in the order of the names.
///
/// # Errors
///
/// If the authority cannot be read, a name is not a DNS name or is given twice, a host is the name of another daemon, or a folder
/// exists already: nothing is written then. Also if a file cannot be written.
pub fn issue(dir: &Path, names: &[String], hosts: &[String], days: u32) -> anyhow::Result<Vec<(PathBuf, Issued)>> {
    let now = SystemTime::now();
    let mut folders = HashSet::new();
    let mut wanted = Vec::new();
    for name in names {
        let name = daemon_name(name)?;
        let folder = dir.join(&name);
        if !folders.insert(folder.clone()) {
            bail!("the name `{name}` is given twice");
        }
        if exists(&folder)? {
            bail!(
                "{} already exists and is not overwritten; to renew, move it away first (`mv {0} {0}.old`)",
                folder.display()
            );
        }
        wanted.push((name, folder));
    }
    for host in hosts {
        let host = host_name(host)?;
        let is_own = |(name, _): &(String, PathBuf)| *name == host;
        let is_daemon = wanted.iter().any(is_own) || exists(&dir.join(&host).join(CERT_FILE))?;
        if is_daemon && !wanted.iter().all(is_own) {
            bail!(
                "`{host}` is the name of a daemon: another one whose certificate names it as a host could pass for it"
            );
        }
    }
    let authority = authority(dir, now)?;
    let mut done = Vec::new();
    for (name, folder) in wanted {
        let issued = authority.issue_with_hosts(&name, hosts, days, now)?;
        write_folder(dir, &folder, &name, authority.certificate_pem(), &issued)?;
        done.push((folder, issued));
    }
    Ok(done)
}

fn authority(dir: &Path, now: SystemTime) -> anyhow::Result<Authority> {
    check_secret(&dir.join(CA_KEY_FILE)).map_err(|reason| anyhow!(reason))?;
    let read = |name| {
        let file = dir.join(name);
        fs::read(&file).with_context(|| {
            format!(
                "cannot read {}; `beamway certs init --dir {}` creates an authority",
                file.display(),
                dir.display()
            )
        })
    };
    let authority = Authority::from_pem(&read(CA_FILE)?, &read(CA_KEY_FILE)?, now);
    authority.with_context(|| format!("cannot use the authority in {}", dir.display()))
}

/// Writes the folder of a daemon under another name and renames it, so that it never appears incomplete.
fn write_folder(dir: &Path, folder: &Path, name: &str, authority: &str, issued: &Issued) -> anyhow::Result<()> {
    let unfinished = dir.join(format!(".{name}.{}", std::process::id()));
    let written = DirBuilder::new()
        .mode(0o700)
        .create(&unfinished)
        .with_context(|| format!("cannot create the folder {}", unfinished.display()))
        .and_then(|()| write_new(&unfinished.join(CA_FILE), authority.as_bytes(), PUBLIC))
        .and_then(|()| write_new(&unfinished.join(CERT_FILE), issued.certificate_pem.as_bytes(), PUBLIC))
        .and_then(|()| write_new(&unfinished.join(KEY_FILE), issued.key_pem.as_bytes(), SECRET))
        .and_then(|()| match fs::read(dir.join(CRL_FILE)) {
            Ok(list) => write_new(&unfinished.join(CRL_FILE), &list, PUBLIC),
            Err(_) => Ok(()),
        })
        .and_then(|()| {
            fs::rename(&unfinished, folder).with_context(|| format!("cannot create the folder {}", folder.display()))
        });
    written.inspect_err(|_| {
        let _ = fs::remove_dir_all(&unfinished);
    })
}

/// Writes a file that must not exist yet, and sets its mode at creation. Removes a partly written file.
fn write_new(file: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)
        .with_context(|| format!("cannot create {}", file.display()))?;
    open.write_all(bytes)
        .and_then(|()| open.sync_all())
        .inspect_err(|_| {
            let _ = fs::remove_file(file);
        })
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Whether the path exists, even as a dangling symbolic link.
fn exists(path: &Path) -> anyhow::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot access {}", path.display())),
    }
}
