//! A node that does not read slows those who send to it, and nobody else; and what is kept for it is bounded.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Site;

/// What one circuit may keep, `circuit_budget`, and 64 MB for everything else (docs/ARCHITECTURE.md, "Memory").
const BOUND: u64 = (64 << 20) + 64_000_000;

/// Measurements of each kind. The machine is shared, and its noise only takes away: what is asserted is that calls are not
/// held up; how much they lose is measured (docs/ARCHITECTURE.md, "Memory").
const ROUNDS: usize = 3;

/// Calls a second and the 99th percentile in microseconds, the best of some rounds.
fn calls(a: &mut Node, b: &Node) -> (f64, f64) {
    let mut best = (0.0_f64, f64::MAX);
    for _ in 0..ROUNDS {
        let told = a.eval_within(
            &format!("real_pressure:calls({}, 20, 2000)", b.atom()),
            Duration::from_secs(30),
        );
        let numbers = told.trim_matches(['{', '}']).split_once(',').expect("a pair");
        let read = |number: &str| number.trim().parse::<f64>().expect("a number");
        best = (best.0.max(read(numbers.0)), best.1.min(read(numbers.1)));
    }
    best
}

fn resident(cluster: &mut Cluster) -> u64 {
    (0..2)
        .map(|site| cluster.gateway(site).process().resident())
        .max()
        .expect("two gateways")
}

#[test]
fn beside_a_node_that_is_stopped() {
    let sites = ["left", "right"].map(|name| Site::loopback(name).setting("net_ticktime = 300"));
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let patient = "-kernel net_ticktime 300";
    let mut a = cluster.node(&NodeSpec::new("a", 0).args(patient));
    let mut b = cluster.node(&NodeSpec::new("b", 1).args(patient));
    let mut c = cluster.node(&NodeSpec::new("c", 1).args(patient));
    a.connect(&b);
    a.connect(&c);
    let alone = calls(&mut a, &b);
    // It reads fast for a while, so that it is allowed much; then not at all.
    a.eval(&format!("real_pressure:flood({}, 4)", c.atom()));
    thread::sleep(Duration::from_secs(3));
    c.signal(Signal::SIGSTOP);
    thread::sleep(Duration::from_secs(2));
    let beside = calls(&mut a, &b);
    let most = resident(&mut cluster);
    println!(
        "alone {alone:?}, beside {beside:?} (calls/s, us at p99), {} MB at most",
        most / 1_000_000
    );
    assert!(
        most < BOUND,
        "a gateway holds {} MB for a node that does not read",
        most / 1_000_000
    );
    assert!(
        beside.0 >= 0.6 * alone.0,
        "{} calls a second, {} alone",
        beside.0,
        alone.0
    );
    assert!(beside.1 <= 3.0 * alone.1, "p99 of {} us, {} alone", beside.1, alone.1);
    b.eval("real:watch()");
    c.signal(Signal::SIGCONT);
    a.eval("real_pressure:stop_flood()");
    let begin = Instant::now();
    while resident(&mut cluster) > most / 2 {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "a gateway still holds {} MB after the flood",
            resident(&mut cluster) / 1_000_000
        );
        thread::sleep(Duration::from_millis(100));
    }
    a.await_nodes(&[b.full_name(), c.full_name()], Duration::from_secs(5));
    c.eval(&format!("real_connections:chat({})", a.atom()));
    cluster.assert_healthy();
}
