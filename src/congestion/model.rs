use std::time::Duration;
use std::time::Instant;

use super::calls::Calls;
use super::calls::Listener;
use super::cubic::Cubic;
use super::filter::RecentMax;
use super::loss::LossRate;
use super::phase::Competitive;
use super::phase::Phase;
use super::phase::ProbeRtt;
use super::rate::RateSampler;
use super::rate::Sample;

/// The rate of the path is the maximum over this many rounds in which there was enough to send.
const RATE_ROUNDS: u64 = 10;

/// Packets in addition to what the path holds: two that wait for one acknowledgement, and the last one that fits in the window, which
/// quinn holds back. So a window of few packets grows again, whatever was measured.
const SPARE: u64 = 3;

/// Within a host or a rack, round-trip times are shorter than this.
const SHORT: Duration = Duration::from_millis(2);

/// The limit on bytes in flight on such a path while there are calls beside bulk data: this many in addition to those that the path
/// holds, and the minimum of the limit.
const HANDED_OVER: u64 = 50_000;
const HANDED_OVER_LEAST: u64 = 100_000;

/// Room for a call, in packets: quinn stops one packet short of the window.
const CALL_ROOM: u64 = 2;

/// Packets of at most this many bytes contain only acknowledgements.
const ACKNOWLEDGEMENT_MOST: u64 = 64;

/// The weight of one acknowledgement in the mean rate.
const MEAN_SHARE: f64 = 1.0 / 64.0;

/// The minimum window in packets.
const LEAST: u64 = 5;

/// The minimum window if both ends have waited for each other's acknowledgements. quinn sends no acknowledgement while data waits for
/// the window, and a window of about ten packets may leave at once. If both ends do that, nothing is acknowledged until a timeout.
const LEAST_STALLED: u64 = 16;

/// How long such a wait is remembered.
const STALLED: Duration = Duration::from_secs(30);

/// The initial window in packets (RFC 9002 §7.2).
const INITIAL: u64 = 10;

/// The lowest rate that a path is assumed to have, in bytes per second.
const SLOWEST: f64 = 1e3;

/// The queue in seconds that we keep on a path of [`REFERENCE_RATE`] and [`REFERENCE_TRIP`], and its limits on slower and faster paths.
/// Long enough to absorb the delays of the machines, and too short for a person or a program to notice.
const QUEUE: f64 = 0.005;
const QUEUE_LEAST: f64 = 0.004;
const QUEUE_MOST: f64 = 0.012;
/// 100 Mbit/s, in bytes per second.
const REFERENCE_RATE: f64 = 12.5e6;
const REFERENCE_TRIP: Duration = Duration::from_millis(20);

/// A round whose rate exceeds all earlier ones by this factor shows that the path has room.
const GROWTH: f64 = 1.1;

/// A rate that has fallen below this fraction of the best may be due to a window that is too small for a path with variable delay. So
/// the path is probed again.
const LOWER: f64 = 0.8;

/// The maximum variation of the delay for which the window compensates.
const NOISE_MOST: Duration = Duration::from_millis(20);

/// The minimum round-trip time is probed again if no sample was as short for this long (as with BBR's ProbeRTT).
const FRESH: Duration = Duration::from_secs(10);

/// If the queue has grown twice within this time, other flows fill the buffer of the path.
const FORGET: Duration = Duration::from_secs(30);

/// The fraction of the window that is kept until it is known whether the path has become longer or others fill the buffer.
const DOUBTED_SHARE: f64 = 0.5;

/// After a probe, the window grows by this fraction of the acknowledged bytes. If all that the path holds were sent at once into the
/// gap that the probe has left, it would fill a short buffer for a moment, and other flows would lose packets.
const RETURN: f64 = 0.125;

/// The bytes in flight during a probe, as a fraction of what the path holds without a queue.
const PROBE_SHARE: f64 = 0.75;

