/// The loss rate is judged after this many packets, or this many round trips. A random loss of 5 % is then hardly ever judged as high.
const JUDGED: f64 = 200.0;
const JUDGED_ROUNDS: u32 = 10;

/// A higher loss rate is not random, but due to a buffer that is too small for our queue. A margin of one standard deviation is
/// added, which chance exceeds in one of six cases.
const HIGH: f64 = 0.1;

/// After this many round trips without any loss, the path counts as recovered.
const CLEAR_ROUNDS: u32 = 3;

/// The minimum fraction of the desired queue, which is kept on the worst path.
const LEAST_CARE: f64 = 0.1;

/// Losses count as random if at least this many of the last 16 round trips had one. The losses of a full buffer come all at once,
/// and then there are none for a while.
const SPREAD: u32 = 4;

/// The maximum loss rate for which the window compensates.
const MADE_UP: f64 = 0.15;

/// The fraction of bytes that are lost.
#[derive(Clone, Debug)]
pub(super) struct LossRate {
    acknowledged: u64,
    lost: u64,
    /// The number of round trips since the last judgement.
    unjudged: u32,
    /// The number of round trips since the last loss.
    clear: u32,
    /// The smoothed loss rate.
    rate: f64,
    is_high: bool,
    /// Whether there was a loss in this round trip.
    is_lost: bool,
    /// One bit for each of the last round trips, set if there was a loss.
    rounds: u16,
    /// The fraction of the desired queue to keep, 0 to 1.
    care: f64,
}

impl Default for LossRate {
    fn default() -> Self {
        Self {
            acknowledged: 0,
            lost: 0,
            unjudged: 0,
            clear: 0,
            rate: 0.0,
            is_high: false,
            is_lost: false,
            rounds: 0,
            care: 1.0,
        }
    }
}

impl LossRate {
    pub(super) fn on_ack(&mut self, bytes: u64) {
        self.acknowledged += bytes;
    }

    pub(super) fn on_loss(&mut self, bytes: u64) {
        self.lost += bytes;
        self.is_lost = true;
    }

    /// Ends a round trip. `mtu` is the size of its packets.
    pub(super) fn on_round(&mut self, mtu: u16) {
        self.clear = if self.is_lost { 0 } else { self.clear.saturating_add(1) };
        self.rounds = (self.rounds << 1) | u16::from(std::mem::take(&mut self.is_lost));
        self.unjudged += 1;
        if self.is_clear() {
            self.is_high = false;
            self.care = (self.care * 1.5).min(1.0);
        }
        let packet = f64::from(mtu);
        let all = (self.acknowledged + self.lost) as f64 / packet;
        if all < JUDGED && self.unjudged < JUDGED_ROUNDS {
            return;
        }
        let lost = self.lost as f64 / packet;
        self.rate += ((lost / all.max(1.0)).min(MADE_UP) - self.rate) / 4.0;
        self.is_high = lost > HIGH * all + (HIGH * all).sqrt();
        self.care = if self.is_high {
            (self.care * 0.7).max(LEAST_CARE)
        } else {
            (self.care + 0.05).min(1.0)
        };
        (self.acknowledged, self.lost, self.unjudged) = (0, 0, 0);
    }

    /// Whether losses are random: few, and spread over many round trips.
    pub(super) const fn is_by_chance(&self) -> bool {
        self.rounds.count_ones() >= SPREAD && !self.is_high
    }

    /// Whether there was no loss for some round trips.
    pub(super) const fn is_clear(&self) -> bool {
        self.clear >= CLEAR_ROUNDS
    }

    /// Records an ECN mark: the network asks for a shorter queue.
    pub(super) fn on_mark(&mut self) {
        self.care = (self.care * 0.7).max(LEAST_CARE);
    }

    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }

    pub(super) const fn is_high(&self) -> bool {
        self.is_high
    }

    pub(super) const fn care(&self) -> f64 {
        self.care
    }
}
