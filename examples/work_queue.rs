//! Work for processes of a real node, which is started here: each job is a process there, watched from here; one that dies
//! gives its job back.
//!
//! ```text
//! $ cargo run --example work_queue
//! ```

#![allow(clippy::print_stdout, reason = "it talks with a person")]

use std::collections::HashMap;
use std::collections::VecDeque;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use beamway::etf::Atom;
use beamway::etf::NodePid;
use beamway::etf::NodeReference;
use beamway::etf::Term;
use beamway::node::Context;
use beamway::node::Message;
use beamway::node::Node;
use beamway::node::Ties;
use beamway::node::Watched;
use beamway::term;

/// Jobs that are worked on at once.
const WORKERS: usize = 8;
const JOBS: i64 = 200;

/// A job, which takes the worker some time: `erpc:execute_call/4` puts its result into the exit reason, so that the monitor
/// brings it.
fn start(context: &Context, beam: &Atom, job: i64) -> NodeReference {
    let call = vec![Term::from(job), term!(timer), term!(sleep), term!([(job % 20)])];
    let ties = Ties {
        monitor: true,
        ..Ties::default()
    };
    context.spawn_request(beam, "erpc", "execute_call", call, ties)
}

async fn work(mut context: Context, beam: Atom) -> (i64, i64) {
    let mut waiting: VecDeque<i64> = (1..=JOBS).collect();
    let mut running: HashMap<NodeReference, i64> = HashMap::new();
    let (mut done, mut lost) = (0, 0);
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < WORKERS
            && let Some(job) = waiting.pop_front()
        {
            running.insert(start(&context, &beam, job), job);
        }
        match context.receive().await {
            // Bad luck strikes one in ten.
            Message::SpawnReply {
                request,
                result: Ok(worker),
            } if running.get(&request).is_some_and(|job| (job + lost) % 10 == 0) => {
                context.exit(&worker, term!(kill));
            }
            Message::SpawnReply {
                request,
                result: Err(_),
            } => waiting.extend(running.remove(&request)),
            Message::Down {
                reference,
                reason,
                from: Watched::Process(NodePid { .. }),
            } => {
                let job = running.remove(&reference);
                if matches!(reason.as_tuple(), Some([_, kind, _]) if kind.is_atom("return")) {
                    done += 1;
                } else {
                    lost += 1;
                    waiting.extend(job);
                }
            }
            _ => {}
        }
    }
    (done, lost)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut erl = Command::new("erl")
        .args(["-noinput", "-name", "workers@127.0.0.1", "-setcookie", "secret"])
        .stdout(Stdio::null())
        .spawn()?;
    let beam = Atom::literal("workers@127.0.0.1");
    // It starts the port mapper too, if there is none.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let node = Node::builder("queue@127.0.0.1").cookie("secret").start().await?;
    while node.connect(&beam).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (done, lost) = node.run(|context| work(context, beam)).await?;
    println!("{done} jobs done; {lost} workers were lost, and their jobs given to others");
    node.stop().await;
    erl.kill()?;
    erl.wait()?;
    Ok(())
}
