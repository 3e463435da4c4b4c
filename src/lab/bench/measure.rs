use std::time::Duration;

use tokio::time::sleep;

use super::cluster::TestCluster;
use super::findings::Latency;
use super::near::Near;
use super::protocol::Command;
use super::protocol::ConnectionsAnswer;
use super::protocol::TicksAnswer;
use super::protocol::TimesAnswer;
use super::quantiles;
use super::rows::BESIDE_STALLED;
use super::rows::Bulk;
use super::rows::TICKTIME;
use super::rows::TOGETHER;
use super::rows::Task;
use super::rows::What;
use crate::lab::testbed::protocol;
use crate::lab::testbed::protocol::StreamAnswer;
use crate::lab::testbed::rates::float;
use crate::lab::testbed::rates::megabytes_per_second;
use crate::lab::testbed::rates::per_second;

/// What nodes have by default, seconds.
const TICKTIME_DEFAULT: u32 = 60;

/// Until a flood has filled whatever stands before a node that does not read.
const FILL: Duration = Duration::from_millis(300);

/// Calls beside it, milliseconds: a node that is stopped for longer is taken for dead.
const STALLED_MAX: u32 = 20_000;

/// The flood: senders, and bytes of a message.
const FLOOD: (u32, u64) = (4, 100_000);

/// How long things are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Streams, and calls one after the other, milliseconds.
    pub(super) stream: u32,
    /// Calls in the open loop, a hundred a second.
    pub(super) calls: u32,
    /// The same on lines.
    pub(super) line_calls: u32,
    /// Bulk on lines runs so long before the calls begin.
    pub(super) line_warm: u32,
    /// Ticks under load.
    pub(super) ticks: u32,
    /// Connections one after the other.
    pub(super) set_ups: u32,
}

/// What one task found, in the order of its rows.
pub(super) struct Value {
    pub(super) value: f64,
    pub(super) latency: Option<Latency>,
    pub(super) bulk: Option<f64>,
}

impl Value {
    fn plain(value: f64) -> Self {
        Self {
            value,
            latency: None,
            bulk: None,
        }
    }

    fn times(answer: &TimesAnswer, bulk: Option<f64>) -> anyhow::Result<Self> {
        let latency = quantiles::latency(answer.samples, &answer.times)
            .ok_or_else(|| anyhow::anyhow!("{} samples, but no times of them", answer.samples))?;
        Ok(Self {
            value: latency.p50,
            latency: Some(latency),
            bulk,
        })
    }
}

/// Measures a task over one carrier.
pub(super) async fn measure(
    task: &Task,
    cluster: &mut TestCluster<'_>,
    lengths: &Lengths,
) -> anyhow::Result<Vec<Value>> {
    match task.what {
        What::SetUp => {
            let command = Command::SetUp(cluster.far()?, lengths.set_ups, quantiles::wanted());
            Ok(vec![Value::times(&cluster.measure(&command).await?, None)?])
        }
        What::SetUpTogether => set_up_together(cluster, lengths.set_ups.div_ceil(TOGETHER)).await,
        What::Stalled => stalled(cluster, lengths).await,
        What::Ticks => ticks(cluster, lengths.ticks).await,
        What::Stream { .. } | What::Idle | What::Calls(_) => passing(task, cluster, lengths).await,
    }
}

/// Measures what only needs two connected nodes, and leaves them as they were.
pub(super) async fn passing(task: &Task, near: &mut impl Near, lengths: &Lengths) -> anyhow::Result<Vec<Value>> {
    match task.what {
        What::Stream { pairs, bytes } => stream(near, pairs, bytes, lengths.stream).await,
        What::Idle => {
            let command = Command::Idle(near.far()?, lengths.stream, quantiles::wanted());
            Ok(vec![Value::times(&near.measure(&command).await?, None)?])
        }
        What::Calls(bulk) => {
            let (ms, warm) = match task.line {
                Some(_) => (lengths.line_calls, lengths.line_warm),
                None => (lengths.calls, 0),
            };
            Ok(vec![calls(near, bulk, ms, warm).await?])
        }
        other => anyhow::bail!("{other:?} needs nodes of its own"),
    }
}

