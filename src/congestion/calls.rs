use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// How long after a call further calls are expected.
const EXPECTED: Duration = Duration::from_secs(2);

/// The number of calls on a trunk: small messages that were sent while bulk data was in flight. The code that writes to the
/// trunk reports it, and the trunk's controller reads it.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicU64>);

impl Calls {
    /// Reports the total number of calls since the session began.
    pub fn tell(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// The number that was reported last.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The controller's side of [`Calls`].
#[derive(Clone, Debug, Default)]
pub(super) struct Listener {
    pub(super) calls: Calls,
    /// The count at the last check.
    known: u64,
    last: Option<Instant>,
}

impl Listener {
    /// Checks for new calls.
    pub(super) fn listen(&mut self, now: Instant) {
        let count = self.calls.count();
        if count != std::mem::replace(&mut self.known, count) {
            self.last = Some(now);
        }
        self.last = self.last.filter(|last| now.saturating_duration_since(*last) < EXPECTED);
    }

    /// Whether there was a call since the last check.
    pub(super) fn is_call_new(&self) -> bool {
        self.calls.count() != self.known
    }

    /// Whether there have been calls beside bulk data recently.
    pub(super) const fn has_calls(&self) -> bool {
        self.last.is_some()
    }
}
