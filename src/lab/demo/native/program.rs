use std::io::BufRead as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use tokio::runtime;
use tokio::sync::mpsc;

use super::calls;
use super::far::ANSWER_MAX;
use super::far::SERVICE;
use super::payload::Payloads;
use super::service::Service;
use super::stream;
use super::transfer;
use crate::cli::cookie;
use crate::cli::output;
use crate::etf::Atom;
use crate::lab::testbed::protocol::Command;
use crate::lab::testbed::protocol::Disconnected;
use crate::lab::testbed::protocol::Pong;
use crate::lab::testbed::protocol::Visible;
use crate::lab::testbed::protocol::answer_line;
use crate::node::Context;
use crate::node::Node;
use crate::node::serve;

/// What node `beamway demo-node` is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Full name, as `a@127.0.0.1`.
    pub name: String,
    /// Port of its port mapper, on 127.0.0.1.
    pub epmd: u16,
    /// The file with the cookie.
    pub cookie: PathBuf,
}

/// Runs a native node that takes commands, until its standard input ends. Starts its own runtime, so it must not be called
/// from within one.
///
/// # Errors
///
/// When the node does not start.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let cookie = cookie::read(&options.cookie).with_context(|| format!("cannot read {}", options.cookie.display()))?;
    // On one thread a small call waits for no other to wake: 24 us there and back over plain distribution, 106 on two.
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let node = Node::builder(&options.name)
            .cookie(&cookie)
            .epmd((Ipv4Addr::LOCALHOST, options.epmd).into())
            .visible()
            .start()
            .await?;
        run_commands(&node).await
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn run_commands(node: &Node) -> anyhow::Result<()> {
    let payloads = Payloads::new();
    let service = Service(payloads.clone());
    let service = node.spawn(|context| serve(context, service));
    node.register(SERVICE, &service)?;
    let mut lines = read_lines();
    answer(&json!({ "ready": true }));
    while let Some(line) = lines.recv().await {
        // A process of its own per command: whatever it started elsewhere watches it and ends with it.
        let done = node.run(|context| command(context, &payloads, &line)).await;
        let found = done.unwrap_or_else(|exited| Err(exited.into()));
        answer(&found.unwrap_or_else(|error| json!({ "failed": format!("{error:#}") })));
    }
    Ok(())
}

/// Lines of standard input. Its end ends the process, whatever that is doing: so no node outlives the program that started
/// it. Reading blocks, so a thread of its own does it.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
        process::exit(0);
    });
    lines
}

fn answer(answer: &Value) {
    output::say(&answer_line(answer));
}

async fn command(mut context: Context, payloads: &Payloads, line: &str) -> anyhow::Result<Value> {
    let context = &mut context;
    let within = |ms: u32| Duration::from_millis(ms.into());
    match Command::parse(line)? {
        Command::Ping(node) => found(ping(context, &node).await),
        Command::Nodes => found(nodes(&context.node())),
        Command::Disconnect(node) => found(disconnect(&context.node(), &node)),
        Command::Calls(node, callers, ms) => found(calls::calls(context, &node, callers, within(ms)).await?),
        Command::Transfer(node, size, most, ms) => {
            found(transfer::transfer(context, payloads, &node, (size, most), within(ms)).await?)
        }
        Command::RoundTrips(node, ms, None) => found(calls::alone(context, &node, within(ms)).await?),
        Command::RoundTrips(node, ms, Some(bulk)) => {
            found(calls::beside(context, payloads, &node, within(ms), bulk).await?)
        }
        Command::Stream(node, pairs, size, ms) => {
            found(stream::stream(context, payloads, &node, (pairs, size), within(ms)).await?)
        }
    }
}

fn found(answer: impl Serialize) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(answer)?)
}

/// As `net_adm:ping/1` does it.
async fn ping(context: &mut Context, node: &Atom) -> Pong {
    let request = term!({is_auth, (context.pid().node.clone())});
    let answer = context.call(("net_kernel", node), request, ANSWER_MAX).await;
    Pong {
        pong: answer.is_ok_and(|answer| answer.is_atom("yes")),
    }
}

fn nodes(node: &Node) -> Visible {
    let visible = node.nodes().into_iter().filter(|other| other.is_visible);
    let mut nodes: Vec<String> = visible.map(|other| other.name.as_str().to_owned()).collect();
    nodes.sort();
    Visible { nodes }
}

fn disconnect(node: &Node, other: &Atom) -> Disconnected {
    let disconnected = node.nodes().iter().any(|known| known.name == *other);
    node.disconnect(other);
    Disconnected { disconnected }
}
