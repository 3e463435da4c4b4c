use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Least window of a circuit, in bytes: a few fragments.
const WINDOW_MIN: u64 = 256 * 1024;

/// A window takes at most one part in so many of what is left: several circuits may stall at once before it runs short.
const SHARE: u64 = 8;

/// Bytes that arrived and are kept until a local BEAM reads them: one account for all sessions of a daemon.
///
/// Credit is given out more freely than there is memory, since most circuits use little of theirs; a window grows only as
/// its BEAM reads. As memory runs short windows shrink, and at the limit the circuit that keeps most is ended.
#[derive(Clone, Debug)]
pub struct Memory {
    limit: u64,
    kept: Arc<AtomicU64>,
}

impl Memory {
    /// An empty account of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            kept: Arc::default(),
        }
    }

    /// Bytes kept, of all sessions.
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

    /// The window that a circuit may have now, of at most `most` bytes.
    pub(super) fn window(&self, most: u64) -> u64 {
        let share = self.limit.saturating_sub(self.kept()) / SHARE;
        share.clamp(WINDOW_MIN.min(most), most)
    }
}
