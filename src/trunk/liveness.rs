use std::time::Duration;
use std::time::Instant;

/// Distinguishes a slow trunk from a dead one, by QUIC's own acknowledgements.
///
/// The session sees only whole frames. On a slow path, the frames of all lanes share the bandwidth and arrive together, seconds
/// apart. Judged by frames alone, such a path looks dead, and a replacement trunk would start to send all of them again.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// The number of acknowledgements when they were last counted.
    count: u64,
    /// When they were last counted.
    counted: Option<Instant>,
    /// When the number last increased.
    grown: Option<Instant>,
}

impl Liveness {
    /// When to count the acknowledgements next, if no frame has been acknowledged since `since`.
    pub(super) fn next_count(&self, since: Instant, interval: Duration) -> Instant {
        self.counted.map_or(since, |counted| counted.max(since)) + interval
    }

    /// Records the current number of acknowledgements.
    pub(super) fn count(&mut self, count: u64, now: Instant) {
        self.counted = Some(now);
        if count != self.count {
            self.count = count;
            self.grown = Some(now);
        }
    }

    /// Since when nothing has been acknowledged, if no frame has been acknowledged since `since`.
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
        // The acknowledgement of a frame counts too.
        assert_eq!(liveness.silent_since(now + 200 * MS), now + 200 * MS);
        assert_eq!(liveness.next_count(now + 200 * MS, 150 * MS), now + 350 * MS);
    }
}
