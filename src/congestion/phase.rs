use std::time::Duration;
use std::time::Instant;

use super::cubic::Cubic;
use super::rate::Sample;

/// Rounds without growth after which the start is over, and what counts as growth.
const START_ROUNDS: u32 = 3;
const START_GROWTH: f64 = 1.25;

/// So many rounds in a row the queue is longer than ours before other flows are probed for.
const LONG_ROUNDS: u32 = 3;

/// So many rounds in a row without a queue of ours before the window grows faster.
const HASTE_AFTER: u32 = 3;

/// A line without a queue is filled by at most so much of itself a round trip, as BBR probes; by as much as it holds when so many
/// rounds in a row have shown that there is room.
const HASTE_MOST: f64 = 0.25;
const ROOM_AFTER: u32 = 2;
const ROOM_MOST: f64 = 1.0;

/// So many rounds in a row without a queue, and there is nobody else.
const ALONE_ROUNDS: u32 = 10;

/// A probe ends after this at the latest.
const PROBE_MOST: Duration = Duration::from_secs(2);

/// Round trips measured with nothing of ours in the queue, before a probe ends.
const PROBE_SAMPLES: u32 = 4;

/// How often competitive mode probes whether others still fill the buffer.
const COMPETITIVE_PROBE: Duration = Duration::from_secs(8);

/// What the model is at.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// The window doubles with each round trip.
    Start(Start),
    /// The line is known.
    Cruise(Cruise),
    /// Little is sent, to measure the round trip without a queue of ours: ProbeRTT of BBR (draft-ietf-ccwg-bbr).
    ProbeRtt(ProbeRtt),
    /// Others fill the line's buffer; we do as they do: competitive mode of Copa (Arun and Balakrishnan, NSDI 2018, §2.2).
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

/// The best rate so far, and for how many rounds it has been that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start {
    rate: f64,
    without_growth: u32,
}

impl Start {
    /// A round has ended: has the line shown its rate?
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

/// Rounds in a row in which the queue was longer than ours, shorter, and in which the rate grew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cruise {
    long_rounds: u32,
    short_rounds: u32,
    growing_rounds: u32,
}

/// How much of a queue is made on a line that shows none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Haste {
    /// So many times ours …
    pub(super) times: f64,
    /// … but not more than this share of the least round trip.
    pub(super) most: f64,
}

impl Cruise {
    /// A round has ended: is the queue that of others? `slack` is ours, `competing` what is too long for it.
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

    /// A line that shows no queue is faster than it was: the window grows twice as fast with each round.
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

/// Probing the round trip: waits until the line holds little of ours, and then for a few round trips.
#[derive(Clone, Debug)]
pub(super) struct ProbeRtt {
    began: Instant,
    /// When there was no more under way than fits without a queue.
    drained: Option<Instant>,
    least: Duration,
    sum: Duration,
    samples: u32,
    /// What the window was.
    pub(super) window: u64,
    /// What was done beside others, if that was what was done.
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

    /// So much is under way, of which `target` fits without a queue. Has enough been seen?
    pub(super) fn is_over(&mut self, now: Instant, in_flight: u64, target: u64, is_app_limited: bool) -> bool {
        if self.drained.is_none() && in_flight <= target {
            self.drained = Some(now);
        }
        let enough = if is_app_limited { 1 } else { PROBE_SAMPLES };
        self.samples >= enough || now.saturating_duration_since(self.began) > PROBE_MOST
    }

    /// The least round trip, if any was measured.
    pub(super) fn seen(&self) -> Option<Duration> {
        (self.samples > 0).then_some(self.least)
    }

    /// The mean round trip.
    pub(super) fn mean(&self) -> Duration {
        self.sum.checked_div(self.samples).unwrap_or_default()
    }
}

/// Competitive mode: among flows that fill the buffer.
#[derive(Clone, Debug)]
pub(super) struct Competitive {
    pub(super) cubic: Cubic,
    probed: Instant,
    /// Losses of what was sent before this have been answered.
    answered: Instant,
    /// The longest queue of the last time.
    longest: Duration,
    /// Rounds in a row without a queue.
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

    /// A round has ended: are they gone, since the queue has been no longer than `short` for some time?
    pub(super) fn is_over(&mut self, queue: Duration, short: Duration) -> bool {
        self.alone = if queue <= short { self.alone + 1 } else { 0 };
        self.alone >= ALONE_ROUNDS
    }

    /// A round has ended: is it time to probe whether they are still there?
    pub(super) fn is_probe_due(&mut self, now: Instant, queue: Duration) -> bool {
        self.longest = queue.max(self.longest.mul_f64(0.98));
        now.saturating_duration_since(self.probed) > COMPETITIVE_PROBE
    }

    /// A loss beside so long a queue. Beside a short one it is one by chance. The start has no other end, so there each counts.
    pub(super) fn on_loss(&mut self, now: Instant, sent: Instant, queue: Duration, is_by_chance: bool) {
        if self.cubic.is_starting() || (queue * 2 > self.longest && !is_by_chance) {
            self.give_way(now, sent);
        }
    }

    /// Once for all that was under way.
    pub(super) fn give_way(&mut self, now: Instant, sent: Instant) {
        if sent > self.answered {
            self.answered = now;
            self.cubic.on_congestion(now);
        }
    }
}
