use std::fs;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;

/// How many folder names are tried before giving up; each is random, so the second one is already free.
const NAMES_TRIED_MAX: u32 = 16;

/// Where Erlang looks for the cookie in a home folder.
const COOKIE: &str = ".erlang.cookie";

/// The temporary folder of one run: certificates, configurations, the compiled Erlang module and the cookie. Removed when
/// dropped.
pub struct Workspace {
    path: PathBuf,
}

impl Workspace {
    /// Makes a fresh folder that only this user can enter, with a random cookie in it.
    ///
    /// # Errors
    ///
    /// When the folder for temporary files is not writable.
    pub fn create() -> anyhow::Result<Self> {
        let workspace = Self::make().with_context(|| {
            let base = std::env::temp_dir();
            format!(
                "cannot make a folder in {}; set TMPDIR to a writable one",
                base.display()
            )
        })?;
        // The nodes find their cookie in their home folder, so it never shows in a list of processes.
        let cookie: String = format!("{:032x}", rand::random::<u128>());
        workspace.write_secret(COOKIE, &cookie)?;
        Ok(workspace)
    }

    fn make() -> io::Result<Self> {
        let mut tried = 0;
        loop {
            let path = std::env::temp_dir().join(format!("beamway-{:08x}", rand::random::<u32>()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < NAMES_TRIED_MAX => tried += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file with the cookie.
    #[must_use]
    pub fn cookie(&self) -> PathBuf {
        self.path.join(COOKIE)
    }

    /// Makes a folder in it and says where it is.
    ///
    /// # Errors
    ///
    /// Of the file system.
    pub fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Writes a file and says where it is; `name` is relative to the folder.
    ///
    /// # Errors
    ///
    /// Of the file system.
    pub fn write(&self, name: impl AsRef<Path>, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// As [`Workspace::write`], readable by this user only (Erlang refuses a cookie that others can read).
    fn write_secret(&self, name: &str, text: &str) -> anyhow::Result<()> {
        use std::io::Write as _;
        let path = self.path.join(name);
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the folder's name says whose it was.
        let _ = fs::remove_dir_all(&self.path);
    }
}
