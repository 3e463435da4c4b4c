//! Reading the configuration again: how it is asked for, and what came of it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::SystemTime;

use tokio::sync::oneshot;

/// The end of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "admin", derive(serde::Serialize, serde::Deserialize))]
pub struct Reloaded {
    /// The settings that have changed.
    pub changed: Vec<String>,
    /// Those that were changed in the file and have no effect before a restart.
    pub needs_restart: Vec<String>,
    /// Mistakes in the files, one line each. If there are any, nothing was changed.
    pub mistakes: Vec<String>,
}

/// A request to read the configuration again. The answer comes when it is done.
pub type Reload = oneshot::Sender<Reloaded>;

/// The settings in use, and the attempts to read them again. Clones share it.
#[derive(Clone, Debug)]
pub struct Record(Arc<Mutex<Read>>);

/// What a [`Record`] holds.
#[derive(Clone, Debug)]
pub struct Read {
    /// How often they were read again and applied.
    pub applied: u64,
    /// How often there were mistakes, and nothing was changed.
    pub refused: u64,
    /// When the settings in use were read.
    pub at: SystemTime,
    /// The last attempt.
    pub last: Reloaded,
    /// When the daemon's certificate expires.
    pub own: SystemTime,
    /// When the first of its authorities expires.
    pub authorities: SystemTime,
}

impl Record {
    /// Settings were read for the first time, with certificates that are valid until then: its own, and the first of the authorities.
    pub fn new(at: SystemTime, own: SystemTime, authorities: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Read {
            applied: 0,
            refused: 0,
            at,
            last: Reloaded::default(),
            own,
            authorities,
        })))
    }

    /// To read or to change it.
    pub fn lock(&self) -> MutexGuard<'_, Read> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
