use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep;

use super::far::ANSWER_MAX;
use super::far::SERVERS;
use super::far::micros;
use super::far::start;
use super::payload::Payloads;
use super::stream;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::Term;
use crate::lab::testbed::protocol::CallsAnswer;
use crate::lab::testbed::protocol::RoundTripsAnswer;
use crate::lab::testbed::protocol::Verdict;
use crate::node::Context;
use crate::node::Exited;

/// Calls that nobody measures come first, for at most this time.
const WARM_CALLS: Duration = Duration::from_millis(300);
const WARM_ROUND_TRIPS: Duration = Duration::from_millis(200);

/// A call beside bulk is made this often.
const PAUSE: Duration = Duration::from_millis(5);

/// `gen_server` calls by many callers.
pub(super) async fn calls(
    context: &mut Context,
    node: &Atom,
    callers: u32,
    limit: Duration,
) -> anyhow::Result<CallsAnswer> {
    let servers = servers(context, node).await?;
    let warm = call_for(context, &servers, "warm", callers, limit.min(WARM_CALLS)).await?;
    let begin = Instant::now();
    let calls = call_for(context, &servers, "counted", callers, limit).await?;
    let us = micros(begin);
    let verdict = verdict(context, &servers, warm + calls).await?;
    Ok(CallsAnswer { calls, us, verdict })
}

async fn servers(context: &mut Context, node: &Atom) -> anyhow::Result<Vec<NodePid>> {
    let mut servers = Vec::new();
    while servers.len() < SERVERS {
        servers.push(start(context, node, term!(echo)).await?);
    }
    Ok(servers)
}

/// Calls made by all callers until the time is over. A caller keeps to one server, so that its count stays whole.
async fn call_for(
    context: &Context,
    servers: &[NodePid],
    round: &'static str,
    callers: u32,
    limit: Duration,
) -> anyhow::Result<u64> {
    let deadline = Instant::now() + limit;
    let mut calling = JoinSet::new();
    for (caller, server) in (1..=callers).zip(servers.iter().cycle().skip(1)) {
        let (node, server) = (context.node(), server.clone());
        let caller = term!({(Term::atom(round)), (caller)});
        calling.spawn(async move { node.run(|context| call_until(context, server, caller, deadline)).await });
    }
    ended(calling).await.map(|made: Vec<u64>| made.iter().sum())
}

async fn call_until(mut context: Context, server: NodePid, caller: Term, deadline: Instant) -> anyhow::Result<u64> {
    let mut made = 0;
    loop {
        call(&mut context, &server, &caller, made).await?;
        made += 1;
        if Instant::now() >= deadline {
            return Ok(made);
        }
    }
}

/// What all processes found. Those that still run are ended with the first that fails.
async fn ended<T: 'static>(mut running: JoinSet<Result<anyhow::Result<T>, Exited>>) -> anyhow::Result<Vec<T>> {
    let mut found = Vec::new();
    while let Some(ended) = running.join_next().await {
        found.push(ended???);
    }
    Ok(found)
}

async fn call(context: &mut Context, server: &NodePid, caller: &Term, number: u64) -> anyhow::Result<()> {
    let request = term!({echo, (caller.clone()), (number)});
    let reply = context.call(server, request, ANSWER_MAX).await.context("a call")?;
    let expected = term!({echoed, (caller.clone()), (number)});
    anyhow::ensure!(reply == expected, "{expected} was due, {reply} came");
    Ok(())
}

async fn verdict(context: &mut Context, servers: &[NodePid], made: u64) -> anyhow::Result<Verdict> {
    let (mut seen, mut strays) = (0, 0);
    for server in servers {
        let counts = context
            .call(server, term!(verdict), ANSWER_MAX)
            .await
            .context("a verdict")?;
        let Some([calls, strayed]) = counts.as_tuple() else {
            anyhow::bail!("{counts} is no verdict");
        };
        seen += u64::try_from(calls)?;
        strays += u64::try_from(strayed)?;
    }
    let wrong = format!("{made} calls made, {seen} arrived, {strays} out of order");
    Ok(Verdict::of(seen == made && strays == 0, wrong))
}

/// Round trips of small calls, alone: one caller, one call after the other.
pub(super) async fn alone(context: &mut Context, node: &Atom, limit: Duration) -> anyhow::Result<RoundTripsAnswer> {
    let servers = servers(context, node).await?;
    let warm = one_by_one(context, &servers, "warm", limit.min(WARM_ROUND_TRIPS)).await?;
    let times = one_by_one(context, &servers, "counted", limit).await?;
    let made = warm.len() + times.len();
    let verdict = verdict(context, &servers, made as u64).await?;
    Ok(percentiles(times, verdict))
}

async fn one_by_one(
    context: &mut Context,
    servers: &[NodePid],
    round: &'static str,
    limit: Duration,
) -> anyhow::Result<Vec<u64>> {
    let deadline = Instant::now() + limit;
    let mut times = Vec::new();
    for (number, server) in servers.iter().cycle().enumerate() {
        let begin = Instant::now();
        let caller = term!({(Term::atom(round)), (number)});
        call(context, server, &caller, 0).await?;
        times.push(micros(begin));
        if Instant::now() >= deadline {
            break;
        }
    }
    Ok(times)
}

/// Round trips beside bulk: a call every 5 ms, whether the ones before it have been answered or not; else a carrier that
/// holds calls up would be asked less often just while it does.
pub(super) async fn beside(
    context: &mut Context,
    payloads: &Payloads,
    node: &Atom,
    limit: Duration,
    (streams, size): (u32, u64),
) -> anyhow::Result<RoundTripsAnswer> {
    let servers = servers(context, node).await?;
    let begin = Instant::now();
    let mut senders = stream::Senders::start(context, payloads, node, streams, size, 1).await?;
    senders.flowing().await?;
    let times = every(context, &servers, limit).await?;
    let bulk = senders.end().await?;
    let us = micros(begin);
    let calls = verdict(context, &servers, times.len() as u64).await?;
    let verdict = if calls.verified { bulk.verdict } else { calls };
    Ok(RoundTripsAnswer {
        bytes: bulk.bytes,
        us,
        ..percentiles(times, verdict)
    })
}

async fn every(context: &Context, servers: &[NodePid], limit: Duration) -> anyhow::Result<Vec<u64>> {
    let deadline = Instant::now() + limit;
    let mut calling = JoinSet::new();
    for (number, server) in servers.iter().cycle().enumerate() {
        let (node, server) = (context.node(), server.clone());
        let caller = term!({beside, (number)});
        calling.spawn(async move { node.run(|context| timed(context, server, caller)).await });
        sleep(PAUSE).await;
        if Instant::now() >= deadline {
            break;
        }
    }
    ended(calling).await
}

async fn timed(mut context: Context, server: NodePid, caller: Term) -> anyhow::Result<u64> {
    let begin = Instant::now();
    call(&mut context, &server, &caller, 0).await?;
    Ok(micros(begin))
}

/// Of times in any order; all zero if there is none.
pub(super) fn percentiles(mut times: Vec<u64>, verdict: Verdict) -> RoundTripsAnswer {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(place).copied().unwrap_or_default()
    };
    RoundTripsAnswer {
        samples: times.len() as u64,
        p50: at(50),
        p90: at(90),
        p99: at(99),
        max: at(100),
        bytes: 0,
        us: 0,
        verdict,
    }
}
