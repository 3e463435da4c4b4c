//! Native nodes in two processes of this machine, over plain distribution: messages, bulk, calls, and what a process costs.
//!
//! ```text
//! $ cargo bench --bench nodes
//! ```

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints figures, and fails by panicking"
)]

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use beamway::etf::Atom;
use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::node::Context;
use beamway::node::GenServer;
use beamway::node::Message;
use beamway::node::Next;
use beamway::node::Node;
use beamway::node::serve;
use beamway::term;
use bytes::Bytes;

const FAR: Atom = Atom::literal("far@127.0.0.1");
const LIMIT: Duration = Duration::from_secs(60);
const PROCESSES: usize = 100_000;

/// A child that does not outlive the measurement.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let arguments: Vec<String> = std::env::args().collect();
    if let Some([role, port]) = arguments.get(1..3)
        && role == "far"
    {
        runtime.block_on(far(port.parse().unwrap()));
    } else {
        runtime.block_on(near());
    }
}

async fn start(name: &str, port: u16) -> Node {
    let epmd: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    Node::builder(name).cookie("bench").epmd(epmd).start().await.unwrap()
}

/// Answers calls; used for latency.
struct Echo;

impl GenServer for Echo {
    async fn handle_call(&mut self, _: &mut Context, request: Term, _: beamway::node::From) -> Next {
        Next::Reply(request)
    }
}

/// The other process: sinks that count until they are asked.
async fn far(port: u16) {
    let node = start("far@127.0.0.1", port).await;
    let maker = node.spawn(|mut context| async move {
        loop {
            if let Message::Term(Term::Pid(to)) = context.receive().await {
                let sink = context.spawn(sink);
                let _ = context.send(to, sink).await;
            }
        }
    });
    node.register("maker", &maker).unwrap();
    let echo = node.spawn(|context| serve(context, Echo));
    node.register("echo", &echo).unwrap();
    std::future::pending::<()>().await;
}

async fn sink(mut context: Context) {
    let (mut messages, mut bytes) = (0u64, 0usize);
    loop {
        match context.receive().await {
            Message::Term(Term::Binary(binary)) => (messages, bytes) = (messages + 1, bytes + binary.len()),
            Message::Term(Term::Pid(to)) => {
                let _ = context.send(to, term!({(messages), (bytes)})).await;
            }
            _ => return,
        }
    }
}

async fn near() {
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let _epmd = Guard(
        Command::new("epmd")
            .args(["-port", &port.to_string(), "-address", "127.0.0.1"])
            .spawn()
            .unwrap(),
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    let own = std::env::current_exe().unwrap();
    let _far = Guard(Command::new(own).args(["far", &port.to_string()]).spawn().unwrap());
    let node = start("near@127.0.0.1", port).await;
    while node.connect(&FAR).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (pairs, size, count) in [
        (1, 100, 1_000_000),
        (16, 100, 2_000_000),
        (16, 4096, 300_000),
        (4, 1 << 20, 2000),
    ] {
        let took = flood(&node, pairs, size, count).await.as_secs_f64();
        let (rate, volume) = (count as f64 / took, (count * size) as f64 / took / 1e6);
        println!("{size:>8} B, {pairs:>2} pairs: {rate:>10.0} msg/s, {volume:>6.0} MB/s");
    }
    calls(&node, 1, 20_000).await;
    calls(&node, 64, 100_000).await;
    processes(&node).await;
}

async fn make_sink(context: &mut Context) -> NodePid {
    context.send(("maker", &FAR), context.pid().clone()).await.unwrap();
    match context.receive().await {
        Message::Term(Term::Pid(sink)) => sink,
        other => panic!("{other:?}"),
    }
}

/// Time for `count` messages of `size` bytes in all, counted by their receivers.
async fn flood(node: &Node, pairs: usize, size: usize, count: usize) -> Duration {
    let started = Instant::now();
    let senders: Vec<_> = (0..pairs)
        .map(|_| {
            let node = node.clone();
            tokio::spawn(async move {
                node.run(async |mut context| {
                    let sink = make_sink(&mut context).await;
                    let payload = Bytes::from(vec![7; size]);
                    for _ in 0..count / pairs {
                        context.send(&sink, payload.clone()).await.unwrap();
                    }
                    context.send(&sink, context.pid().clone()).await.unwrap();
                    let seen = context.receive().await;
                    assert_eq!(seen, Message::Term(term!({(count / pairs), (count / pairs * size)})));
                })
                .await
                .unwrap();
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    started.elapsed()
}

async fn calls(node: &Node, callers: usize, count: usize) {
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let node = node.clone();
            tokio::spawn(async move {
                node.run(async |mut context| {
                    for n in 0..count / callers {
                        let answer = context.call(("echo", &FAR), term!((n)), LIMIT).await;
                        assert_eq!(answer, Ok(Term::from(n)));
                    }
                })
                .await
                .unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let took = started.elapsed();
    let each = took.as_secs_f64() * 1e6 * callers as f64 / count as f64;
    println!(
        "{callers:>8} callers: {:>10.0} calls/s, {each:.0} µs each",
        count as f64 / took.as_secs_f64()
    );
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// What idle processes cost, beside what their tasks would cost alone.
async fn processes(node: &Node) {
    let before = resident();
    let tasks: Vec<_> = (0..PROCESSES)
        .map(|_| tokio::spawn(std::future::pending::<()>()))
        .collect();
    let alone = resident() - before;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let before = resident();
    for _ in 0..PROCESSES {
        node.spawn(|mut context| async move {
            context.receive().await;
        });
    }
    let all = resident() - before;
    let each = |bytes: u64| bytes / PROCESSES as u64;
    println!(
        "{PROCESSES} idle processes: {} B each, an empty task: {} B",
        each(all),
        each(alone)
    );
}