/// Determines the window: rate × minimum round-trip time, and a little for the queue.
#[derive(Clone, Debug)]
pub(super) struct Model {
    mtu: u16,
    sampler: RateSampler,
    /// The bytes in flight, without packets that contain only acknowledgements.
    in_flight: u64,
    rate: RecentMax,
    /// The recent mean of the rate while there was enough to send.
    rate_mean: f64,
    /// The best rate of the last busy round.
    rate_now: f64,
    /// The best rate of the rounds before the current one.
    rate_before: f64,
    least: Option<Least>,
    /// The minimum round-trip time before it was found to be longer, and when that happened.
    before: Option<Least>,
    /// The shortest round-trip time of recent probes, and when it was measured.
    floor: Option<Least>,
    /// By how much round-trip times exceed the minimum although nothing of ours is in the queue.
    noise: Duration,
    /// When a packet was last sent although the window was full: a probe after a timeout.
    probed: Option<Instant>,
    /// The best rate since the last probe of the round-trip time.
    best: f64,
    round: Round,
    /// The number of rounds in which there was enough to send. Only these rounds age the maximum of the rate.
    busy_rounds: u64,
    losses: LossRate,
    listener: Listener,
    phase: Phase,
    window: u64,
    /// The bytes acknowledged since the window was set.
    acknowledged: u64,
}

/// The minimum round-trip time, and when a sample was last as short.
#[derive(Clone, Copy, Debug)]
struct Least {
    round_trip: Duration,
    at: Instant,
}

/// The acknowledgements of one round trip.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// The round ends with the acknowledgement of a packet that was sent after this many bytes had been acknowledged.
    ends_at: u64,
    least: Option<Duration>,
    /// The sum of all round-trip samples, and their number.
    sum: Duration,
    samples: u32,
    rate: f64,
    is_busy: bool,
}

impl Model {
    pub(super) fn new(now: Instant, mtu: u16) -> Self {
        Self {
            mtu,
            sampler: RateSampler::new(now),
            in_flight: 0,
            rate: RecentMax::new(RATE_ROUNDS),
            rate_mean: 0.0,
            rate_now: 0.0,
            rate_before: 0.0,
            least: None,
            before: None,
            floor: None,
            noise: Duration::ZERO,
            probed: None,
            best: 0.0,
            round: Round::default(),
            busy_rounds: 0,
            losses: LossRate::default(),
            listener: Listener::default(),
            phase: Phase::start(),
            window: INITIAL * u64::from(mtu),
            acknowledged: 0,
        }
    }

    /// The maximum number of bytes in flight. While a call may be waiting to be sent, there is extra room beyond what bulk data may
    /// fill.
    pub(super) fn window(&self) -> u64 {
        let room = if self.listener.is_call_new() { CALL_ROOM } else { 0 };
        self.window + room * u64::from(self.mtu)
    }

    pub(super) fn initial_window(&self) -> u64 {
        INITIAL * u64::from(self.mtu)
    }

    /// Where calls are reported to this controller.
    pub(super) fn calls(&self) -> Calls {
        self.listener.calls.clone()
    }

    #[cfg(test)]
    pub(super) const fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(super) fn set_mtu(&mut self, mtu: u16) {
        self.mtu = mtu;
        self.window = self.window.max(self.least_window());
    }

    pub(super) fn handle_sent(&mut self, now: Instant, bytes: u64) {
        self.sampler.on_sent(now, self.in_flight == 0);
        // Acknowledgements can be sent at any time, and quinn does not count them as in flight. If they counted here, a full window
        // would appear to be exceeded.
        if bytes <= ACKNOWLEDGEMENT_MOST {
            return;
        }
        self.in_flight = self.in_flight.saturating_add(bytes);
        if self.in_flight > self.window() && bytes > u64::from(self.mtu) / 2 && self.losses.is_clear() {
            self.probed = Some(now);
        }
    }

    /// Handles the acknowledgement of a packet that was sent at `sent`. `is_app_limited` says that there is nothing more to send.
    pub(super) fn handle_ack(&mut self, now: Instant, sent: Instant, bytes: u64, is_app_limited: bool) {
        self.sampler.on_ack(sent, bytes);
        self.losses.on_ack(bytes);
        self.acknowledged = self.acknowledged.saturating_add(bytes);
        match &mut self.phase {
            Phase::Start(_) if !is_app_limited => self.window = self.window.saturating_add(bytes),
            Phase::Competitive(competitive) if !is_app_limited => competitive.on_ack(now, sent, bytes),
            _ => {}
        }
    }

