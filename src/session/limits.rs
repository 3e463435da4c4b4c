use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use super::bucket::Bucket;
use crate::router::Priority;
use crate::router::Rate;
use crate::wire::CircuitId;

/// What holds for the signals of a circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How much the local node may send; `None`: as much as the peer allows.
    pub sent: Option<Rate>,
    /// How much the far node may send: the peer gets credit for no more. `None`: as much as the local node reads.
    pub received: Option<Rate>,
    /// When the local node's signals get the lanes.
    pub priority: Priority,
}

/// The limits of a circuit that has any.
#[derive(Debug, Default)]
pub(super) struct Paced {
    pub(super) sent: Option<Bucket>,
    pub(super) received: Option<Bucket>,
    /// Credit from before the limit, which nobody can take back: frames use it first, and need no tokens.
    pub(super) free: u64,
    /// Whether it is known that the circuit waits for tokens, and that credit is due when there are some.
    pub(super) is_listed: [bool; 2],
    /// Since when signals wait for tokens, and how long they have waited before.
    pub(super) since: Option<Instant>,
    pub(super) waited: Duration,
}

impl Paced {
    /// A frame has arrived. Returns whether the circuit must be listed.
    pub(super) fn arrived(&mut self, cost: u64, bytes: u64) -> bool {
        let Some(bucket) = &mut self.received else {
            return false;
        };
        if self.free >= cost {
            self.free -= cost;
            return false;
        }
        self.free = 0;
        bucket.charge(bytes);
        !std::mem::replace(&mut self.is_listed[RECEIVED], true)
    }

    /// Signals wait for tokens. Returns whether the circuit must be listed.
    pub(super) const fn wait(&mut self) -> bool {
        !std::mem::replace(&mut self.is_listed[SENT], true)
    }

    /// How long signals have waited for tokens.
    pub(super) const fn waited(&self) -> Duration {
        self.waited
    }
}

/// The directions of a circuit.
pub(super) const SENT: usize = 0;
pub(super) const RECEIVED: usize = 1;

/// Circuits that wait for tokens, in one direction or the other.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// When to look at a circuit again.
    pub(super) due: BTreeSet<(Instant, CircuitId, usize)>,
    /// Circuits to look at as soon as the time is known.
    pub(super) fresh: Vec<(CircuitId, usize)>,
    /// The time when circuits were last looked at.
    pub(super) now: Option<Instant>,
}

impl Pacing {
    pub(super) fn add(&mut self, circuit: CircuitId, direction: usize) {
        self.fresh.push((circuit, direction));
    }

    /// A circuit has ended.
    pub(super) fn forget(&mut self, circuit: CircuitId) {
        self.due.retain(|(_, other, _)| *other != circuit);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.fresh.is_empty() {
            true => self.due.first().map(|(due, ..)| *due),
            false => self.now,
        }
    }
}
