//! Many circuits at once: what a gateway keeps for those over which nothing goes.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use beamway::etf::Atom;
use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::node::Message;
use beamway::node::Node;
use beamway::term;
use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;

/// Nodes at each gateway; each has a circuit to each of the other gateway.
const NODES: usize = 32;

/// What a gateway may keep of a circuit without traffic, bytes.
const BOUND: u64 = 64 * 1024;

/// What has been used is given back within this (docs/ARCHITECTURE.md, "Memory").
const RETURNED: Duration = Duration::from_secs(12);

fn resident(cluster: &mut Cluster) -> [u64; 2] {
    [0, 1].map(|site| cluster.gateway(site).process().resident())
}

/// Bytes of each gateway for each circuit, once these are within the bound, or when they should be.
fn returned(before: [u64; 2], cluster: &mut Cluster) -> [u64; 2] {
    let end = Instant::now() + RETURNED;
    loop {
        let after = resident(cluster);
        let each = [0, 1].map(|site| after[site].saturating_sub(before[site]) / (NODES * NODES) as u64);
        if each.into_iter().all(|kept| kept <= BOUND) || Instant::now() >= end {
            return each;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

pub(crate) async fn start(name: String, epmd_port: u16) -> Node {
    let node = Node::builder(&name)
        .cookie(COOKIE)
        .epmd((Ipv4Addr::LOCALHOST, epmd_port).into())
        .start()
        .await
        .expect("a native node");
    let echo = node.spawn(|mut context| async move {
        loop {
            if let Message::Term(Term::Tuple(parts)) = context.receive().await {
                let asker = NodePid::try_from(parts[0].clone()).expect("a pid first");
                let size = match &parts[1] {
                    Term::Binary(payload) => payload.len() as i64,
                    _ => -1,
                };
                let _ = context.send(&asker, term!((size))).await;
            }
        }
    });
    node.register("echo", &echo).expect("a free name");
    node
}

/// Every node asks every far one to say how much it got.
pub(crate) async fn ask_all(near: &[Node], far: &[Atom], payload: usize) {
    for node in near {
        let far = far.to_vec();
        let asked = node.run(async move |mut context| {
            let payload = Bytes::from(vec![7; payload]);
            for node in &far {
                let question = term!({(context.pid().clone()), (payload.clone())});
                context.send(("echo", node), question).await.expect("a connection");
                let answer = context.receive_within(Duration::from_secs(20)).await;
                assert_eq!(answer, Some(Message::Term(term!((payload.len() as i64)))), "of {node}");
            }
        });
        asked.await.expect("an answer of each");
    }
}

/// Gateways tell each other of their nodes in the order that these came: who knows the last one knows all.
pub(crate) async fn until_known(near: &Node, far: &Atom) {
    let end = Instant::now() + Duration::from_secs(10);
    while let Err(error) = near.connect(far).await {
        assert!(Instant::now() < end, "{far}: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_thousand_without_traffic() {
    let mut cluster = Cluster::new(Carrier::Bridge, 2);
    let runtime = Runtime::new().expect("a runtime");
    let ports = [0, 1].map(|site| cluster.epmd_port(site));
    runtime.block_on(async {
        let mut nodes = [Vec::new(), Vec::new()];
        for number in 0..NODES {
            for (site, name) in ["near", "far"].into_iter().enumerate() {
                nodes[site].push(start(format!("{name}{number}@127.0.0.1"), ports[site]).await);
            }
        }
        let [near, far] = nodes;
        let names: Vec<Atom> = far.iter().map(|node| node.name().clone()).collect();
        until_known(&near[0], &names[NODES - 1]).await;
        let before = resident(&mut cluster);
        let begin = Instant::now();
        ask_all(&near, &names, 100).await;
        let took = begin.elapsed();
        let small = returned(before, &mut cluster);
        ask_all(&near, &names, 300_000).await;
        let large = returned(before, &mut cluster);
        println!(
            "{} circuits in {took:?}; each gateway, bytes a circuit: {small:?} after small messages, {large:?} after large ones",
            NODES * NODES
        );
        for kept in small.into_iter().chain(large) {
            assert!(kept > 0, "circuits that cost nothing are not there");
            assert!(kept <= BOUND, "a circuit without traffic keeps {kept} bytes");
        }
        for node in near.iter().chain(&far) {
            node.stop().await;
        }
    });
    cluster.assert_healthy();
}