    /// Ends an acknowledgement. `in_flight` is the number of bytes that are still in flight.
    pub(super) fn handle_end_acks(&mut self, now: Instant, in_flight: u64, is_app_limited: bool) {
        self.in_flight = in_flight;
        self.listener.listen(now);
        if let Some(sample) = self.sampler.on_end_acks(now, in_flight, is_app_limited) {
            self.on_sample(now, sample);
        }
        let target = self.probe_window();
        if let Phase::ProbeRtt(probe) = &mut self.phase
            && probe.is_over(now, in_flight, target, is_app_limited)
        {
            let probe = probe.clone();
            self.end_probe(now, &probe);
        }
        self.set_window();
    }

    /// Handles the loss of packets, the last of which was sent at `sent`.
    pub(super) fn handle_loss(&mut self, now: Instant, sent: Instant, bytes: u64) {
        self.losses.on_loss(bytes);
        self.in_flight = self.in_flight.saturating_sub(bytes);
        let queue = self.queue_of(self.round.least);
        if let Phase::Competitive(competitive) = &mut self.phase {
            competitive.on_loss(now, sent, queue, self.losses.is_by_chance());
        }
        self.set_window();
    }

    /// Handles packets that the network marked instead of dropping them (ECN). The last of them was sent at `sent`.
    pub(super) fn handle_mark(&mut self, now: Instant, sent: Instant) {
        match &mut self.phase {
            Phase::Start(_) => self.phase = Phase::cruise(),
            Phase::Competitive(competitive) => competitive.give_way(now, sent),
            Phase::Cruise(_) | Phase::ProbeRtt(_) => self.losses.on_mark(),
        }
        self.set_window();
    }

    /// Handles persistent congestion: all packets were lost for a long time, so the model of the path may be wrong.
    pub(super) fn handle_dark(&mut self) {
        self.rate.clear();
        self.losses = LossRate::default();
        self.probed = None;
        self.in_flight = 0;
        self.window = self.least_window();
        self.phase = Phase::start();
    }

    fn least_window(&self) -> u64 {
        let is_stalled = self.probed.is_some() && !self.losses.is_high();
        let packets = if is_stalled { LEAST_STALLED } else { LEAST };
        packets * u64::from(self.mtu)
    }

    fn least_round_trip(&self) -> Duration {
        self.least.map_or(Duration::ZERO, |least| least.round_trip)
    }

    /// How long no sample was as short as the minimum round-trip time.
    fn age(&self, now: Instant) -> Duration {
        self.least
            .map_or(Duration::ZERO, |least| now.saturating_duration_since(least.at))
    }

    /// The minimum round-trip time before it was found to be longer, if that happened recently.
    fn doubted(&self, now: Instant) -> Option<Least> {
        self.before
            .filter(|before| now.saturating_duration_since(before.at) < FORGET)
    }

    /// How long a packet with this round-trip time has waited in queues.
    fn queue_of(&self, round_trip: Option<Duration>) -> Duration {
        round_trip.map_or(Duration::ZERO, |time| time.saturating_sub(self.least_round_trip()))
    }

    /// The length of the queue that we keep. A slower flow keeps a longer queue, so that of two flows the faster one yields. On a longer
    /// path the queue is shorter, since it lasts for as many packets.
    fn slack(&self) -> Duration {
        let slower = REFERENCE_RATE / self.rate.get().max(SLOWEST);
        let trip = REFERENCE_TRIP.as_secs_f64();
        let longer = self.least_round_trip().as_secs_f64().max(trip) / trip;
        let queue = (QUEUE * slower.sqrt()).clamp(QUEUE_LEAST, QUEUE_MOST);
        Duration::from_secs_f64(queue / longer.sqrt())
    }

    /// The upper limit of the window. On a short path, packets wait for the programs at both ends, not for the network. The more are
    /// in flight, the less CPU time each byte takes, but the longer a call behind them waits for a CPU. The maximum rate is that of
    /// bursts there, so the mean is used.
    fn most(&self) -> u64 {
        let way = self.least_round_trip();
        if self.listener.has_calls() && way < SHORT {
            HANDED_OVER_LEAST.max((self.rate_mean * way.as_secs_f64()) as u64 + HANDED_OVER)
        } else {
            u64::MAX
        }
    }

