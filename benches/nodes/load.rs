//! What native nodes are loaded with, and how the receivers prove what came.

use std::sync::LazyLock;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use beamway::etf::Atom;
use beamway::etf::NodePid;
use beamway::etf::Pid;
use beamway::etf::Term;
use beamway::internals::dist::Target;
use beamway::internals::dist::send_term;
use beamway::node::Context;
use beamway::node::GenServer;
use beamway::node::Message;
use beamway::node::Next;
use beamway::node::Node;
use beamway::node::ReplyTo;
use beamway::node::serve;
use beamway::term;
use bytes::Bytes;
use bytes::BytesMut;
use tokio::task::JoinSet;
use xxhash_rust::xxh3::xxh3_64;

/// Whatever is awaited comes within this.
const LIMIT: Duration = Duration::from_secs(60);

/// Places of the pattern at which a message may begin, so that neighbours differ.
const PLACES: usize = 64 * 1024;

/// Of the process that is too slow: time for one message.
const SLOWNESS: Duration = Duration::from_millis(10);

/// Bytes that look random; as many as the longest message needs.
pub(crate) fn pattern() -> Bytes {
    static PATTERN: LazyLock<Bytes> = LazyLock::new(|| {
        let mut state = 1u64;
        let next = move |_| {
            // Knuth's generator (MMIX).
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..PLACES + (1 << 20)).map(next).collect()
    });
    PATTERN.clone()
}

fn payload(pattern: &Bytes, number: usize, size: usize) -> Bytes {
    let place = number * 61 % PLACES;
    pattern.slice(place..place + size)
}

/// Counts and digests messages in their order.
#[derive(Default, PartialEq)]
struct Tally {
    messages: u64,
    digest: u64,
}

impl Tally {
    fn add(&mut self, bytes: &[u8]) {
        self.messages += 1;
        self.digest = self.digest.rotate_left(1) ^ xxh3_64(bytes);
    }

    fn term(&self) -> Term {
        term!({(self.messages), (self.digest)})
    }
}

/// Bytes of a signal with a binary of `size` bytes, as any carrier has to carry it.
pub(crate) fn signal_size(size: usize) -> anyhow::Result<usize> {
    let pid = |node: &str| {
        Ok::<_, anyhow::Error>(NodePid {
            node: Atom::new(node)?,
            pid: Pid {
                id: 1,
                serial: 0,
                creation: 1,
            },
        })
    };
    let control = send_term(&pid("near@127.0.0.1")?, &Target::Process(pid("far@127.0.0.1")?));
    let mut signal = BytesMut::from(control);
    Term::from(pattern().slice(..size)).write(&mut signal)?;
    Ok(signal.len())
}

/// Answers calls.
struct Echo;

impl GenServer for Echo {
    async fn handle_call(&mut self, _: &mut Context, request: Term, _: ReplyTo) -> Next {
        Next::Reply(request)
    }
}

/// The processes of the second process's nodes.
pub(crate) fn serve_far(node: &Node) -> anyhow::Result<()> {
    let maker = node.spawn(|mut context| async move {
        loop {
            let Message::Term(Term::Tuple(request)) = context.receive().await else {
                return;
            };
            let [Term::Pid(to), kind] = request.as_slice() else {
                return;
            };
            let made = match kind.as_atom() {
                Some("sink") => context.spawn(sink),
                Some("slow") => context.spawn(slow),
                _ => context.spawn(echo),
            };
            let _ = context.send(to, made).await;
        }
    });
    node.register("maker", &maker)?;
    let server = node.spawn(|context| serve(context, Echo));
    node.register("server", &server)?;
    Ok(())
}

/// Tallies binaries; told a pid, it tells the tally, and begins anew.
async fn sink(mut context: Context) {
    let mut tally = Tally::default();
    loop {
        match context.receive().await {
            Message::Term(Term::Binary(binary)) => tally.add(&binary),
            Message::Term(Term::Pid(to)) => {
                let seen = std::mem::take(&mut tally).term();
                let _ = context.send(to, seen).await;
            }
            _ => return,
        }
    }
}

/// Sends `{Pid, Any}` back to where it came from.
async fn echo(mut context: Context) {
    while let Message::Term(Term::Tuple(request)) = context.receive().await {
        if let [Term::Pid(to), what] = request.as_slice() {
            let _ = context.send(to, what.clone()).await;
        }
    }
}

/// Takes its time.
async fn slow(mut context: Context) {
    while let Message::Term(Term::Binary(_)) = context.receive().await {
        tokio::time::sleep(SLOWNESS).await;
    }
}

async fn make(context: &mut Context, far: &Atom, kind: &str) -> anyhow::Result<NodePid> {
    let request = term!({(context.pid().clone()), (Atom::new(kind)?)});
    context.send(("maker", far), request).await?;
    match context.receive_within(LIMIT).await {
        Some(Message::Term(Term::Pid(made))) => Ok(made),
        other => anyhow::bail!("{other:?} came in place of a pid"),
    }
}

