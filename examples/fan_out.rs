//! One message to each of 10,000 processes on several nodes, and an answer from each.
//!
//! ```text
//! $ epmd -daemon; cargo run --release --example fan_out
//! ```

#![allow(clippy::print_stdout, reason = "it talks with a person")]

use std::time::Instant;

use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::node::Message;
use beamway::node::Node;
use beamway::term;

const NODES: usize = 4;
const PROCESSES: usize = 10_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut nodes = Vec::new();
    for index in 0..=NODES {
        nodes.push(
            Node::builder(&format!("fan{index}@127.0.0.1"))
                .cookie("secret")
                .start()
                .await?,
        );
    }
    let (hub, leaves) = nodes.split_first().expect("at least one node");
    let made = Instant::now();
    let places = leaves.iter().cycle().take(PROCESSES).enumerate();
    let processes: Vec<NodePid> = places
        .map(|(index, node)| {
            node.spawn(move |mut context| async move {
                while let Message::Term(Term::Pid(from)) = context.receive().await {
                    let _ = context.send(from, term!({(index), (context.pid().clone())})).await;
                }
            })
        })
        .collect();
    println!("{PROCESSES} processes on {NODES} nodes after {:?}", made.elapsed());
    for round in 1..=5 {
        let started = Instant::now();
        hub.run(async |mut context| {
            let own = context.pid().clone();
            for process in &processes {
                context.send(process, own.clone()).await?;
            }
            for _ in &processes {
                context.receive().await;
            }
            anyhow::Ok(())
        })
        .await??;
        println!("round {round}: all have answered after {:?}", started.elapsed());
    }
    for node in &nodes {
        node.stop().await;
    }
    Ok(())
}
