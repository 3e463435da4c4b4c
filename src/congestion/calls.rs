use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// After a call others are expected for so long.
const EXPECTED: Duration = Duration::from_secs(2);

/// How often something small was about to leave a trunk on which bulk is under way: told by whoever writes to the trunk,
/// heard by its controller.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicU64>);

impl Calls {
    /// So often since the session began.
    pub fn tell(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// What was told last.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The controller's side.
#[derive(Clone, Debug, Default)]
pub(super) struct Listener {
    pub(super) calls: Calls,
    /// The count of before.
    known: u64,
    last: Option<Instant>,
}

impl Listener {
    /// Looks for news.
    pub(super) fn listen(&mut self, now: Instant) {
        let count = self.calls.count();
        if count != std::mem::replace(&mut self.known, count) {
            self.last = Some(now);
        }
        self.last = self.last.filter(|last| now.saturating_duration_since(*last) < EXPECTED);
    }

    /// Whether there was a call since the last look.
    pub(super) fn is_call_new(&self) -> bool {
        self.calls.count() != self.known
    }

    /// Whether calls travel beside the bulk, as far as was heard.
    pub(super) const fn has_calls(&self) -> bool {
        self.last.is_some()
    }
}
