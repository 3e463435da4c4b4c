use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The minimum window of a circuit in bytes: a few fragments.
const WINDOW_MIN: u64 = 256 * 1024;

/// A window is at most this fraction of the remaining memory, so that several circuits may stall before it runs short.
const SHARE: u64 = 8;

/// The bytes that arrived and wait until a local BEAM reads them. All sessions of a daemon share one account.
///
/// More credit is granted than there is memory, since most circuits use little of theirs, and a window grows only as
/// its BEAM reads. Windows shrink as memory runs short. At the limit, the circuit with the most buffered bytes is
/// closed.
#[derive(Clone, Debug)]
pub struct Memory {
    limit: u64,
    kept: Arc<AtomicU64>,
}

impl Memory {
    /// Creates an empty account with a limit in bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            kept: Arc::default(),
        }
    }

    /// The number of bytes buffered by all sessions.
    pub fn kept(&self) -> u64 {
        self.kept.load(Relaxed)
    }

    pub(super) fn keep(&self, bytes: u64) {
        self.kept.fetch_add(bytes, Relaxed);
    }

    pub(super) fn free(&self, bytes: u64) {
        self.kept.fetch_sub(bytes, Relaxed);
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.kept() > self.limit
    }

    /// The current window of a circuit, of at most `most` bytes.
    pub(super) fn window(&self, most: u64) -> u64 {
        let share = self.limit.saturating_sub(self.kept()) / SHARE;
        share.clamp(WINDOW_MIN.min(most), most)
    }
}
