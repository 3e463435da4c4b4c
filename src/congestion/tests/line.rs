//! A simulation of senders that share a bottleneck with a drop-tail buffer, packet by packet in virtual time. Receivers acknowledge
//! every second packet. A packet that three later ones overtook counts as lost, as in RFC 9002. The model's sender is paced as in quinn.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::collections::VecDeque;
use std::collections::binary_heap::PeekMut;
use std::time::Duration;
use std::time::Instant;

use rand::RngExt;
use rand::SeedableRng;
use rand::prelude::StdRng;

use crate::congestion::Calls;
use crate::congestion::cubic::Cubic;
use crate::congestion::model::Model;
use crate::congestion::phase::Phase;

/// The size of each packet in bytes, and that of the headers below QUIC.
pub(super) const MTU: u64 = 1452;
const HEADERS: u64 = 28;

/// How often the queue is sampled.
const LOOK: Duration = Duration::from_millis(10);

/// The delay after which a single packet is acknowledged.
const ACK_DELAY: Duration = Duration::from_millis(25);

/// What decides how much is in flight.
enum Control {
    Model(Box<Model>),
    /// A rough model of the kernel's Cubic: doubles its window until the first loss.
    Tcp {
        cubic: Option<Cubic>,
        window: u64,
        /// The window has been reduced for losses of packets before this one.
        answered: u64,
    },
}

/// One sender and its receiver.
pub(super) struct Flow {
    control: Control,
    /// When it begins and ends to send.
    pub(super) begins: Duration,
    pub(super) ends: Duration,
    /// The offered load in bytes per second. `None` means that there is always more to send.
    pub(super) offered: Option<f64>,
    sent: BTreeMap<u64, Duration>,
    next: u64,
    smoothed: f64,
    pacer: Pacer,
    wakes_at: Duration,
    is_app_limited: bool,
    /// The packets that arrived. The sender knows of the first `acknowledged` of them.
    arrived: VecDeque<u64>,
    arrivals: u64,
    acknowledged: u64,
    unacknowledged: u32,
    last_heard: Duration,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives(usize, u64),
    Delayed(usize),
    /// Everything up to this arrival is acknowledged.
    Acknowledged(usize, u64),
    Wakes(usize),
    Look,
}

/// A line, its load, and the samples of its queue.
pub(super) struct Line {
    /// The rate in bytes per second.
    pub(super) rate: f64,
    pub(super) round_trip: Duration,
    /// The size of the buffer in bytes.
    pub(super) buffer: f64,
    pub(super) loss: f64,
    pub(super) is_dark: bool,
    /// The maximum extra delay of an acknowledgement. Their order is kept.
    pub(super) noise: Duration,
    /// The fraction of packets that are reordered: they arrive up to two round trips late.
    pub(super) reorder: f64,
    pub(super) flows: Vec<Flow>,
    /// How long a packet would have waited, every 10 ms.
    pub(super) queue: Vec<Duration>,
    epoch: Instant,
    now: Duration,
    idle_at: Duration,
    ordered_from: Duration,
    agenda: Agenda<Event>,
    rng: StdRng,
}

/// Future events, ordered by time.
pub(super) struct Agenda<E> {
    events: BinaryHeap<Reverse<(Duration, u64, E)>>,
    number: u64,
}

impl<E: Ord> Agenda<E> {
    pub(super) const fn new() -> Self {
        Self {
            events: BinaryHeap::new(),
            number: 0,
        }
    }

    pub(super) fn push(&mut self, at: Duration, event: E) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    /// The next event that happens up to this time, and when it happens.
    pub(super) fn pop(&mut self, until: Duration) -> Option<(Duration, E)> {
        let next = self.events.peek_mut().filter(|next| next.0.0 <= until)?;
        let Reverse((at, _, event)) = PeekMut::pop(next);
        Some((at, event))
    }
}

/// quinn's pacing: 1.25 windows per round-trip time, and at least ten packets at once after a pause.
#[derive(Default)]
pub(super) struct Pacer {
    tokens: f64,
    paced_at: Duration,
}

impl Pacer {
    /// When the next packet may be sent. `None` means now; then the packet is counted.
    pub(super) fn wait(&mut self, now: Duration, window: u64, smoothed: f64) -> Option<Duration> {
        let rate = 1.25 * window as f64 / smoothed;
        let most = (rate / 1.25 * 0.002).clamp(10.0 * MTU as f64, 256.0 * MTU as f64);
        self.tokens = (self.tokens + rate * (now - self.paced_at).as_secs_f64()).min(most);
        self.paced_at = now;
        if self.tokens < MTU as f64 {
            return Some(now + Duration::from_secs_f64((most - self.tokens) / rate));
        }
        self.tokens -= MTU as f64;
        None
    }
}

impl Flow {
    fn new(control: Control) -> Self {
        Self {
            control,
            begins: Duration::ZERO,
            ends: Duration::MAX,
            offered: None,
            sent: BTreeMap::new(),
            next: 0,
            smoothed: 0.1,
            pacer: Pacer::default(),
            wakes_at: Duration::ZERO,
            is_app_limited: false,
            arrived: VecDeque::new(),
            arrivals: 0,
            acknowledged: 0,
            unacknowledged: 0,
            last_heard: Duration::ZERO,
        }
    }

