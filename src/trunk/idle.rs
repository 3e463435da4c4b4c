use std::time::Duration;
use std::time::Instant;

/// How often to look whether anything has arrived on the trunk.
const LOOK: Duration = Duration::from_secs(1);

/// Notices that a trunk is dead on which nothing is expected.
///
/// QUIC sends a keep-alive on a trunk on which nothing arrives, and the peer acknowledges it. So something arrives in every
/// interval of keep-alives and round-trip time, or the peer is silent.
#[derive(Debug)]
pub(super) struct Idle {
    keep_alive: Duration,
    /// The number of datagrams that had arrived at the last look.
    count: u64,
    /// When that was.
    looked: Option<Instant>,
    /// When the number had grown.
    heard: Option<Instant>,
}

impl Idle {
    /// Nothing is known of the trunk, on which QUIC sends keep-alives at this interval.
    pub(super) const fn new(keep_alive: Duration) -> Self {
        Self {
            keep_alive,
            count: 0,
            looked: None,
            heard: None,
        }
    }

    pub(super) const fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// When to look next; `None` means at once.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.looked.map(|looked| looked + LOOK)
    }

    /// Records the number of datagrams that have arrived.
    pub(super) fn look(&mut self, count: u64, now: Instant) {
        // Whoever did not run for a while has not read what arrived meanwhile.
        let is_late = self
            .looked
            .is_none_or(|looked| now.saturating_duration_since(looked) > LOOK * 3);
        if is_late || count != self.count {
            self.heard = Some(now);
        }
        self.count = count;
        self.looked = Some(now);
    }

    /// Since when something should have arrived. If that is yet to come, nothing is amiss.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        self.heard.map(|heard| heard + self.keep_alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(3);

    #[test]
    fn silence_begins_when_a_keep_alive_is_not_answered() {
        let start = Instant::now();
        let mut idle = Idle::new(KEEP_ALIVE);
        assert_eq!((idle.next_look(), idle.silent_since()), (None, None));
        for second in 0..20 {
            let now = start + LOOK * second;
            idle.look(u64::from(second / 3), now);
            assert_eq!(idle.next_look(), Some(now + LOOK));
            assert!(idle.silent_since() > Some(now), "{second}");
        }
        for second in 20..30 {
            idle.look(6, start + LOOK * second);
        }
        assert_eq!(idle.silent_since(), Some(start + LOOK * 18 + KEEP_ALIVE));
        idle.look(7, start + LOOK * 30);
        assert_eq!(idle.silent_since(), Some(start + LOOK * 30 + KEEP_ALIVE));
    }

    #[test]
    fn a_daemon_that_stood_still_begins_anew() {
        let start = Instant::now();
        let mut idle = Idle::new(KEEP_ALIVE);
        idle.look(5, start);
        let now = start + LOOK * 100;
        idle.look(5, now);
        assert_eq!(idle.silent_since(), Some(now + KEEP_ALIVE));
    }
}
