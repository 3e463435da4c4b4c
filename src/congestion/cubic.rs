use std::time::Duration;
use std::time::Instant;

/// The factor by which a loss reduces the window.
const BETA: f64 = 0.7;

/// How fast the window grows after a loss, in packets per cubic second (RFC 9438 §5.1).
const GROWTH: f64 = 0.4;

/// Until the first loss, the window grows by this fraction of the acknowledged bytes. The loss is detected one round trip late. If
/// the window had doubled meanwhile, as at the start of a connection, it would remain far above its fair share.
const START: f64 = 0.5;

/// The window of Cubic between losses (RFC 9438), in bytes.
#[derive(Clone, Debug)]
pub(super) struct Cubic {
    window: f64,
    /// The window at the last loss.
    window_max: f64,
    /// The time of the last loss.
    epoch: Instant,
    /// The seconds after which the window has the same size again.
    k: f64,
    /// The window that Reno would have.
    reno: f64,
    mtu: f64,
    is_starting: bool,
}

impl Cubic {
    pub(super) fn new(window: u64, mtu: u16, now: Instant) -> Self {
        let mtu = f64::from(mtu);
        let window = (window as f64).max(2.0 * mtu);
        Self {
            window,
            window_max: 0.0,
            epoch: now,
            k: 0.0,
            reno: window,
            mtu,
            is_starting: true,
        }
    }

    pub(super) fn window(&self) -> u64 {
        self.window as u64
    }

    /// Records acknowledged bytes. The sender must have been limited by the window.
    pub(super) fn on_ack(&mut self, now: Instant, bytes: u64, round_trip: Duration) {
        if self.is_starting {
            self.window += bytes as f64 * START;
            return;
        }
        let time = (now.saturating_duration_since(self.epoch) + round_trip).as_secs_f64();
        let target = GROWTH * (time - self.k).powi(3) * self.mtu + self.window_max;
        let share = bytes as f64 / self.window;
        self.reno += 3.0 * (1.0 - BETA) / (1.0 + BETA) * self.mtu * share;
        if target < self.reno {
            self.window = self.window.max(self.reno);
        } else {
            // The window reaches the target within one round trip, and grows by at most a half in that time.
            let target = target.clamp(self.window, 1.5 * self.window);
            self.window += (target - self.window) * share;
        }
    }

    /// Whether there was no loss yet.
    pub(super) const fn is_starting(&self) -> bool {
        self.is_starting
    }

    /// Reduces the window, because the path is congested.
    pub(super) fn on_congestion(&mut self, now: Instant) {
        self.is_starting = false;
        // A flow whose window was larger before makes room for others (fast convergence).
        self.window_max = if self.window < self.window_max {
            self.window * (1.0 + BETA) / 2.0
        } else {
            self.window
        };
        self.window = (self.window * BETA).max(2.0 * self.mtu);
        self.reno = self.window;
        self.epoch = now;
        self.k = ((self.window_max - self.window) / self.mtu / GROWTH).max(0.0).cbrt();
    }
}