    pub(super) fn model() -> Self {
        Self::new(Control::Model(Box::new(Model::new(Instant::now(), MTU as u16))))
    }

    pub(super) fn tcp() -> Self {
        Self::new(Control::Tcp {
            cubic: None,
            window: 10 * MTU,
            answered: 0,
        })
    }

    pub(super) fn beginning(mut self, at: Duration) -> Self {
        self.begins = at;
        self
    }

    pub(super) fn calls(&self) -> Option<Calls> {
        match &self.control {
            Control::Model(model) => Some(model.calls()),
            Control::Tcp { .. } => None,
        }
    }

    pub(super) fn window(&self) -> u64 {
        match &self.control {
            Control::Model(model) => model.window(),
            Control::Tcp { cubic, window, .. } => cubic.as_ref().map_or(*window, Cubic::window),
        }
    }

    pub(super) fn is_competitive(&self) -> bool {
        matches!(&self.control, Control::Model(model) if matches!(model.phase(), Phase::Competitive(_)))
    }

    /// The number of bytes that have arrived.
    pub(super) const fn carried(&self) -> u64 {
        self.arrivals * MTU
    }

    fn in_flight(&self) -> u64 {
        self.sent.len() as u64 * MTU
    }

    /// Handles an acknowledgement, and then the losses that it reveals.
    fn on_acknowledged(&mut self, upto: u64, epoch: Instant, now: Duration) {
        let at = epoch + now;
        let (mut newest, mut bytes) = (None, 0);
        while self.acknowledged < upto {
            let packet = self.arrived.pop_front().expect("it arrived before");
            self.acknowledged += 1;
            if let Some(sent) = self.sent.remove(&packet) {
                newest = newest.max(Some((packet, sent)));
                bytes += MTU;
                if let Control::Model(model) = &mut self.control {
                    model.handle_ack(at, epoch + sent, MTU, self.is_app_limited);
                }
            }
        }
        self.last_heard = now;
        let in_flight = self.in_flight();
        if let Control::Model(model) = &mut self.control {
            model.handle_end_acks(at, in_flight, self.is_app_limited);
        }
        let Some((newest, sent)) = newest else { return };
        let round_trip = (now - sent).as_secs_f64();
        self.smoothed += (round_trip - self.smoothed) / if self.smoothed == 0.1 { 1.0 } else { 8.0 };
        match &mut self.control {
            Control::Tcp {
                cubic: Some(cubic),
                answered,
                ..
            } if newest >= *answered => cubic.on_ack(at, bytes, Duration::from_secs_f64(self.smoothed)),
            Control::Tcp {
                cubic: None, window, ..
            } => *window += bytes,
            _ => {}
        }
        let lost: Vec<(u64, Duration)> = self
            .sent
            .range(..(newest + 1).saturating_sub(3))
            .map(|(packet, sent)| (*packet, *sent))
            .collect();
        if let Some(last) = lost.last() {
            self.on_lost(&lost, epoch + last.1, at);
        }
    }

    fn on_lost(&mut self, lost: &[(u64, Duration)], sent: Instant, at: Instant) {
        for (packet, _) in lost {
            self.sent.remove(packet);
        }
        let last = lost.last().expect("one was lost").0;
        match &mut self.control {
            Control::Model(model) => model.handle_loss(at, sent, lost.len() as u64 * MTU),
            Control::Tcp {
                cubic,
                window,
                answered,
            } if last >= *answered => {
                *answered = self.next;
                match cubic {
                    Some(cubic) => cubic.on_congestion(at),
                    None => cubic.insert(Cubic::new(*window, MTU as u16, at)).on_congestion(at),
                }
            }
            Control::Tcp { .. } => {}
        }
    }

    /// Nothing has arrived for several round trips: everything in flight is lost.
    fn on_silence(&mut self, now: Duration) {
        let Some(oldest) = self.sent.values().next() else {
            return;
        };
        let silent = now.saturating_sub(self.last_heard.max(*oldest)).as_secs_f64();
        if silent < (4.0 * self.smoothed).max(0.4) {
            return;
        }
        self.sent.clear();
        self.last_heard = now;
        match &mut self.control {
            Control::Model(model) => model.handle_dark(),
            Control::Tcp { cubic, window, .. } => (*cubic, *window) = (None, 10 * MTU),
        }
    }
}

impl Line {
    /// `rate` in Mbit/s, `buffer` in time at that rate.
    pub(super) fn new(rate: f64, round_trip: Duration, buffer: Duration, flows: Vec<Flow>) -> Self {
        let rate = rate * 1e6 / 8.0;
        let mut line = Self {
            rate,
            round_trip,
            buffer: rate * buffer.as_secs_f64(),
            loss: 0.0,
            is_dark: false,
            noise: Duration::ZERO,
            reorder: 0.0,
            flows,
            queue: Vec::new(),
            epoch: Instant::now(),
            now: Duration::ZERO,
            idle_at: Duration::ZERO,
            ordered_from: Duration::ZERO,
            agenda: Agenda::new(),
            rng: StdRng::seed_from_u64(1),
        };
        line.agenda.push(Duration::ZERO, Event::Look);
        line
    }