async fn stream(near: &mut impl Near, pairs: u32, bytes: u64, ms: u32) -> anyhow::Result<Vec<Value>> {
    let before = near.processor_us();
    let command = Command::Stream(near.far()?, pairs, bytes, ms);
    let answer: StreamAnswer = near.measure(&command).await?;
    let used = near.processor_us().zip(before).map(|(after, before)| after - before);
    let rate = match bytes {
        0..1000 => per_second(answer.messages, answer.us),
        _ => megabytes_per_second(answer.bytes, answer.us),
    };
    let each = used.map(|used| Value::plain(used / float(answer.messages.max(1))));
    Ok([Some(Value::plain(rate)), each].into_iter().flatten().collect())
}

async fn calls(near: &mut impl Near, bulk: Option<Bulk>, ms: u32, warm: u32) -> anyhow::Result<Value> {
    let beside = bulk.map(|bulk| (bulk.streams, bulk.bytes, bulk.window));
    let command = Command::Calls(near.far()?, ms, beside, warm, quantiles::wanted());
    let answer: TimesAnswer = near.measure(&command).await?;
    let moved = bulk.map(|_| megabytes_per_second(answer.bytes, answer.us));
    Value::times(&answer, moved)
}

/// Needs more nodes than two, for as long as it takes.
async fn set_up_together(cluster: &mut TestCluster<'_>, times: u32) -> anyhow::Result<Vec<Value>> {
    let mut guests = Vec::new();
    for number in 0..TOGETHER {
        guests.push(cluster.guest(&format!("guest{number}")).await?);
    }
    let mut nodes = Vec::new();
    for guest in &guests {
        let node = guest.node()?.atom()?;
        let _: protocol::Pong = cluster.pair.a.ask(&protocol::Command::Ping(node.clone())).await?;
        nodes.push(node);
    }
    let measured: anyhow::Result<ConnectionsAnswer> = cluster.measure(&Command::SetUpTogether(nodes, times)).await;
    for guest in guests {
        guest.leave().await;
    }
    let ConnectionsAnswer { connections, us, .. } = measured?;
    Ok(vec![Value::plain(per_second(connections, us))])
}

/// A third node beside the far one is flooded and does not read.
async fn stalled(cluster: &mut TestCluster<'_>, lengths: &Lengths) -> anyhow::Result<Vec<Value>> {
    let guest = cluster.guest("stalled").await?;
    let node = guest.node()?.atom()?;
    let _: protocol::Pong = cluster.pair.a.ask(&protocol::Command::Ping(node.clone())).await?;
    let (senders, bytes) = FLOOD;
    let _: serde_json::Value = cluster.pair.a.ask(&Command::Flood(node, senders, bytes)).await?;
    guest.stop();
    sleep(FILL).await;
    let (pairs, bytes) = BESIDE_STALLED;
    let streamed = stream(cluster, pairs, bytes, lengths.stream).await;
    let called = calls(cluster, None, lengths.calls.min(STALLED_MAX), 0).await;
    let _: serde_json::Value = cluster.pair.a.ask(&Command::Calm).await?;
    guest.leave().await;
    // The processor time also is that of the flood.
    Ok(streamed?.into_iter().take(1).chain([called?]).collect())
}

async fn ticks(cluster: &mut TestCluster<'_>, ms: u32) -> anyhow::Result<Vec<Value>> {
    ticktime(cluster, TICKTIME).await?;
    let command = Command::Ticks(cluster.far()?, ms);
    let measured: anyhow::Result<TicksAnswer> = cluster.measure(&command).await;
    ticktime(cluster, TICKTIME_DEFAULT).await?;
    Ok(vec![Value::plain(float(measured?.silence))])
}

async fn ticktime(cluster: &mut TestCluster<'_>, seconds: u32) -> anyhow::Result<()> {
    for node in [&mut cluster.pair.a, &mut cluster.pair.b] {
        let _: serde_json::Value = node.ask(&Command::Ticktime(seconds)).await?;
    }
    Ok(())
}
