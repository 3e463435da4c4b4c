use std::time::Duration;
use std::time::Instant;

/// Tells a trunk that is slow from one that is dead, by QUIC's own acknowledgements.
///
/// The session knows of whole frames. On a slow path those of all lanes share it and arrive together, seconds apart: by
/// frames alone such a path looks dead, and the trunk that replaces the one at hand starts with all of them again.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// Acknowledgements counted so far.
    count: u64,
    /// When they were last counted.
    counted: Option<Instant>,
    /// When there were last more than before.
    grown: Option<Instant>,
}

impl Liveness {
    /// When the acknowledgements should be counted next, if no frame has been acknowledged since `since`.
    pub(super) fn next_count(&self, since: Instant, interval: Duration) -> Instant {
        self.counted.map_or(since, |counted| counted.max(since)) + interval
    }

    /// There are so many acknowledgements now.
    pub(super) fn count(&mut self, count: u64, now: Instant) {
        self.counted = Some(now);
        if count != self.count {
            self.count = count;
            self.grown = Some(now);
        }
    }

    /// Since when nothing was acknowledged, if no frame has been since `since`.
    pub(super) fn silent_since(&self, since: Instant) -> Instant {
        self.grown.map_or(since, |grown| grown.max(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn acknowledgements_put_silence_off_and_their_end_begins_it() {
        let since = Instant::now();
        let mut liveness = Liveness::default();
        assert_eq!(liveness.silent_since(since), since);
        let mut now = since;
        for count in [3, 4, 9] {
            now = liveness.next_count(since, 150 * MS);
            liveness.count(count, now);
            assert_eq!(liveness.silent_since(since), now);
        }
        assert_eq!(now, since + 450 * MS);
        liveness.count(9, now + 150 * MS);
        assert_eq!(liveness.silent_since(since), now);
        // A frame that is acknowledged counts as well.
        assert_eq!(liveness.silent_since(now + 200 * MS), now + 200 * MS);
        assert_eq!(liveness.next_count(now + 200 * MS, 150 * MS), now + 350 * MS);
    }
}
