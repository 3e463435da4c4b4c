use serde::Deserialize;
use serde::Serialize;

use crate::etf::Atom;
use crate::lab::testbed::protocol::Verdict;
use crate::lab::testbed::protocol::verified;

/// What a node of `beamway_bench.erl` is told beside the commands of the testbed. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    /// To that node, by so many senders, of so many bytes, for so long.
    Stream(Atom, u32, u64, u32),
    /// To that node, for so long, one call after the other; the times at these quantiles.
    Idle(Atom, u32, Vec<f64>),
    /// To that node, for so long, a call every 10 ms, beside so many senders of messages of so many bytes with so many
    /// unacknowledged, which begin so long before; the times at these quantiles.
    Calls(Atom, u32, Option<(u32, u64, u32)>, u32, Vec<f64>),
    /// Ends the connection to that node and makes it again, so often; the times at these quantiles.
    SetUp(Atom, u32, Vec<f64>),
    /// The same with several nodes at once.
    SetUpTogether(Vec<Atom>, u32),
    /// Sends to that node without end, by so many senders, of so many bytes.
    Flood(Atom, u32, u64),
    /// Ends the flood.
    Calm,
    /// Sets `net_ticktime`, seconds.
    Ticktime(u32),
    /// Bulk and small messages both ways with that node for so long; the longest silence.
    Ticks(Atom, u32),
    /// What TCP alone moves to that node, at that address, in so long.
    Tcp(Atom, Atom, u32),
}

/// To [`Command::Idle`], [`Command::Calls`] and [`Command::SetUp`]; times in microseconds.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TimesAnswer {
    /// How many there were.
    pub(super) samples: u64,
    /// At each of the quantiles asked for.
    pub(super) times: Vec<u64>,
    /// What was sent beside them.
    #[serde(default)]
    pub(super) bytes: u64,
    /// Within this time.
    #[serde(default)]
    pub(super) us: u64,
    #[serde(flatten)]
    verdict: Verdict,
}

/// To [`Command::SetUpTogether`].
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ConnectionsAnswer {
    /// How many were made.
    pub(super) connections: u64,
    /// Within this time, microseconds.
    pub(super) us: u64,
    #[serde(flatten)]
    verdict: Verdict,
}

/// To [`Command::Ticks`].
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TicksAnswer {
    /// The longest time without a small message in either direction, microseconds.
    pub(super) silence: u64,
    #[serde(flatten)]
    verdict: Verdict,
}

verified!(TimesAnswer, ConnectionsAnswer, TicksAnswer);