    /// A queue longer than this is not ours. On a slow path, the minimum window alone creates a queue.
    fn competing_queue(&self) -> Duration {
        let (slack, rate) = (self.slack(), self.rate.get().max(SLOWEST));
        let least = Duration::from_secs_f64(self.least_window() as f64 / rate);
        (slack.mul_f64(1.5)).max(slack / 2 + least) + Duration::from_millis(1)
    }

    fn on_sample(&mut self, now: Instant, sample: Sample) {
        let trip = sample.round_trip;
        let round_trip = self.least.map_or(trip, |least| least.round_trip.min(trip));
        // As short as the minimum, within the precision of clocks and schedulers.
        let is_as_short = trip <= round_trip.mul_f64(1.02) + Duration::from_micros(200);
        let at = self.least.filter(|_| !is_as_short).map_or(now, |least| least.at);
        self.least = Some(Least { round_trip, at });
        self.round.least = Some(self.round.least.map_or(trip, |least| least.min(trip)));
        self.round.sum = self.round.sum.saturating_add(trip);
        self.round.samples += 1;
        self.round.is_busy |= !sample.is_app_limited;
        self.round.rate = self.round.rate.max(sample.rate);
        if !sample.is_app_limited || sample.rate > self.rate.get() {
            self.rate.add(self.busy_rounds, sample.rate);
        }
        if !sample.is_app_limited {
            self.rate_mean += (sample.rate - self.rate_mean) * MEAN_SHARE;
        }
        if let Phase::ProbeRtt(probe) = &mut self.phase {
            probe.on_sample(sample);
        }
        if sample.delivered_before >= self.round.ends_at {
            let next = Round {
                ends_at: sample.delivered,
                ..Round::default()
            };
            let ended = std::mem::replace(&mut self.round, next);
            self.on_round(now, ended);
        }
    }

    fn on_round(&mut self, now: Instant, round: Round) {
        let mean = round.sum.checked_div(round.samples).unwrap_or_default();
        self.noise = self.noise.min(self.queue_of(Some(mean)));
        let queue = self.queue_of(round.least).saturating_sub(self.noise);
        if !round.is_busy {
            // Nothing of ours is in the queue, so this is the path itself.
            if let Some(round_trip) = round.least.filter(|_| self.age(now) > FRESH) {
                self.least = Some(Least { round_trip, at: now });
            }
            return;
        }
        self.busy_rounds += 1;
        self.probed = self.probed.filter(|at| now.saturating_duration_since(*at) < STALLED);
        let is_growing = round.rate > self.rate_before * GROWTH;
        self.rate_now = round.rate;
        self.rate_before = self.rate.get();
        self.losses.on_round(self.mtu);
        self.best = self.best.max(self.rate.get());
        let fresh = if self.doubted(now).is_some() { FRESH / 5 } else { FRESH };
        let (slack, competing, is_stale) = (self.slack(), self.competing_queue(), self.age(now) > fresh);
        let is_full = queue > (slack * 2).max(self.least_round_trip() / 4) || self.losses.is_high();
        match &mut self.phase {
            Phase::Start(start) => {
                if start.is_over(self.rate.get()) || is_full {
                    self.phase = Phase::cruise();
                }
            }
            Phase::Cruise(cruise) => {
                let is_lower = self.rate.get() < self.best * LOWER;
                if cruise.is_crowded(queue, slack, competing, is_growing) || is_stale || is_lower {
                    self.phase = Phase::ProbeRtt(ProbeRtt::new(now, self.window, None));
                }
            }
            Phase::Competitive(competitive) => {
                if competitive.is_over(queue, competing / 3) {
                    self.phase = Phase::cruise();
                } else if competitive.is_probe_due(now, queue) {
                    self.phase = Phase::ProbeRtt(ProbeRtt::new(now, self.window, Some(competitive.cubic.clone())));
                }
            }
            Phase::ProbeRtt(_) => {}
        }
    }

