use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use rand::RngExt;
use rand::SeedableRng;
use rand::prelude::StdRng;

use super::config::LineConfig;
use super::stats::LineStats;

/// One direction of a line: packets go in, and come out later, changed in number and order as the configuration says.
///
/// A packet first waits in the buffer of the bottleneck, passes it at the line's rate, and is then lost, held back, doubled
/// or simply delayed. For the same seed the n-th packet that passes the bottleneck has the same fate in every run, whenever
/// it comes: the same number of random numbers is drawn for each.
#[derive(Debug)]
pub struct Line {
    config: LineConfig,
    rng: StdRng,
    /// When the bottleneck has passed everything that came in so far.
    idle_at: Instant,
    /// What has not passed the bottleneck yet: when it will have, and its bytes.
    buffered: VecDeque<(Instant, u64)>,
    buffered_bytes: u64,
    /// A burst of losses is going on.
    losing: bool,
    /// No packet that keeps its order arrives before this.
    ordered_from: Instant,
    underway: BinaryHeap<Reverse<Underway>>,
    stats: LineStats,
}

/// A packet on the way, in the order of arrival; of those that arrive together, in the order of coming in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Underway {
    arrives: Instant,
    number: u64,
    packet: Bytes,
}

/// What chance has in store for one packet: a number from 0 to 1 for each question.
struct Fate {
    loss: f64,
    jitter: f64,
    reorder: f64,
    late: f64,
    duplicate: f64,
}

impl Line {
    /// An empty line.
    pub fn new(config: LineConfig, seed: u64, now: Instant) -> Self {
        Self {
            config,
            rng: StdRng::seed_from_u64(seed),
            idle_at: now,
            buffered: VecDeque::new(),
            buffered_bytes: 0,
            losing: false,
            ordered_from: now,
            underway: BinaryHeap::new(),
            stats: LineStats::default(),
        }
    }

    /// What the line does to packets that come in from now on.
    pub const fn config(&self) -> &LineConfig {
        &self.config
    }

    /// Changes what the line does to packets that come in from now on.
    pub fn set_config(&mut self, config: LineConfig) {
        self.config = config;
    }

    /// What became of the packets so far.
    pub const fn stats(&self) -> LineStats {
        self.stats
    }

    /// A packet comes in.
    pub fn handle_packet(&mut self, packet: Bytes, now: Instant) {
        self.stats.entered += 1;
        if self.config.blackout {
            self.stats.blacked_out += 1;
            return;
        }
        let Some(departs) = self.pass_bottleneck(packet.len() as u64, now) else {
            self.stats.overflowed += 1;
            return;
        };
        let fate = self.fate();
        if self.is_lost(fate.loss) {
            self.stats.lost += 1;
            return;
        }
        let mut arrives = departs + self.config.delay + self.config.jitter.mul_f64(fate.jitter);
        if fate.reorder < self.config.reorder {
            self.stats.reordered += 1;
            arrives += self.config.late.mul_f64(fate.late);
        } else {
            arrives = arrives.max(self.ordered_from);
            self.ordered_from = arrives;
        }
        if fate.duplicate < self.config.duplicate {
            self.stats.duplicated += 1;
            self.send(packet.clone(), arrives, 1);
        }
        self.send(packet, arrives, 0);
    }

    /// When the next packet comes out, unless another comes in first.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.underway.peek().map(|Reverse(next)| next.arrives)
    }

    /// A packet that has arrived by now, in the order of arrival.
    pub fn poll_packet(&mut self, now: Instant) -> Option<Bytes> {
        self.poll_timeout().filter(|arrives| *arrives <= now)?;
        let Reverse(next) = self.underway.pop()?;
        self.stats.delivered += 1;
        self.stats.delivered_bytes += next.packet.len() as u64;
        Some(next.packet)
    }

    /// When a packet of that size has passed the bottleneck; `None` when the buffer has no room for it.
    fn pass_bottleneck(&mut self, size: u64, now: Instant) -> Option<Instant> {
        let Some(rate) = self.config.rate else { return Some(now) };
        while let Some((_, bytes)) = self.buffered.front().filter(|(departs, _)| *departs <= now) {
            self.buffered_bytes -= bytes;
            self.buffered.pop_front();
        }
        // The packet that is just passing is in the buffer too; an idle bottleneck takes a packet of any size.
        if !self.buffered.is_empty() && self.buffered_bytes + size > self.config.buffer {
            return None;
        }
        let departs = self.idle_at.max(now) + Duration::from_secs_f64(size as f64 * 8.0 / rate as f64);
        self.idle_at = departs;
        self.buffered.push_back((departs, size));
        self.buffered_bytes += size;
        Some(departs)
    }

    fn fate(&mut self) -> Fate {
        Fate {
            loss: self.rng.random(),
            jitter: self.rng.random(),
            reorder: self.rng.random(),
            late: self.rng.random(),
            duplicate: self.rng.random(),
        }
    }

    /// With bursts: the model of Gilbert, whose two states change so that `loss` is the long-term fraction and `burst` the
    /// mean stay in the losing state.
    fn is_lost(&mut self, chance: f64) -> bool {
        let LineConfig { loss, burst, .. } = self.config;
        if burst == 0.0 || loss >= 1.0 {
            return chance < loss;
        }
        let change = if self.losing {
            1.0 / burst
        } else {
            loss / (burst * (1.0 - loss))
        };
        if chance < change {
            self.losing = !self.losing;
        }
        self.losing
    }

    fn send(&mut self, packet: Bytes, arrives: Instant, copy: u64) {
        let number = self.stats.entered * 2 + copy;
        self.underway.push(Reverse(Underway {
            arrives,
            number,
            packet,
        }));
    }
}