    /// Sets the seed of the random numbers.
    pub(super) fn seeded(mut self, seed: u64) -> Self {
        self.rng = StdRng::seed_from_u64(seed);
        self
    }

    /// Runs for this time. Returns the fraction of the rate that each flow carried. The samples of the queue start afresh.
    pub(super) fn run(&mut self, time: Duration) -> Vec<f64> {
        let until = self.now + time;
        let before: Vec<u64> = self.flows.iter().map(Flow::carried).collect();
        self.queue.clear();
        while let Some((at, event)) = self.agenda.pop(until) {
            self.now = at;
            self.handle(event);
        }
        self.now = until;
        let most = self.rate * time.as_secs_f64();
        let carried = self.flows.iter().map(Flow::carried).zip(before);
        carried.map(|(after, before)| (after - before) as f64 / most).collect()
    }

    /// A quantile of the samples of the queue.
    pub(super) fn queue_at(&self, quantile: f64) -> Duration {
        let mut queue = self.queue.clone();
        queue.sort_unstable();
        queue[((queue.len() - 1) as f64 * quantile) as usize]
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrives(flow, packet) => self.arrive(flow, packet),
            Event::Delayed(flow) => self.acknowledge(flow, 1),
            Event::Acknowledged(flow, upto) => {
                let (epoch, now) = (self.epoch, self.now);
                self.flows[flow].on_acknowledged(upto, epoch, now);
                self.send(flow);
            }
            Event::Wakes(flow) => self.send(flow),
            Event::Look => {
                self.queue.push(self.idle_at.saturating_sub(self.now));
                self.agenda.push(self.now + LOOK, Event::Look);
                for flow in 0..self.flows.len() {
                    let now = self.now;
                    self.flows[flow].on_silence(now);
                    self.send(flow);
                }
            }
        }
    }

    fn arrive(&mut self, flow: usize, packet: u64) {
        let this = &mut self.flows[flow];
        this.arrived.push_back(packet);
        this.arrivals += 1;
        this.unacknowledged += 1;
        if this.unacknowledged == 1 {
            self.agenda.push(self.now + ACK_DELAY, Event::Delayed(flow));
        }
        self.acknowledge(flow, 2);
    }

    /// Acknowledges everything that arrived, if at least `least` packets wait for it.
    fn acknowledge(&mut self, flow: usize, least: u32) {
        let this = &mut self.flows[flow];
        if this.unacknowledged < least {
            return;
        }
        this.unacknowledged = 0;
        let upto = this.arrivals;
        let late = self.noise.mul_f64(self.rng.random());
        let at = (self.now + self.round_trip / 2 + late).max(self.ordered_from);
        self.ordered_from = at;
        if !self.is_dark && self.rng.random::<f64>() >= self.loss {
            self.agenda.push(at, Event::Acknowledged(flow, upto));
        }
    }

    /// Sends everything that may be sent now.
    fn send(&mut self, flow: usize) {
        let now = self.now;
        loop {
            let this = &mut self.flows[flow];
            let offered = this
                .offered
                .is_none_or(|rate| rate * now.saturating_sub(this.begins).as_secs_f64() >= (this.next * MTU) as f64);
            this.is_app_limited = !offered || !(this.begins..this.ends).contains(&now);
            if this.is_app_limited || this.in_flight() + MTU >= this.window() {
                return;
            }
            let window = this.window();
            let is_paced = matches!(this.control, Control::Model(_));
            if is_paced && let Some(at) = this.pacer.wait(now, window, this.smoothed) {
                if this.wakes_at <= now {
                    this.wakes_at = at + Duration::from_micros(1);
                    let at = this.wakes_at;
                    self.agenda.push(at, Event::Wakes(flow));
                }
                return;
            }
            let packet = this.next;
            this.next += 1;
            this.sent.insert(packet, now);
            if let Control::Model(model) = &mut this.control {
                model.handle_sent(self.epoch + now, MTU);
            }
            self.pass(flow, packet);
        }
    }

    /// Passes a packet through the bottleneck, if its buffer has room.
    fn pass(&mut self, flow: usize, packet: u64) {
        let size = (MTU + HEADERS) as f64;
        let waiting = self.idle_at.saturating_sub(self.now).as_secs_f64() * self.rate;
        if self.is_dark || waiting + size > self.buffer.max(2.0 * size) {
            return;
        }
        let passed = self.idle_at.max(self.now) + Duration::from_secs_f64(size / self.rate);
        self.idle_at = passed;
        if self.rng.random::<f64>() >= self.loss {
            let late = if self.rng.random::<f64>() < self.reorder {
                self.round_trip.mul_f64(2.0 * self.rng.random::<f64>())
            } else {
                Duration::ZERO
            };
            self.agenda
                .push(passed + self.round_trip / 2 + late, Event::Arrives(flow, packet));
        }
    }
}