/// Time for `count` messages of `size` bytes from each of `pairs` processes, digested by their receivers.
pub(crate) async fn flood(
    node: &Node,
    far: &Atom,
    pairs: usize,
    size: usize,
    count: usize,
) -> anyhow::Result<Duration> {
    let mut senders = JoinSet::new();
    let ready = std::sync::Arc::new(tokio::sync::Barrier::new(pairs + 1));
    for _ in 0..pairs {
        let (node, far, ready) = (node.clone(), far.clone(), ready.clone());
        senders.spawn(async move {
            node.run(async move |mut context| {
                let sink = make(&mut context, &far, "sink").await?;
                // Of its own, as a process' messages are: else all share one reference count.
                let pattern = Bytes::from(pattern().to_vec());
                ready.wait().await;
                for number in 0..count {
                    context.send(&sink, payload(&pattern, number, size)).await?;
                }
                context.send(&sink, context.pid().clone()).await?;
                let seen = context.receive_within(LIMIT).await.context("no answer of a sink")?;
                Ok::<_, anyhow::Error>(seen)
            })
            .await?
        });
    }
    ready.wait().await;
    let started = Instant::now();
    let mut seen = Vec::new();
    while let Some(sender) = senders.join_next().await {
        seen.push(sender??);
    }
    let took = started.elapsed();
    let mut sent = Tally::default();
    (0..count).for_each(|number| sent.add(&payload(&pattern(), number, size)));
    let sent = Message::Term(sent.term());
    ensure!(
        seen.iter().all(|seen| *seen == sent),
        "{seen:?} came in place of {sent:?}"
    );
    Ok(took)
}

/// Round trips of `size` bytes between two processes, one after another.
pub(crate) async fn round_trips(node: &Node, far: &Atom, count: usize, size: usize) -> anyhow::Result<Vec<Duration>> {
    node.run(async |mut context| {
        let echo = make(&mut context, far, "echo").await?;
        let mut times = Vec::with_capacity(count);
        for number in 0..count {
            times.push(round_trip(&mut context, &echo, payload(&pattern(), number, size)).await?);
        }
        Ok(times)
    })
    .await?
}

async fn round_trip(context: &mut Context, echo: &NodePid, what: Bytes) -> anyhow::Result<Duration> {
    let request = term!({(context.pid().clone()), (what.clone())});
    let started = Instant::now();
    context.send(echo, request).await?;
    let answer = context.receive_within(LIMIT).await;
    let took = started.elapsed();
    ensure!(answer == Some(Message::Term(what.into())), "another answer came");
    Ok(took)
}

/// Time for `count` calls of a `GenServer` by each of `callers` processes.
pub(crate) async fn calls(node: &Node, far: &Atom, callers: usize, count: usize) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (node, far) = (node.clone(), far.clone());
        tasks.spawn(async move {
            node.run(async move |mut context| {
                for number in 0..count {
                    let answer = context.call(("server", &far), term!((number)), LIMIT).await;
                    ensure!(answer == Ok(Term::from(number)), "{answer:?} to {number}");
                }
                Ok(())
            })
            .await?
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(started.elapsed())
}

/// Round trips of many busy pairs, each of which rests between two.
pub(crate) async fn busy(
    node: &Node,
    far: &Atom,
    pairs: usize,
    rest: Duration,
    time: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let mut tasks = JoinSet::new();
    let until = Instant::now() + time;
    for _ in 0..pairs {
        let (node, far) = (node.clone(), far.clone());
        tasks.spawn(async move {
            node.run(async move |mut context| {
                let echo = make(&mut context, &far, "echo").await?;
                let mut times = Vec::new();
                while Instant::now() < until {
                    tokio::time::sleep(rest).await;
                    times.push(round_trip(&mut context, &echo, payload(&pattern(), times.len(), 100)).await?);
                }
                context.send(&echo, term!(over)).await?;
                anyhow::Ok(times)
            })
            .await?
        });
    }
    let mut all = Vec::new();
    while let Some(task) = tasks.join_next().await {
        all.extend(task??);
    }
    Ok(all)
}

/// Sends to a process that takes its time, `burst` messages of `size` bytes each millisecond, `count` in all; until it is
/// dropped, and the slow process goes with it.
pub(crate) async fn overwhelm(node: &Node, far: &Atom, size: usize, burst: usize, count: usize) -> anyhow::Result<()> {
    node.run(async |mut context| {
        let slow = make(&mut context, far, "slow").await?;
        context.link(&slow);
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        for number in 0..count {
            if number % burst == 0 {
                ticks.tick().await;
            }
            context.send(&slow, payload(&pattern(), number, size)).await?;
        }
        std::future::pending().await
    })
    .await?
}
