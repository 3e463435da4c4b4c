use std::path::Path;
use std::path::PathBuf;

use super::StartError;
use super::load;
use super::load::Loaded;
use super::settings::Settings;
use crate::config::Purpose;

/// Where settings come from, so that they can be read again.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A configuration file.
    #[cfg_attr(
        not(feature = "config-file"),
        allow(dead_code, reason = "without files there are only programs")
    )]
    File(PathBuf, Purpose),
    /// A program. Its certificates are in files.
    Program(Box<Settings>, Purpose),
}

impl Source {
    /// Reads the settings and the certificates.
    ///
    /// # Errors
    ///
    /// Every mistake in both, one line each.
    pub(crate) fn load(&self) -> Result<Loaded, Vec<String>> {
        match self {
            #[cfg(feature = "config-file")]
            Self::File(file, purpose) => load::load(file, *purpose),
            #[cfg(not(feature = "config-file"))]
            Self::File(..) => Err(Vec::new()),
            Self::Program(settings, purpose) => settings.as_ref().clone().load(*purpose).map_err(|error| match error {
                StartError::Settings(mistakes) => mistakes,
                error => vec![error.to_string()],
            }),
        }
    }

    /// The configuration file.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file, _) => Some(file),
            Self::Program(..) => None,
        }
    }

    /// The files that [`Source::load`] reads.
    pub(super) fn files(&self, certs: &Path) -> Vec<PathBuf> {
        load::files(self.file(), certs)
    }
}
