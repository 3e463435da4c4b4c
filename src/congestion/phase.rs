use std::time::Duration;
use std::time::Instant;

use super::cubic::Cubic;
use super::rate::Sample;

/// The start phase ends after this many rounds without growth of the rate by this factor.
const START_ROUNDS: u32 = 3;
const START_GROWTH: f64 = 1.25;

/// After this many consecutive rounds with a queue that is longer than ours, the model probes for other flows.
const LONG_ROUNDS: u32 = 3;

/// After this many consecutive rounds without a queue of ours, the window grows faster.
const HASTE_AFTER: u32 = 3;

/// On a path without a queue, the queue grows to at most this fraction of the path's capacity, as when BBR probes. After
/// [`ROOM_AFTER`] consecutive rounds with a growing rate, it grows to as much as the path holds ([`ROOM_MOST`]).
const HASTE_MOST: f64 = 0.25;
const ROOM_AFTER: u32 = 2;
const ROOM_MOST: f64 = 1.0;

/// After this many consecutive rounds without a queue, there are no other flows.
const ALONE_ROUNDS: u32 = 10;

/// The maximum duration of a probe.
const PROBE_MOST: Duration = Duration::from_secs(2);

/// The number of round-trip samples with nothing of ours in the queue that a probe needs.
const PROBE_SAMPLES: u32 = 4;

/// How often competitive mode probes whether others still fill the buffer.
const COMPETITIVE_PROBE: Duration = Duration::from_secs(8);

/// The phase of the model.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// The window doubles with each round trip.
    Start(Start),
    /// The rate and the minimum round-trip time of the path are known.
    Cruise(Cruise),
    /// Little is sent, to measure the round-trip time without a queue of ours: ProbeRTT of BBR (draft-ietf-ccwg-bbr).
    ProbeRtt(ProbeRtt),
    /// Others fill the buffer of the path, and we do the same: competitive mode of Copa (Arun and Balakrishnan, NSDI 2018, §2.2).
    Competitive(Competitive),
}

impl Phase {
    pub(super) fn start() -> Self {
        Self::Start(Start::default())
    }

    pub(super) fn cruise() -> Self {
        Self::Cruise(Cruise::default())
    }
}

/// The best rate so far, and the number of rounds since it last grew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start {
    rate: f64,
    without_growth: u32,
}

impl Start {
    /// Ends a round. Returns whether the rate has stopped growing, so the rate of the path is known.
    pub(super) fn is_over(&mut self, rate: f64) -> bool {
        if rate >= self.rate * START_GROWTH {
            *self = Self {
                rate,
                without_growth: 0,
            };
        } else {
            self.without_growth += 1;
        }
        self.without_growth >= START_ROUNDS
    }
}

/// The numbers of consecutive rounds in which the queue was longer than ours, was shorter, and in which the rate grew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cruise {
    long_rounds: u32,
    short_rounds: u32,
    growing_rounds: u32,
}

/// The length of the queue that the model tries to create on a path without one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Haste {
    /// A multiple of the usual queue …
    pub(super) times: f64,
    /// … up to this fraction of the minimum round-trip time.
    pub(super) most: f64,
}

impl Cruise {
    /// Ends a round. Returns whether the queue seems to be that of other flows. `slack` is the length of our queue. A queue longer
    /// than `competing` is not ours.
    pub(super) fn is_crowded(
        &mut self,
        queue: Duration,
        slack: Duration,
        competing: Duration,
        is_growing: bool,
    ) -> bool {
        self.long_rounds = if queue > competing { self.long_rounds + 1 } else { 0 };
        self.short_rounds = if queue < slack / 2 { self.short_rounds + 1 } else { 0 };
        self.growing_rounds = if is_growing { self.growing_rounds + 1 } else { 0 };
        self.long_rounds >= LONG_ROUNDS
    }

    /// If the path shows no queue, it has become faster: the growth of the window then doubles with each round.
    pub(super) fn haste(self) -> Option<Haste> {
        let rounds = self.short_rounds.checked_sub(HASTE_AFTER)?;
        let most = if self.growing_rounds >= ROOM_AFTER {
            ROOM_MOST
        } else {
            HASTE_MOST
        };
        let times = f64::from(1 << rounds.min(8));
        Some(Haste { times, most })
    }
}

