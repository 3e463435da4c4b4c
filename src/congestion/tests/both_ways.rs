//! Two senders that send to each other, each with more data than the line carries. quinn sends no separate acknowledgement while data
//! waits for the window or for pacing: acknowledgements are carried by data, or by the two probes after a timeout (RFC 9002 §6.2).

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use super::line::Agenda;
use super::line::MTU;
use super::line::Pacer;
use crate::congestion::model::Model;

const DELAY: Duration = Duration::from_millis(10);
const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
const PROBES: u32 = 2;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A packet arrives at this end, with an acknowledgement of everything up to this packet of its own.
    Arrives(usize, u64),
    Wakes(usize),
}

struct End {
    model: Model,
    pacer: Pacer,
    /// When the unacknowledged packets were sent, from packet `first` on.
    sent: VecDeque<Duration>,
    first: u64,
    arrived: u64,
    /// The number of these that have been acknowledged, and when the first of the others arrived.
    answered: u64,
    waits_from: Duration,
    smoothed: f64,
    varied: f64,
    /// The number of packets that may be sent regardless of the window.
    probes: u32,
    /// The number of timeouts since the last acknowledgement, and when the next one is due.
    timeouts: u32,
    times_out_at: Duration,
    /// When that is checked.
    alarm: Duration,
    /// When the last packet will have passed the line.
    idle_at: Duration,
}

/// The line, with a rate in bytes per second in each direction, and a buffer that holds everything.
struct Lines {
    rate: f64,
    ends: [End; 2],
    epoch: Instant,
    now: Duration,
    agenda: Agenda<Event>,
    /// The number of timeouts at both ends.
    timeouts: u32,
}

impl End {
    fn new(epoch: Instant) -> Self {
        Self {
            model: Model::new(epoch, MTU as u16),
            pacer: Pacer::default(),
            sent: VecDeque::new(),
            first: 0,
            arrived: 0,
            answered: 0,
            waits_from: Duration::ZERO,
            smoothed: 0.1,
            varied: 0.05,
            probes: 0,
            timeouts: 0,
            times_out_at: Duration::MAX,
            alarm: Duration::ZERO,
            idle_at: Duration::ZERO,
        }
    }

    /// The packets that the next packet acknowledges. quinn leaves acknowledgements out of full packets until there are two, or one has
    /// waited.
    fn acknowledge(&mut self, now: Duration) -> u64 {
        if self.arrived > self.answered + 1 || now >= self.waits_from + MAX_ACK_DELAY {
            self.answered = self.arrived;
        }
        self.answered
    }

    fn on_acknowledged(&mut self, upto: u64, epoch: Instant, now: Duration) {
        let mut newest = None;
        while self.first < upto {
            let sent = self.sent.pop_front().expect("it was sent before it arrived");
            self.first += 1;
            self.model.handle_ack(epoch + now, epoch + sent, MTU, false);
            newest = Some(sent);
        }
        let Some(sent) = newest else { return };
        let in_flight = self.sent.len() as u64 * MTU;
        self.model.handle_end_acks(epoch + now, in_flight, false);
        let round_trip = (now - sent).as_secs_f64();
        self.varied += ((round_trip - self.smoothed).abs() - self.varied) / 4.0;
        self.smoothed += (round_trip - self.smoothed) / 8.0;
        self.timeouts = 0;
        self.set_timeout(now);
    }

    fn set_timeout(&mut self, now: Duration) {
        let time = Duration::from_secs_f64(self.smoothed + (4.0 * self.varied).max(0.001)) + MAX_ACK_DELAY;
        self.times_out_at = now + time * (1 << self.timeouts.min(6));
    }
}

impl Lines {
    /// `rate` in Mbit/s.
    fn new(rate: f64) -> Self {
        let epoch = Instant::now();
        let mut lines = Self {
            rate: rate * 1e6 / 8.0,
            ends: [End::new(epoch), End::new(epoch)],
            epoch,
            now: Duration::ZERO,
            agenda: Agenda::new(),
            timeouts: 0,
        };
        lines.agenda.push(Duration::ZERO, Event::Wakes(0));
        lines.agenda.push(DELAY / 2, Event::Wakes(1));
        lines
    }

    /// Runs for this time. Returns the fraction of the rate that arrived at each end.
    fn run(&mut self, time: Duration) -> [f64; 2] {
        let until = self.now + time;
        let before = self.ends.each_ref().map(|end| end.arrived);
        while let Some((at, event)) = self.agenda.pop(until) {
            self.now = at;
            self.handle(event);
        }
        self.now = until;
        let most = self.rate * time.as_secs_f64();
        [0, 1].map(|end| (self.ends[end].arrived - before[end]) as f64 * MTU as f64 / most)
    }

    fn handle(&mut self, event: Event) {
        let (epoch, now) = (self.epoch, self.now);
        let end = match event {
            Event::Arrives(end, upto) => {
                let this = &mut self.ends[end];
                if this.answered == this.arrived {
                    this.waits_from = now;
                }
                this.arrived += 1;
                this.on_acknowledged(upto, epoch, now);
                end
            }
            Event::Wakes(end) => {
                let this = &mut self.ends[end];
                if this.times_out_at <= now {
                    this.probes += PROBES;
                    this.timeouts += 1;
                    this.set_timeout(now);
                    self.timeouts += 1;
                }
                end
            }
        };
        self.send(end);
        let this = &mut self.ends[end];
        let at = this.times_out_at;
        if this.alarm <= now || at < this.alarm {
            this.alarm = at;
            self.agenda.push(at, Event::Wakes(end));
        }
    }

    fn send(&mut self, end: usize) {
        let now = self.now;
        loop {
            let this = &mut self.ends[end];
            let window = this.model.window();
            let is_full = (this.sent.len() as u64 + 1) * MTU >= window;
            if this.probes == 0 && is_full {
                return;
            }
            if this.probes == 0
                && let Some(at) = this.pacer.wait(now, window, this.smoothed)
            {
                self.agenda.push(at + Duration::from_micros(1), Event::Wakes(end));
                return;
            }
            this.probes = this.probes.saturating_sub(1);
            this.sent.push_back(now);
            this.model.handle_sent(self.epoch + now, MTU);
            this.set_timeout(now);
            let upto = this.acknowledge(now);
            this.idle_at = this.idle_at.max(now) + Duration::from_secs_f64(MTU as f64 / self.rate);
            let arrives_at = this.idle_at + DELAY;
            self.agenda.push(arrives_at, Event::Arrives(1 - end, upto));
        }
    }
}

/// Otherwise windows of about ten packets would be sent at once at both ends, and then wait for a timeout, again and again.
#[test]
fn both_ways_a_slow_line_is_full() {
    for rate in [0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 20.0, 100.0] {
        let mut lines = Lines::new(rate);
        lines.run(Duration::from_secs(5));
        let before = lines.timeouts;
        let shares = lines.run(Duration::from_secs(20));
        let timeouts = lines.timeouts - before;
        let seen = format!("{rate} Mbit/s: {shares:.2?}, {timeouts} timeouts");
        assert!(shares.into_iter().all(|share| share > 0.8), "{seen}");
        assert!(timeouts <= 6, "{seen}");
        let queue = lines.ends[0].idle_at.saturating_sub(lines.now);
        let packets = Duration::from_secs_f64(18.0 * MTU as f64 / lines.rate);
        assert!(queue < packets.max(Duration::from_millis(15)), "{seen}, {queue:?}");
    }
}
