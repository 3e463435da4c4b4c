use std::time::Duration;
use std::time::Instant;

use crate::router::Rate;

/// Parts of a byte in which a bucket counts: bytes per second, times nanoseconds.
const PARTS: i128 = 1_000_000_000;

/// A token bucket: how many bytes may pass now, so that in the long run no more pass than the rate allows, and at most the burst at once
/// after a pause.
///
/// A frame may pass while there is any token, and may take more than there are, as with credit. The debt is waited for.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: Rate,
    /// Tokens, in parts of a byte. Negative after a frame that took more than there were.
    level: i128,
    /// When tokens were last added.
    at: Option<Instant>,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            level: i128::from(rate.burst) * PARTS,
            at: None,
        }
    }

    /// Another rate applies from now on. What was owed or saved stays, up to the burst.
    pub(super) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
        self.level = self.level.min(self.most());
    }

    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    const fn most(&self) -> i128 {
        self.rate.burst as i128 * PARTS
    }

    /// Adds the tokens of the time that has passed.
    pub(super) fn refill(&mut self, now: Instant) {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = self.at.max(Some(now));
        let added = i128::from(self.rate.bytes).saturating_mul(passed.as_nanos() as i128);
        self.level = self.level.saturating_add(added).min(self.most());
    }

    /// Takes tokens for this many bytes.
    pub(super) const fn charge(&mut self, bytes: u64) {
        self.level -= bytes as i128 * PARTS;
    }

    /// Whether anything may pass.
    pub(super) const fn has_tokens(&self) -> bool {
        self.level > 0
    }

    /// How many bytes may pass.
    pub(super) fn tokens(&self) -> u64 {
        u64::try_from(self.level / PARTS).unwrap_or(0)
    }

    pub(super) const fn is_full(&self) -> bool {
        self.level >= self.most()
    }

    /// As many bytes as are worth a look: those of some milliseconds, at most a quarter of the burst.
    pub(super) fn step(&self, time: Duration) -> u64 {
        let of_time = u128::from(self.rate.bytes) * time.as_millis() / 1000;
        let of_time = u64::try_from(of_time).unwrap_or(u64::MAX);
        of_time.min(self.rate.burst / 4).max(1)
    }

    /// When there are tokens for this many bytes, or the bucket is full. Call it after [`Bucket::refill`] with the same time.
    pub(super) fn due(&self, bytes: u64, now: Instant) -> Instant {
        let missing = (i128::from(bytes) * PARTS).min(self.most()) - self.level;
        let rate = i128::from(self.rate.bytes).max(1);
        let nanos = u64::try_from(missing.max(0).div_euclid(rate) + 1).unwrap_or(u64::MAX);
        now + Duration::from_nanos(nanos)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pause_saves_the_burst_and_no_more() {
        let mut now = Instant::now();
        let mut bucket = Bucket::new(Rate {
            bytes: 1000,
            burst: 500,
        });
        bucket.refill(now);
        assert_eq!(bucket.tokens(), 500);
        bucket.charge(700);
        assert!(!bucket.has_tokens());
        assert_eq!(
            bucket.due(1, now),
            now + Duration::from_millis(201) + Duration::from_nanos(1)
        );
        now += Duration::from_millis(201);
        bucket.refill(now);
        assert_eq!(bucket.tokens(), 1);
        bucket.refill(now + Duration::from_secs(3600));
        assert!(bucket.is_full());
        // A clock that stands still, or a time from before, adds nothing.
        bucket.charge(500);
        bucket.refill(now);
        assert!(!bucket.has_tokens());
    }

    proptest! {
        /// Whoever sends whenever it may gets the rate, whatever the frames, the rate and the burst.
        #[test]
        fn the_rate_holds(
            bytes in 1_000_u64..2_000_000_000,
            burst in 65_536_u64..100_000_000,
            frame in 1_u64..70_000,
            jitter in 0_u64..3_000_000,
        ) {
            let begin = Instant::now();
            let mut now = begin;
            let mut bucket = Bucket::new(Rate { bytes, burst });
            let (mut passed, mut looks) = (0_u64, 0_u64);
            while looks < 300 {
                bucket.refill(now);
                while bucket.has_tokens() {
                    bucket.charge(frame);
                    passed += frame;
                }
                let due = bucket.due(bucket.step(Duration::from_millis(5)), now);
                prop_assert!(due > now, "a look that finds nothing would repeat at once");
                // The timer may be late.
                now = due + Duration::from_nanos(jitter);
                looks += 1;
            }
            let seconds = now.duration_since(begin).as_secs_f64();
            let most = burst as f64 + bytes as f64 * seconds + frame as f64;
            prop_assert!(passed as f64 <= most, "{passed} of {most}");
            // Tokens are lost only if a timer is so late that the bucket is full.
            let is_late = bytes as f64 * jitter as f64 / 1e9 > burst as f64 / 2.0;
            let least = bytes as f64 * seconds - frame as f64 - bytes as f64 * (jitter as f64 / 1e9) - burst as f64 / 4.0;
            prop_assert!(is_late || passed as f64 >= least, "{passed} of at least {least}");
        }

        #[test]
        fn a_change_of_the_rate_saves_no_more_than_the_new_burst(one in 65_536_u64..1_000_000, other in 65_536_u64..1_000_000) {
            let mut bucket = Bucket::new(Rate { bytes: 1000, burst: one });
            bucket.set_rate(Rate { bytes: 2000, burst: other });
            prop_assert_eq!(bucket.tokens(), one.min(other));
        }
    }
}
