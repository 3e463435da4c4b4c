use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::Command;

use super::certificates::Certificates;
use super::gateways::free_ports;
use super::hosts::Host;
use super::shared::Testbed;
use super::workspace::Workspace;

/// The short names of the two nodes of a pair.
const PAIR: [&str; 2] = ["a", "b"];

/// What says how to get the library.
pub const HOW_TO_BUILD: &str = "its library cannot be built here; in the source: cargo build --release -p beamway_nif";

/// What says that it is being built.
pub const BUILDING: &str = "Cargo builds the carrier inside the VM, once; this takes minutes:";

/// The Erlang modules of the carrier inside the VM.
pub const MODULES: [(&str, &str); 3] = [
    ("beamway", include_str!("../../../erlang/src/beamway.erl")),
    ("beamway_dist", include_str!("../../../erlang/src/beamway_dist.erl")),
    ("beamway_nif", include_str!("../../../erlang/src/beamway_nif.erl")),
];

/// The library of the carrier inside the VM, where `erlang/build` or Cargo has left it.
#[must_use]
pub fn library(executable: &Path) -> Option<PathBuf> {
    let beside = executable.with_file_name("libbeamway_nif.so");
    let with_tests = executable.with_file_name("deps").join("libbeamway_nif.so");
    let built = std::path::absolute("erlang/priv/beamway_nif.so").ok();
    [beside, with_tests]
        .into_iter()
        .chain(built)
        .find(|file| file.is_file())
}

/// The library, or if there is none what Cargo builds, after `announce`. Cargo shows its progress on standard error.
///
/// `None` if there is no source, no Cargo, or it fails.
pub async fn find_or_build(executable: &Path, announce: impl FnOnce()) -> Option<PathBuf> {
    if let Some(library) = library(executable) {
        return Some(library);
    }
    announce();
    build(executable).await
}

/// Has Cargo build the library where it has built this program.
async fn build(executable: &Path) -> Option<PathBuf> {
    let folder = executable.parent()?;
    let profile: &[&str] = match folder.file_name()?.to_str()? {
        "release" => &["--release"],
        "debug" => &[],
        _ => return None,
    };
    let target = folder.parent()?;
    let here = std::env::current_dir().ok();
    let mut roots = target.parent().map(Path::to_owned).into_iter().chain(here);
    let source = roots.find(|root| root.join("erlang/native/Cargo.toml").is_file())?;
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(source)
        .args(["build", "--locked", "-p", "beamway_nif", "--target-dir"])
        .arg(target)
        .args(profile)
        .stdin(Stdio::null())
        // Figures go there.
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let status = cargo.status().await.ok()?;
    status.success().then(|| library(executable))?
}

/// Puts the library where the modules of a run look for it: they are compiled into a folder of the workspace.
///
/// # Errors
///
/// Of the file system.
pub fn install(workspace: &Workspace, library: &Path) -> anyhow::Result<()> {
    let place = workspace.folder("priv")?.join("beamway_nif.so");
    symlink(library, &place).with_context(|| format!("cannot make {}", place.display()))
}

/// The lanes inside the nodes of two hosts.
pub(super) struct Inside {
    ports: [u16; 2],
}

impl Inside {
    /// With ports of their own for the two nodes of a pair.
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { ports: free_ports()? })
    }

    /// Writes the configuration of a node: the nodes of the pair are its peers. Others find it because it dials them.
    pub(super) async fn configure(&self, testbed: &Testbed<'_>, short: &str, side: usize) -> anyhow::Result<PathBuf> {
        let host = testbed.hosts.get(side).context("there are two hosts")?;
        let name = lanes_name(&testbed.certificates, short, host);
        testbed
            .certificates
            .add_for(&testbed.executable, &name, &host.name)
            .await?;
        let pair = PAIR.into_iter().zip(&testbed.hosts).zip(self.ports);
        let own = pair.clone().find(|((of_pair, _), _)| *of_pair == short);
        let port = match own {
            Some((_, port)) => port,
            None => {
                let [port] = free_ports()?;
                port
            }
        };
        let mut text = format!(
            "[gateway]\nname   = \"{name}\"\nlisten = \"{}:{port}\"\ncerts  = {:?}\n\n[log]\nlevel = \"warn\"\n",
            host.address,
            testbed.certificates.of(&name).display().to_string()
        );
        for ((other, host), port) in pair.filter(|((of_pair, _), _)| *of_pair != short) {
            let name = lanes_name(&testbed.certificates, other, host);
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n[[peer]]\nname    = \"{name}\"\naddress = \"{}:{port}\"\n",
                host.address
            );
        }
        testbed.workspace.write(format!("{name}.toml"), &text)
    }
}

/// The name of the lanes of a node, and of their certificate. Where there is one with the name of the host, as for nodes that speak TLS, no
/// other certificate can name that host.
fn lanes_name(certificates: &Certificates, short: &str, host: &Host) -> String {
    if PAIR.contains(&short) && certificates.of(&host.name).is_dir() {
        return host.name.clone();
    }
    format!("vm-{short}-{}", host.name.replace('.', "-"))
}
