//! What a run found: the form between measuring and showing, which `--json` prints and an interrupted run is resumed from.

use serde::Deserialize;
use serde::Serialize;

/// What a run of `beamway bench` found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// The machine, the versions and the settings.
    pub about: About,
    /// What is measured, in the order in which it is shown.
    pub rows: Vec<Row>,
    /// Every measurement, in the order in which they were made.
    pub measures: Vec<Measure>,
}

/// The circumstances of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Version of this program.
    pub beamway: String,
    /// When the run began: UTC, RFC 3339.
    pub started: String,
    /// Model of the processor.
    pub machine: String,
    /// Processors that the system shows.
    pub cores: usize,
    /// Memory of the machine, bytes.
    pub memory_bytes: u64,
    /// Name and release of the kernel.
    pub kernel: String,
    /// Version of Erlang/OTP.
    pub otp: String,
    /// Versions of what TLS distribution is made of: the application `ssl`, and the library below it.
    #[serde(default)]
    pub tls: Option<String>,
    /// Name and value: rounds, length, lanes, command …
    pub settings: Vec<(String, String)>,
    /// How many rounds are wanted.
    pub rounds_wanted: u32,
    /// Every row was measured over every carrier in every round.
    pub complete: bool,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// One thing that is measured, over every carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its short name, which nothing else has: `messages-100-16`.
    pub key: String,
    /// Its name for people: `100 B, 16 pairs`.
    pub title: String,
    /// The section it stands in.
    pub group: Group,
    /// What its values are.
    pub unit: Unit,
    /// The line it is measured on, if not this machine's loopback: `100 Mbit/s, 20 ms, loss 0.5 %`.
    pub line: Option<String>,
}

/// Sections of the report, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Connections: one after the other, and at once.
    SetUp,
    /// Messages and bytes in a second.
    Throughput,
    /// Small calls, alone and beside bulk.
    RoundTrip,
    /// A receiver beside one that is stalled.
    Stalled,
    /// Connections with a short `net_ticktime` under full load.
    Ticks,
    /// The same on lines with a rate, a delay and losses.
    Line,
    /// Processor time of nodes and gateways.
    Processor,
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// More is better.
    MessagesPerSecond,
    /// Millions of bytes in a second; more is better.
    MegabytesPerSecond,
    /// Less is better.
    Microseconds,
    /// Processor time of all that takes part; less is better.
    MicrosecondsPerMessage,
    /// Whatever the title says, in a second; more is better.
    PerSecond,
}

/// One row over one carrier in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Key of the row.
    pub row: String,
    /// `beamway 16`, `plain`, `tuned`, `TLS`, or a name given with `--carrier`.
    pub carrier: String,
    /// From 0 on.
    pub round: u32,
    /// In the unit of the row; of round trips the median.
    pub value: f64,
    /// Share of the processors' time that others had on the host of this machine, 0 to 1.
    pub stolen: f64,
    /// That share was high each time it was tried.
    pub marked: bool,
    /// Of round trips: how they are distributed.
    pub latency: Option<Latency>,
    /// Of round trips beside streams: what those moved, MB/s.
    pub bulk: Option<f64>,
}

/// How round trips are distributed, microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many there were.
    pub samples: u64,
    /// The median.
    pub p50: f64,
    /// One in ten took longer.
    pub p90: f64,
    /// One in a hundred took longer.
    pub p99: f64,
    /// One in a thousand took longer; from 10,000 samples up.
    pub p999: Option<f64>,
    /// The longest.
    pub max: f64,
    /// Quantile (0 to 1) and microseconds, denser towards 1.
    pub curve: Vec<(f64, f64)>,
}
