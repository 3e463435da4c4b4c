use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tracing_subscriber::EnvFilter;

use crate::cli::output;

/// The warnings of the temporary daemon. They are printed only if the command fails, since they often contain the reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings(Arc<Mutex<Vec<u8>>>);

impl Warnings {
    /// Maximum number of bytes kept.
    const MAX: usize = 64 * 1024;

    /// Starts to collect. If `RUST_LOG` is set, the selected lines go to standard error instead.
    pub(super) fn collect() -> Self {
        let warnings = Self::default();
        match EnvFilter::try_from_default_env() {
            Ok(filter) => {
                let log = tracing_subscriber::fmt().with_env_filter(filter);
                let _ = log.with_writer(io::stderr).try_init();
            }
            Err(_) => {
                let into = warnings.clone();
                // Nodes that come and go are not a reason for a failure.
                let filter = EnvFilter::new("warn,beamway::gateway=error");
                let log = tracing_subscriber::fmt().with_env_filter(filter);
                let log = log.without_time().with_target(false).with_ansi(false);
                let _ = log.with_writer(move || into.clone()).try_init();
            }
        }
        warnings
    }

    pub(super) fn show(&self) {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in String::from_utf8_lossy(&lines).lines() {
            output::complain(line.trim());
        }
    }
}

impl Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < Self::MAX {
            lines.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
