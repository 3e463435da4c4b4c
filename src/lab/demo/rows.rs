use serde::Serialize;

use crate::lab::testbed::pairs::Pair;
use crate::lab::testbed::protocol::CallsAnswer;
use crate::lab::testbed::protocol::Command;
use crate::lab::testbed::protocol::RoundTripsAnswer;
use crate::lab::testbed::protocol::StreamAnswer;
use crate::lab::testbed::protocol::TransferAnswer;
use crate::lab::testbed::rates::float;
use crate::lab::testbed::rates::per_second;

/// Callers that call at the same time.
pub const CALLERS: u32 = 64;

/// Size of the one big message, bytes. All sizes are decimal: 1 MB = 1,000,000 bytes.
pub const BIG_BYTES: u64 = 64_000_000;

/// Times that it is sent, at most; the median counts.
const BIG_TIMES_MAX: u32 = 5;

/// How long each row measures, milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Durations {
    /// Calls by many callers.
    pub calls: u32,
    /// No further big message after this.
    pub transfer: u32,
    /// Round trips alone.
    pub alone: u32,
    /// Round trips beside bulk. The longest, as a slow carrier gives few samples.
    pub beside: u32,
}

impl Durations {
    /// For the demo: 8.5 s and three warm-ups per carrier, so that three carriers and the start of six nodes stay well
    /// under a minute on a busy machine.
    pub const DEMO: Self = Self {
        calls: 2000,
        transfer: 1500,
        alone: 2000,
        beside: 3000,
    };
}

/// Messages in flight beside the calls: `streams` senders with one message of `bytes` each.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bulk {
    /// Pairs of a sender and a receiver.
    pub streams: u32,
    /// Size of a message.
    pub bytes: u64,
}

impl Bulk {
    /// Four transfers of 4 MB.
    pub const DEMO: Self = Self {
        streams: 4,
        bytes: 4_000_000,
    };
}

/// `gen_server` calls by many callers.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Calls {
    /// Calls that were answered, all of them counted by the servers.
    pub count: u64,
    /// Calls per second, all callers together.
    pub per_second: f64,
    /// The far node saw exactly what was sent. Always so: anything else ends the run.
    pub verified: bool,
}

/// One message of [`BIG_BYTES`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Transfer {
    /// Times it was sent. Each arrived with its checksum.
    pub count: usize,
    /// Until it was in the receiver's mailbox, median.
    pub milliseconds: f64,
    /// The same as a rate, 10^6 bytes per second.
    pub megabytes_per_second: f64,
    /// The far node saw exactly what was sent. Always so: anything else ends the run.
    pub verified: bool,
}

/// Round trips of small calls.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RoundTrips {
    /// Calls made.
    pub count: u64,
    /// Half of the calls took no longer, microseconds.
    pub p50_us: u64,
    /// Nine in ten took no longer.
    pub p90_us: u64,
    /// 99 in a hundred took no longer.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
    /// What was moved beside them, 10^6 bytes per second.
    pub bulk_megabytes_per_second: Option<f64>,
    /// The far node saw exactly what was sent. Always so: anything else ends the run.
    pub verified: bool,
}

/// A stream of messages between pairs of processes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Stream {
    /// Messages per second, all pairs together.
    pub messages_per_second: f64,
    /// 10^6 bytes of payload per second.
    pub megabytes_per_second: f64,
    /// The far node saw exactly what was sent. Always so: anything else ends the run.
    pub verified: bool,
}

/// Calls by [`CALLERS`] callers to 16 servers for `ms` milliseconds.
///
/// # Errors
///
/// When a call fails, is lost, doubled or overtaken.
pub async fn calls(pair: &mut Pair, ms: u32) -> anyhow::Result<Calls> {
    let command = Command::Calls(pair.b.atom()?, CALLERS, ms);
    let answer: CallsAnswer = pair.measure(&command).await?;
    Ok(Calls {
        count: answer.calls,
        per_second: per_second(answer.calls, answer.us),
        verified: answer.verdict.verified,
    })
}

/// A message of [`BIG_BYTES`], again and again until `ms` milliseconds are over, at most five times.
///
/// # Errors
///
/// When one arrives with another size or checksum, or not at all.
pub async fn transfer(pair: &mut Pair, ms: u32) -> anyhow::Result<Transfer> {
    let command = Command::Transfer(pair.b.atom()?, BIG_BYTES, BIG_TIMES_MAX, ms);
    let mut answer: TransferAnswer = pair.measure(&command).await?;
    answer.us.sort_unstable();
    let Some(median) = answer.us.get(answer.us.len() / 2).copied() else {
        anyhow::bail!("no message was sent");
    };
    Ok(Transfer {
        count: answer.us.len(),
        milliseconds: float(median) / 1e3,
        megabytes_per_second: per_second(answer.bytes, median) / 1e6,
        verified: answer.verdict.verified,
    })
}

/// Round trips for `ms` milliseconds. Without `bulk`: one call after the other. Beside `bulk`: a call every 5 ms whether
/// or not those before it were answered, so that a carrier that holds calls up is not asked less often while it does.
///
/// # Errors
///
/// When a call fails, or a message of the bulk is lost, damaged or overtaken.
pub async fn round_trips(pair: &mut Pair, ms: u32, bulk: Option<Bulk>) -> anyhow::Result<RoundTrips> {
    let beside = bulk.map(|bulk| (bulk.streams, bulk.bytes));
    let command = Command::RoundTrips(pair.b.atom()?, ms, beside);
    let answer: RoundTripsAnswer = pair.measure(&command).await?;
    Ok(RoundTrips {
        count: answer.samples,
        p50_us: answer.p50,
        p90_us: answer.p90,
        p99_us: answer.p99,
        max_us: answer.max,
        bulk_megabytes_per_second: bulk.map(|_| per_second(answer.bytes, answer.us) / 1e6),
        verified: answer.verdict.verified,
    })
}

/// Messages of `bytes` between `pairs` pairs of processes for `ms` milliseconds.
///
/// # Errors
///
/// When a message is lost, damaged or overtaken.
pub async fn stream(pair: &mut Pair, pairs: u32, bytes: u64, ms: u32) -> anyhow::Result<Stream> {
    let command = Command::Stream(pair.b.atom()?, pairs, bytes, ms);
    let answer: StreamAnswer = pair.measure(&command).await?;
    Ok(Stream {
        messages_per_second: per_second(answer.messages, answer.us),
        megabytes_per_second: per_second(answer.bytes, answer.us) / 1e6,
        verified: answer.verdict.verified,
    })
}
