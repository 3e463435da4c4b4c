use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::far::ANSWER_MAX;
use super::far::await_message;
use super::far::is_kind;
use super::far::micros;
use super::far::start;
use super::payload::Payloads;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::Term;
use crate::lab::testbed::protocol::StreamAnswer;
use crate::lab::testbed::protocol::Verdict;
use crate::node::Context;
use crate::node::Exit;
use crate::node::Exited;
use crate::node::Message;

/// What may be unacknowledged of one pair, bytes; and messages, at least and at most.
const WINDOW_BYTES: u64 = 4_000_000;
const WINDOW_LEAST: u64 = 4;
const WINDOW_MOST: u64 = 4000;

/// Messages between pairs of processes, as fast as they are acknowledged.
pub(super) async fn stream(
    context: &mut Context,
    payloads: &Payloads,
    node: &Atom,
    (pairs, size): (u32, u64),
    limit: Duration,
) -> anyhow::Result<StreamAnswer> {
    let window = (WINDOW_BYTES / size.max(1)).clamp(WINDOW_LEAST, WINDOW_MOST);
    let senders = Senders::start(context, payloads, node, pairs, size, window).await?;
    let begin = Instant::now();
    sleep(limit).await;
    let sent = senders.end().await?;
    let us = micros(begin);
    Ok(StreamAnswer { us, ..sent })
}

/// Processes that each send messages to a receiver of their own.
pub(super) struct Senders {
    running: JoinSet<Result<anyhow::Result<Sent>, Exited>>,
    size: u64,
    flowing: mpsc::Receiver<()>,
    stop: CancellationToken,
}

/// What one of them did, and what its receiver saw.
struct Sent {
    made: u64,
    seen: u64,
    wrong: u64,
}

impl Senders {
    /// Starts `pairs` of them, each with up to `window` messages unacknowledged.
    pub(super) async fn start(
        context: &mut Context,
        payloads: &Payloads,
        node: &Atom,
        pairs: u32,
        size: u64,
        window: u64,
    ) -> anyhow::Result<Self> {
        let mut receivers = Vec::new();
        for seed in 1..=pairs {
            let role = term!({receiver, (seed), (size), ((window / 4).max(1))});
            receivers.push((start(context, node, role).await?, seed));
        }
        let (flows, flowing) = mpsc::channel(receivers.len().max(1));
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        for (receiver, seed) in receivers {
            let sender = Sender {
                receiver,
                payloads: payloads.two(seed.into(), size),
                window,
                flows: Some(flows.clone()),
                stop: stop.clone(),
            };
            let node = context.node();
            running.spawn(async move { node.run(|context| sender.run(context)).await });
        }
        Ok(Self {
            running,
            size,
            flowing,
            stop,
        })
    }

    /// Waits until every receiver has acknowledged something.
    pub(super) async fn flowing(&mut self) -> anyhow::Result<()> {
        let all = async {
            for _ in 0..self.running.len() {
                self.flowing.recv().await.context("a sender has ended")?;
            }
            anyhow::Ok(())
        };
        timeout(ANSWER_MAX, all).await.context("bulk does not flow")?
    }

    /// Ends them and compares what each sent with what its receiver saw. The time is the caller's to fill in.
    pub(super) async fn end(mut self) -> anyhow::Result<StreamAnswer> {
        self.stop.cancel();
        let (mut made, mut seen, mut wrong, mut good) = (0, 0, 0, true);
        while let Some(ended) = self.running.join_next().await {
            let sent = ended???;
            made += sent.made;
            seen += sent.seen;
            wrong += sent.wrong;
            good &= sent.made == sent.seen && sent.wrong == 0;
        }
        let size = self.size;
        let what =
            format!("{made} messages of {size} bytes sent, {seen} arrived, {wrong} of them damaged or out of order");
        Ok(StreamAnswer {
            messages: made,
            bytes: made * size,
            us: 0,
            verdict: Verdict::of(good, what),
        })
    }
}

struct Sender {
    receiver: NodePid,
    payloads: [Bytes; 2],
    window: u64,
    /// Told with the first acknowledgement.
    flows: Option<mpsc::Sender<()>>,
    stop: CancellationToken,
}

impl Sender {
    async fn run(mut self, mut context: Context) -> anyhow::Result<Sent> {
        let (mut made, mut acknowledged) = (0, 0);
        while !self.stop.is_cancelled() {
            while made - acknowledged < self.window {
                self.send(&mut context, made).await?;
                made += 1;
            }
            let stop = self.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                count = self.acknowledgement(&mut context) => acknowledged = count?,
            }
        }
        let own = context.pid().clone();
        context.send(&self.receiver, term!({verdict, (own)})).await?;
        let (seen, wrong) = await_message(&mut context, "verdict", |tuple| match tuple {
            [_, Term::Pid(from), seen, wrong] if is_kind(tuple, "verdict") && *from == self.receiver => {
                Some((u64::try_from(seen).ok()?, u64::try_from(wrong).ok()?))
            }
            _ => None,
        })
        .await?;
        Ok(Sent { made, seen, wrong })
    }

    async fn send(&self, context: &mut Context, number: u64) -> anyhow::Result<()> {
        let [even, odd] = &self.payloads;
        let payload = if number.is_multiple_of(2) { even } else { odd };
        let own = context.pid().clone();
        let message = term!({data, (own), (number), (payload.clone())});
        Ok(context.send(&self.receiver, message).await?)
    }

    async fn acknowledgement(&mut self, context: &mut Context) -> anyhow::Result<u64> {
        let count = await_message(context, "acknowledgement", |tuple| match tuple {
            [_, Term::Pid(from), count] if is_kind(tuple, "ack") && *from == self.receiver => count.try_into().ok(),
            _ => None,
        })
        .await?;
        if let Some(flows) = self.flows.take() {
            // Nobody may wait for it any more.
            let _ = flows.try_send(());
        }
        Ok(count)
    }
}

/// The far side: every message is compared byte for byte with what must come next.
pub(super) async fn receive(context: &mut Context, expected: &[Bytes; 2], ack_every: u64) -> Result<(), Exit> {
    let own = context.pid().clone();
    let (mut count, mut wrong) = (0u64, 0u64);
    loop {
        let message = match context.receive().await {
            Message::Down { .. } => return Ok(()),
            Message::Term(Term::Tuple(message)) => message,
            _ => continue,
        };
        match message.as_slice() {
            [_, Term::Pid(from), number, Term::Binary(data)] if is_kind(&message, "data") => {
                let [even, odd] = expected;
                let due = if count.is_multiple_of(2) { even } else { odd };
                wrong += u64::from(u64::try_from(number) != Ok(count) || data != due);
                count += 1;
                if count.is_multiple_of(ack_every.max(1)) {
                    context.send(from, term!({ack, (own.clone()), (count)})).await?;
                }
            }
            [_, Term::Pid(from)] if is_kind(&message, "verdict") => {
                let verdict = term!({verdict, (own.clone()), (count), (wrong)});
                context.send(from, verdict).await?;
            }
            _ => {}
        }
    }
}
