use std::time::Duration;
use std::time::Instant;

use super::cubic::Cubic;
use super::rate::Sample;

/// Rounds without growth after which the start is over, and what counts as growth.
const START_ROUNDS: u32 = 3;
const START_GROWTH: f64 = 1.25;

/// So many rounds in a row the queue is longer than ours before it is looked for other flows.
const LONG_ROUNDS: u32 = 3;

/// So many rounds in a row without a queue of ours before the window grows faster.
const HASTE_AFTER: u32 = 3;

/// A look ends after this at the latest.
const LOOK_MOST: Duration = Duration::from_secs(2);

/// Round trips measured with nothing of ours in the queue, before a look ends.
const LOOK_SAMPLES: u32 = 4;

/// How often is looked whether others still fill the buffer.
const COMPANY_LOOK: Duration = Duration::from_secs(8);

/// What the model is at.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// The window doubles with each round trip.
    Start(Start),
    /// The line is known.
    Cruise(Cruise),
    /// Little is sent, to see the line without a queue of ours.
    Look(Look),
    /// Others fill the line's buffer; we do as they do.
    Company(Company),
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

/// Rounds in a row in which the queue was longer than ours, and shorter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cruise {
    long_rounds: u32,
    short_rounds: u32,
}

impl Cruise {
    /// A round has ended: is the queue that of others? `slack` is ours, `company` what is too long for it.
    pub(super) fn is_crowded(&mut self, queue: Duration, slack: Duration, company: Duration) -> bool {
        self.long_rounds = if queue > company { self.long_rounds + 1 } else { 0 };
        self.short_rounds = if queue < slack / 2 { self.short_rounds + 1 } else { 0 };
        self.long_rounds >= LONG_ROUNDS
    }

    /// A line that shows no queue is faster than it was: the window grows twice as fast with each round.
    pub(super) fn haste(self) -> f64 {
        f64::from(1 << self.short_rounds.saturating_sub(HASTE_AFTER).min(8))
    }
}

/// Waiting until the line holds little of ours, and then for a few round trips.
#[derive(Clone, Debug)]
pub(super) struct Look {
    began: Instant,
    /// When there was no more under way than fits without a queue.
    drained: Option<Instant>,
    least: Duration,
    samples: u32,
    /// What the window was.
    pub(super) window: u64,
    /// What was done beside others, if that was what was done.
    pub(super) cubic: Option<Cubic>,
}

impl Look {
    pub(super) const fn new(now: Instant, window: u64, cubic: Option<Cubic>) -> Self {
        Self {
            began: now,
            drained: None,
            least: Duration::MAX,
            samples: 0,
            window,
            cubic,
        }
    }

    pub(super) fn on_sample(&mut self, sample: Sample) {
        if self.drained.is_some_and(|drained| sample.sent >= drained) {
            self.least = self.least.min(sample.round_trip);
            self.samples += 1;
        }
    }

    /// So much is under way, of which `target` fits without a queue. Has enough been seen?
    pub(super) fn is_over(&mut self, now: Instant, in_flight: u64, target: u64, is_app_limited: bool) -> bool {
        if self.drained.is_none() && in_flight <= target {
            self.drained = Some(now);
        }
        let enough = if is_app_limited { 1 } else { LOOK_SAMPLES };
        self.samples >= enough || now.saturating_duration_since(self.began) > LOOK_MOST
    }

    /// The least round trip, if any was measured.
    pub(super) fn seen(&self) -> Option<Duration> {
        (self.samples > 0).then_some(self.least)
    }
}

/// Among flows that fill the buffer.
#[derive(Clone, Debug)]
pub(super) struct Company {
    pub(super) cubic: Cubic,
    looked: Instant,
    /// Losses of what was sent before this have been answered.
    answered: Instant,
    /// The longest queue of the last time.
    longest: Duration,
}

impl Company {
    pub(super) const fn new(now: Instant, cubic: Cubic, queue: Duration) -> Self {
        Self {
            cubic,
            looked: now,
            answered: now,
            longest: queue,
        }
    }

    pub(super) fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64) {
        if sent > self.answered {
            self.cubic.on_ack(now, bytes, now.saturating_duration_since(sent));
        }
    }

    /// A round has ended: is it time to look whether they are still there?
    pub(super) fn is_look_due(&mut self, now: Instant, queue: Duration) -> bool {
        self.longest = queue.max(self.longest.mul_f64(0.98));
        now.saturating_duration_since(self.looked) > COMPANY_LOOK
    }

    /// A loss beside so long a queue. Beside a short one it is one by chance.
    pub(super) fn on_loss(&mut self, now: Instant, sent: Instant, queue: Duration) {
        if queue * 2 > self.longest {
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
