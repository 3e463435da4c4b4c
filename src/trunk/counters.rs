use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::time::Instant;

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
    /// Where peers began a handshake and did not go on, and when that was noticed last.
    unanswered: Mutex<BTreeMap<IpAddr, Instant>>,
}

/// Addresses that are remembered, and for how long.
const UNANSWERED: usize = 64;
const UNANSWERED_TIME: Duration = Duration::from_secs(60);

impl Counters {
    /// An attempt to set up a connection has ended.
    pub fn count<T>(&self, direction: Direction, outcome: &Result<T, TrunkError>) {
        let outcome = outcome.as_ref().map_or_else(TrunkError::kind, |_| "accepted");
        let mut counts = self.0.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((direction, outcome)).or_default() += 1;
    }

    /// Somebody at this address has begun a handshake, and nothing more has come: it seems that our packets do not arrive there.
    pub fn unanswered(&self, from: IpAddr, now: Instant) {
        let mut unanswered = self.0.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.retain(|_, at| now < *at + UNANSWERED_TIME);
        if unanswered.len() < UNANSWERED {
            unanswered.insert(from.to_canonical(), now);
        }
    }

    /// The addresses from which that has happened within the last minute.
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    pub fn without_answer(&self, now: Instant) -> Vec<IpAddr> {
        let unanswered = self.0.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = unanswered.iter().filter(|(_, at)| now < **at + UNANSWERED_TIME);
        recent.map(|(from, _)| *from).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_that_were_begun_only_are_remembered_for_a_minute() {
        let (counters, now) = (Counters::default(), Instant::now());
        for number in 0..200 {
            counters.unanswered([10, 0, 0, number].into(), now);
        }
        assert_eq!(counters.without_answer(now).len(), UNANSWERED);
        let later = now + UNANSWERED_TIME;
        assert!(counters.without_answer(later).is_empty());
        let mapped: IpAddr = "::ffff:10.0.0.9".parse().unwrap();
        counters.unanswered(mapped, later);
        assert_eq!(counters.without_answer(later), [IpAddr::from([10, 0, 0, 9])]);
    }
}
