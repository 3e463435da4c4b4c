//! One measurement: a line, what is sent over it, and what was found.

use std::fs;
use std::fs::File;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::bail;
use beamway::internals::congestion::Algorithm;
use beamway::lab::linkem::Cable;
use beamway::lab::linkem::Direction;
use beamway::lab::linkem::End;
use beamway::lab::linkem::LineConfig;
use beamway::lab::linkem::LineStats;
use nix::sched::CloneFlags;
use nix::sched::setns;

use crate::kernel;
use crate::quic;

/// The address of the side that receives bulk.
pub(crate) const RECEIVER: &str = "10.79.0.2";

/// How often a small call is sent, whether or not the former one was answered.
pub(crate) const CALLS: Duration = Duration::from_millis(10);

/// What is sent, again and again; its length is a prime number of bytes, so that no shift of it looks the same.
pub(crate) const PATTERN: usize = 65_521;

/// After the measurement everything sent must arrive within this.
const DRAIN: Duration = Duration::from_secs(60);

/// What carries bulk and calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Carrier {
    /// Streams of one QUIC connection.
    Quic(Algorithm),
    /// All in one connection of the kernel's TCP, with that congestion control.
    Tcp(&'static str),
    /// Nothing: the flow beside has the line for itself.
    None,
}

impl Carrier {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Quic(algorithm) => algorithm.name().to_owned(),
            Self::Tcp(name) => format!("tcp-{name}"),
            Self::None => "none".to_owned(),
        }
    }
}

/// A line and the load on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Setting {
    /// Bits per second.
    pub(crate) rate: u64,
    /// Of the empty line.
    pub(crate) rtt: Duration,
    /// Of the bottleneck, in time at its rate.
    pub(crate) buffer: Duration,
    /// 0 to 1.
    pub(crate) loss: f64,
    pub(crate) streams: u8,
    /// Bytes for each stream.
    pub(crate) outstanding: Option<u32>,
    /// Bulk goes both ways, over QUIC.
    pub(crate) both_ways: bool,
    /// Who shares the line, sending bulk too.
    pub(crate) beside: Option<Carrier>,
    /// Bytes of the largest IP packet.
    pub(crate) mtu: u16,
    pub(crate) warmup: Duration,
    pub(crate) time: Duration,
}

impl Setting {
    fn bytes_in(&self, time: Duration) -> f64 {
        self.rate as f64 / 8.0 * time.as_secs_f64()
    }

    /// Bytes of one stream under way, at most: by default the line and its buffer twice, so that no stream is short of them.
    pub(crate) fn window(&self) -> u32 {
        let line = self.bytes_in(self.rtt + self.buffer) as u32;
        self.outstanding.unwrap_or_else(|| line.saturating_mul(2).max(1 << 18))
    }

    /// Streams from the receiver to the sender.
    pub(crate) const fn back(&self) -> u8 {
        if self.both_ways { self.streams } else { 0 }
    }

    fn line(&self) -> LineConfig {
        LineConfig {
            delay: self.rtt / 2,
            loss: self.loss,
            rate: Some(self.rate),
            buffer: self.bytes_in(self.buffer) as u64,
            ..LineConfig::default()
        }
    }
}

/// What both ends of a load note. Shared, since they are one process.
#[derive(Default)]
pub(crate) struct Tally {
    /// Bytes of bulk that arrived as they were sent.
    pub(crate) bulk: AtomicU64,
    /// No more is to be sent.
    pub(crate) stop: AtomicBool,
    /// When each call was due, and how long its answer took from then.
    pub(crate) calls: Mutex<Vec<(Instant, Duration)>>,
}

impl Tally {
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn answered(&self, due: Instant) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push((due, due.elapsed()));
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) carrier: Carrier,
    pub(crate) setting: Setting,
    /// Bytes per second.
    pub(crate) bulk: f64,
    pub(crate) beside: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) calls: usize,
    /// Share of the machine's CPU time that nobody used, and that the host took away, 0 to 1.
    pub(crate) idle: f64,
    pub(crate) steal: f64,
    /// What became of the packets towards the receiver.
    pub(crate) line: LineStats,
}

