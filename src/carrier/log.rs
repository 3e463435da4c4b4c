use std::fmt;
use std::sync::Arc;

use crate::config::LogLevel;
#[cfg(feature = "admin")]
use crate::observe::io::collect::LogCount;

/// Sets the level of the log.
pub(crate) type LogControl = Arc<dyn Fn(LogLevel) + Send + Sync>;

/// What a daemon needs of the log of its program.
#[derive(Clone, Default)]
pub(crate) struct LogHandle {
    /// Sets its level, if it can be set.
    pub(crate) level: Option<LogControl>,
    /// What it has not written, if that is known.
    #[cfg(feature = "admin")]
    pub(crate) count: Option<LogCount>,
}

impl fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogHandle")
    }
}