    /// By how much the round-trip time of a probe exceeds the shortest of the recent probes. A buffer that others fill slowly must not be
    /// mistaken, probe by probe, for a path that has become a little longer.
    fn risen(&mut self, now: Instant, seen: Duration) -> Duration {
        let shorter = seen.min(self.least_round_trip());
        let is_valid = |floor: &Least| now.saturating_duration_since(floor.at) < FORGET && floor.round_trip < shorter;
        let floor = self.floor.filter(is_valid).unwrap_or(Least {
            round_trip: shorter,
            at: now,
        });
        self.floor = Some(floor);
        seen.saturating_sub(floor.round_trip)
    }

    /// Ends a probe. A queue that is not ours has one of three causes: the path has become longer, its delay fluctuates, or other flows
    /// fill the buffer. Other flows let the queue grow again.
    fn end_probe(&mut self, now: Instant, probe: &ProbeRtt) {
        let queue = probe.seen().map_or(Duration::ZERO, |seen| self.risen(now, seen));
        let before = self.doubted(now);
        let is_alone = queue
            <= if before.is_some() {
                self.competing_queue() / 3
            } else {
                self.competing_queue()
            };
        match (probe.seen(), before) {
            (Some(round_trip), before) if !is_alone && before.is_none() && probe.cubic.is_none() => {
                self.before = self.least.map(|least| Least { at: now, ..least });
                self.least = Some(Least { round_trip, at: now });
                self.floor = self.least;
                // The probe has reduced the window to a few packets. If there are other flows, they would take all the rest before they
                // are detected.
                let kept = self.rate.get() * round_trip.as_secs_f64() * DOUBTED_SHARE;
                self.window = self.window.max(kept as u64);
                self.phase = Phase::cruise();
            }
            (Some(round_trip), Some(before)) if !is_alone => {
                // Keep what we had until now, even if there is a queue.
                let kept = self.rate.get() * round_trip.as_secs_f64();
                let window = probe.window.max(kept as u64);
                let cubic = probe.cubic.clone();
                let cubic = cubic.unwrap_or_else(|| Cubic::new(window, self.mtu, now));
                let round_trip = self.least_round_trip().min(before.round_trip);
                self.before = Some(Least { at: now, round_trip });
                self.least = self.before;
                self.phase = Phase::Competitive(Competitive::new(now, cubic, queue));
            }
            (seen, _) => {
                self.least = seen.map(|round_trip| Least { round_trip, at: now }).or(self.least);
                self.phase = Phase::cruise();
            }
        }
        self.noise = self.queue_of(Some(probe.mean())).min(NOISE_MOST);
        self.best = self.rate.get();
    }

    /// The window during a probe. It is at least the minimum window; otherwise a flow of few packets would never see the queue drained.
    fn probe_window(&self) -> u64 {
        let window = (self.rate_now * self.least_round_trip().as_secs_f64() * PROBE_SHARE) as u64;
        window.max(self.least_window())
    }

    fn set_window(&mut self) {
        let acknowledged = std::mem::take(&mut self.acknowledged);
        let window = match &self.phase {
            Phase::Start(_) => self.window,
            Phase::Cruise(cruise) => {
                let (least, slack) = (self.least_round_trip().as_secs_f64(), self.slack().as_secs_f64());
                let more = match cruise.haste() {
                    Some(haste) if !self.losses.is_high() => (slack * haste.times).min(least * haste.most).max(slack),
                    _ => slack * self.losses.care(),
                };
                let queue = self.noise.as_secs_f64() + more;
                // Compensates for retransmissions.
                let known = (self.rate.get() * (least + queue) / (1.0 - self.losses.rate())) as u64
                    + SPARE * u64::from(self.mtu);
                let returned = self.window + (acknowledged as f64 * RETURN) as u64;
                match cruise.haste() {
                    Some(_) => known,
                    None => known.min(returned),
                }
            }
            Phase::ProbeRtt(_) => self.probe_window(),
            // At most twice as much with each round trip, as at the start.
            Phase::Competitive(competitive) => competitive.cubic.window().min(self.window + acknowledged),
        };
        self.window = window.min(self.most()).max(self.least_window());
    }
}
