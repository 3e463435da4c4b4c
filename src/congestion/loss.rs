/// Packets judged at once: so many, or those of so many round trips. A loss of 5 % by chance is hardly ever seen as a high one.
const JUDGED: f64 = 200.0;
const JUDGED_ROUNDS: u32 = 10;

/// A larger share is not chance but a buffer that is too small for us; larger by as much as chance adds to it in one of six cases.
const HIGH: f64 = 0.1;

/// So many round trips without any loss, and the line has become better.
const CLEAR_ROUNDS: u32 = 3;

/// Of the queue that we would like to keep, so much is kept on the worst line.
const LEAST_CARE: f64 = 0.1;

/// Of the last 16 round trips, so many with a loss: those of a full buffer come all at once, and then none for a while.
const SPREAD: u32 = 4;

/// No more than this is made up for.
const MADE_UP: f64 = 0.15;

/// The share of bytes that is lost.
#[derive(Clone, Debug)]
pub(super) struct LossRate {
    acknowledged: u64,
    lost: u64,
    /// Round trips since the last judgement, and since the last loss.
    unjudged: u32,
    clear: u32,
    /// The last share judged, smoothed.
    rate: f64,
    is_high: bool,
    /// Something was lost in this round trip, and a bit for each of the last ones in which something was.
    is_lost: bool,
    rounds: u16,
    /// How much of the queue that we would like to keep, 0 to 1.
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

    /// A round trip is over, of packets of that size.
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

    /// Losses come by chance: they are few, and spread evenly.
    pub(super) const fn is_by_chance(&self) -> bool {
        self.rounds.count_ones() >= SPREAD && !self.is_high
    }

    /// Nothing was lost for some round trips.
    pub(super) const fn is_clear(&self) -> bool {
        self.clear >= CLEAR_ROUNDS
    }

    /// The network asks for less.
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