impl Cell {
    pub(crate) fn measure(carrier: Carrier, setting: Setting, seed: u64) -> anyhow::Result<Self> {
        let id = std::process::id();
        let namespaces = [format!("congestion-l-{id}"), format!("congestion-r-{id}")];
        let ends =
            [(&namespaces[0], "10.79.0.1/24"), (&namespaces[1], "10.79.0.2/24")].map(|(namespace, address)| End {
                namespace: namespace.clone(),
                address: address.to_owned(),
            });
        let cable = Cable::set_up(&ends, [setting.line(), setting.line()], seed, setting.mtu)?;
        let tallies: [Arc<Tally>; 2] = Default::default();
        let [tally, beside] = &tallies;
        let beside = match setting.beside {
            Some(Carrier::Quic(algorithm)) => {
                quic::start(&namespaces, beside, algorithm, quic::PORT_BESIDE, setting)?.into()
            }
            Some(Carrier::Tcp(name)) => kernel::flow_beside(&namespaces, beside, name).into(),
            Some(Carrier::None) | None => Vec::new(),
        };
        let measured = match carrier {
            Carrier::Quic(algorithm) => quic::start(&namespaces, tally, algorithm, quic::PORT, setting)?.into(),
            Carrier::Tcp(name) => kernel::start(&namespaces, tally, name).into(),
            Carrier::None => Vec::new(),
        };
        thread::sleep(setting.warmup);
        let (began, before, cpu) = (Instant::now(), counts(&tallies), cpu());
        thread::sleep(setting.time);
        let (ended, after, cpu_after) = (Instant::now(), counts(&tallies), self::cpu());
        for tally in &tallies {
            tally.stop.store(true, Ordering::Relaxed);
        }
        let sent = [join(measured)?, join(beside)?];
        if counts(&tallies) != sent {
            bail!("of {sent:?} bytes {:?} arrived", counts(&tallies));
        }
        let seconds = (ended - began).as_secs_f64();
        let mut calls: Vec<Duration> = tally
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(due, _)| (began..ended).contains(due))
            .map(|(_, took)| *took)
            .collect();
        calls.sort_unstable();
        let at = |quantile: f64| {
            calls
                .get((calls.len() as f64 * quantile) as usize)
                .copied()
                .unwrap_or_default()
        };
        let ticks = (cpu_after[0] - cpu[0]).max(1) as f64;
        Ok(Self {
            carrier,
            setting,
            bulk: (after[0] - before[0]) as f64 / seconds,
            beside: (after[1] - before[1]) as f64 / seconds,
            p50: at(0.5),
            p99: at(0.99),
            calls: calls.len(),
            idle: (cpu_after[1] - cpu[1]) as f64 / ticks,
            steal: (cpu_after[2] - cpu[2]) as f64 / ticks,
            line: cable.stats(Direction::Forth),
        })
    }
}

/// Bytes that arrived, of what is measured and of the flow beside.
fn counts(tallies: &[Arc<Tally>; 2]) -> [u64; 2] {
    tallies.each_ref().map(|tally| tally.bulk.load(Ordering::Relaxed))
}

/// A thread of one end, and the bytes of bulk that it sent.
pub(crate) type EndThread = JoinHandle<anyhow::Result<u64>>;

/// A thread in a network namespace.
pub(crate) fn within(namespace: &str, run: impl FnOnce() -> anyhow::Result<u64> + Send + 'static) -> EndThread {
    let path = format!("/run/netns/{namespace}");
    thread::spawn(move || {
        setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?;
        run()
    })
}

/// Waits for all ends; gives the sum of what they sent.
fn join(threads: Vec<EndThread>) -> anyhow::Result<u64> {
    let deadline = Instant::now() + DRAIN;
    let mut sum = 0;
    for thread in threads {
        while !thread.is_finished() {
            if Instant::now() > deadline {
                bail!("what was sent did not arrive within {DRAIN:?}");
            }
            thread::sleep(Duration::from_millis(5));
        }
        let sent = thread.join().map_err(|_| anyhow::anyhow!("an end has panicked"))?;
        sum += sent.context("an end of the line")?;
    }
    Ok(sum)
}

/// All CPU time of the machine, idle time and stolen time since its start, ticks (`/proc/stat`, proc(5)).
fn cpu() -> [u64; 3] {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = first
        .split_whitespace()
        .skip(1)
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let at = |index: usize| fields.get(index).copied().unwrap_or_default();
    [fields.iter().sum(), at(3) + at(4), at(7)]
}

/// The bytes that are sent.
pub(crate) fn pattern() -> Vec<u8> {
    let mut state = 1u64;
    (0..PATTERN)
        .map(|_| {
            // Knuth's multiplier; the upper bits are the random ones.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

/// Whether bytes that arrived at an offset of a stream are the pattern there.
pub(crate) fn is_pattern(pattern: &[u8], offset: u64, mut bytes: &[u8]) -> bool {
    let mut start = (offset % PATTERN as u64) as usize;
    while !bytes.is_empty() {
        let size = bytes.len().min(PATTERN - start);
        let (now, later) = bytes.split_at(size);
        if pattern.get(start..start + size) != Some(now) {
            return false;
        }
        (bytes, start) = (later, 0);
    }
    true
}
