use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::Command;

use super::hosts::TLS_HOST;
use super::workspace::Workspace;

/// The two gateways, by the names in their certificates.
pub const GATEWAYS: [&str; 2] = ["left", "right"];

/// Throw-away certificates of one run, as `beamway certs` makes them.
#[derive(Clone)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes an authority, and a certificate for each gateway and for the nodes that speak TLS themselves, with the same
    /// commands that a user would type.
    ///
    /// # Errors
    ///
    /// What `beamway certs` says.
    pub async fn make(executable: &Path, workspace: &Workspace) -> anyhow::Result<Self> {
        let folder = workspace.path().join("certs");
        certs(executable, "init", &folder, &[]).await?;
        let certificates = Self { folder };
        for name in [GATEWAYS.as_slice(), &[TLS_HOST]].concat() {
            certificates.add(executable, name).await?;
        }
        Ok(certificates)
    }

    /// Makes one more, for nodes that speak TLS under that host name.
    ///
    /// # Errors
    ///
    /// What `beamway certs` says.
    pub async fn add(&self, executable: &Path, name: &str) -> anyhow::Result<()> {
        certs(executable, "issue", &self.folder, &[name]).await
    }

    /// Makes one for lanes of that name and nodes of that host, if there is none.
    ///
    /// # Errors
    ///
    /// What `beamway certs` says.
    pub async fn add_for(&self, executable: &Path, name: &str, host: &str) -> anyhow::Result<()> {
        if self.of(name).is_dir() {
            return Ok(());
        }
        certs(executable, "issue", &self.folder, &["--host", host, name]).await
    }

    /// Folder with `ca.pem`, `cert.pem` and `key.pem` of one name.
    #[must_use]
    pub fn of(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

async fn certs(executable: &Path, action: &str, folder: &Path, words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(executable)
        .args(["certs", action, "--dir"])
        .arg(folder)
        .args(words)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot start {}", executable.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "`beamway certs {action}` failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Ok(())
}
