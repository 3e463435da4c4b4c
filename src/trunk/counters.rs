use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::TrunkError;

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The peer.
    In,
    /// This daemon.
    Out,
}

impl Direction {
    /// As it is written.
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// How many connections with peers were set up, how many were not, by the reason, and how many sessions have ended. Clones share the
/// counts.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    handshakes: Mutex<BTreeMap<(Direction, &'static str), u64>>,
    sessions_ended: AtomicU64,
}

impl Counters {
    /// An attempt to set up a connection has ended.
    pub fn count<T>(&self, direction: Direction, outcome: &Result<T, TrunkError>) {
        let outcome = outcome.as_ref().map_or_else(TrunkError::kind, |_| "accepted");
        let mut counts = self.0.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((direction, outcome)).or_default() += 1;
    }

    /// A session has ended.
    pub fn session_ended(&self) {
        self.0.sessions_ended.fetch_add(1, Relaxed);
    }

    /// How many sessions have ended.
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    pub fn sessions_ended(&self) -> u64 {
        self.0.sessions_ended.load(Relaxed)
    }

    /// The attempts to set up connections.
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    pub fn handshakes(&self) -> Vec<(Direction, &'static str, u64)> {
        let counts = self.0.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|((direction, outcome), count)| (*direction, *outcome, *count))
            .collect()
    }
}