/// A probe of the round-trip time: waits until little of ours is in flight, and then for a few samples.
#[derive(Clone, Debug)]
pub(super) struct ProbeRtt {
    began: Instant,
    /// When no more was in flight than the path holds without a queue.
    drained: Option<Instant>,
    least: Duration,
    sum: Duration,
    samples: u32,
    /// The window before the probe.
    pub(super) window: u64,
    /// The state of competitive mode before the probe, if it was in that mode.
    pub(super) cubic: Option<Cubic>,
}

impl ProbeRtt {
    pub(super) const fn new(now: Instant, window: u64, cubic: Option<Cubic>) -> Self {
        Self {
            began: now,
            drained: None,
            least: Duration::MAX,
            sum: Duration::ZERO,
            samples: 0,
            window,
            cubic,
        }
    }

    pub(super) fn on_sample(&mut self, sample: Sample) {
        if self.drained.is_some_and(|drained| sample.sent >= drained) {
            self.least = self.least.min(sample.round_trip);
            self.sum = self.sum.saturating_add(sample.round_trip);
            self.samples += 1;
        }
    }

    /// Returns whether the probe has enough samples or has lasted too long. `target` is how much fits in flight without a queue.
    pub(super) fn is_over(&mut self, now: Instant, in_flight: u64, target: u64, is_app_limited: bool) -> bool {
        if self.drained.is_none() && in_flight <= target {
            self.drained = Some(now);
        }
        let enough = if is_app_limited { 1 } else { PROBE_SAMPLES };
        self.samples >= enough || now.saturating_duration_since(self.began) > PROBE_MOST
    }

    /// The minimum round-trip time, if any was measured.
    pub(super) fn seen(&self) -> Option<Duration> {
        (self.samples > 0).then_some(self.least)
    }

    /// The mean round-trip time.
    pub(super) fn mean(&self) -> Duration {
        self.sum.checked_div(self.samples).unwrap_or_default()
    }
}

/// Competitive mode: other flows fill the buffer.
#[derive(Clone, Debug)]
pub(super) struct Competitive {
    pub(super) cubic: Cubic,
    probed: Instant,
    /// The window has already been reduced for losses of packets that were sent before this.
    answered: Instant,
    /// The longest recent queue.
    longest: Duration,
    /// The number of consecutive rounds without a queue.
    alone: u32,
}

impl Competitive {
    pub(super) const fn new(now: Instant, cubic: Cubic, queue: Duration) -> Self {
        Self {
            cubic,
            probed: now,
            answered: now,
            longest: queue,
            alone: 0,
        }
    }

    pub(super) fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64) {
        if sent > self.answered {
            self.cubic.on_ack(now, bytes, now.saturating_duration_since(sent));
        }
    }

    /// Ends a round. Returns whether the other flows are gone: the queue has not been longer than `short` for some time.
    pub(super) fn is_over(&mut self, queue: Duration, short: Duration) -> bool {
        self.alone = if queue <= short { self.alone + 1 } else { 0 };
        self.alone >= ALONE_ROUNDS
    }

    /// Ends a round. Returns whether it is time to probe for the other flows.
    pub(super) fn is_probe_due(&mut self, now: Instant, queue: Duration) -> bool {
        self.longest = queue.max(self.longest.mul_f64(0.98));
        now.saturating_duration_since(self.probed) > COMPETITIVE_PROBE
    }

    /// Handles a loss. `queue` is the current length of the queue; with a short queue, the loss is random and ignored. During the
    /// start every loss counts, since nothing else ends it.
    pub(super) fn on_loss(&mut self, now: Instant, sent: Instant, queue: Duration, is_by_chance: bool) {
        if self.cubic.is_starting() || (queue * 2 > self.longest && !is_by_chance) {
            self.give_way(now, sent);
        }
    }

    /// Reduces the window, once for all packets that were in flight at the time.
    pub(super) fn give_way(&mut self, now: Instant, sent: Instant) {
        if sent > self.answered {
            self.answered = now;
            self.cubic.on_congestion(now);
        }
    }
}
