//! One message to each of 10,000 processes on several nodes, and an answer from each: over plain distribution, or over lanes.
//!
//! ```text
//! $ epmd -daemon; cargo run --release --example fan_out
//! $ cargo run --release --example fan_out lanes
//! ```

#![allow(clippy::print_stdout, reason = "it talks with a person")]

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use beamway::carrier::Lanes;
use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::internals::tls::Authority;
use beamway::node::Message;
use beamway::node::Node;
use beamway::term;
use tokio::time::sleep;

const NODES: usize = 4;
const PROCESSES: usize = 10_000;

/// Lanes of two hosts: the first one's are for the hub, the other's for all other nodes.
async fn lanes(folder: &Path) -> anyhow::Result<[Lanes; 2]> {
    // What `beamway certs init` and `beamway certs issue --host 127.0.0.1` do; a program of your own only needs the folders.
    let now = SystemTime::now();
    let authority = Authority::create(now)?;
    for name in ["one", "two"] {
        let issued = authority.issue_with_hosts(name, &["127.0.0.1".to_owned()], 1, now)?;
        fs::create_dir(folder.join(name))?;
        fs::write(folder.join(name).join("ca.pem"), authority.certificate_pem())?;
        fs::write(folder.join(name).join("cert.pem"), issued.certificate_pem)?;
        let key = folder.join(name).join("key.pem");
        fs::write(&key, issued.key_pem)?;
        fs::set_permissions(&key, Permissions::from_mode(0o600))?;
    }
    let two = Lanes::builder("two", folder.join("two")).listen("127.0.0.1:0".parse()?);
    let two = two.peer("one", "127.0.0.1:9").start().await?;
    let one = Lanes::builder("one", folder.join("one")).peer("two", &two.address().to_string());
    Ok([one.start().await?, two])
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let over_lanes = std::env::args().nth(1).is_some_and(|way| way == "lanes");
    let lanes = if over_lanes {
        Some(lanes(folder.path()).await?)
    } else {
        None
    };
    let mut nodes = Vec::new();
    for index in 0..=NODES {
        let builder = Node::builder(&format!("fan{index}@127.0.0.1")).cookie("secret");
        let builder = match &lanes {
            Some([one, two]) => builder.attach(if index == 0 { one } else { two }),
            None => builder,
        };
        nodes.push(builder.start().await?);
    }
    let (hub, leaves) = nodes.split_first().expect("at least one node");
    for node in leaves {
        // Those behind lanes are there as soon as the two hosts have met.
        while hub.connect(node.name()).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    }
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
    for lanes in lanes.into_iter().flatten() {
        lanes.stop().await;
    }
    Ok(())
}
