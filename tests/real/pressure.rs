//! A node that does not read slows those who send to it, and nobody else; and what is kept for it is bounded.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Hosts;
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
            &format!("real_pressure:calls({}, 20, 1000)", b.atom()),
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

/// A node at the end of a slow line, which is flooded, and one that is near: calls to the near one are not held up.
#[test]
fn beside_a_slow_line() {
    let Some(hosts) = Hosts::with_line("delay=10ms rate=20Mbit buffer=200kB", 1) else {
        return;
    };
    let mut sites = hosts.sites();
    let mut near = sites[0].clone();
    near.name = "near".to_owned();
    near.hosts = vec!["near.test".to_owned()];
    near.epmd_port += 1;
    near.quic.set_port(near.quic.port() + 1);
    sites.push(near);
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    let hosts_of = ["one.test", "two.test", "near.test"];
    let [mut a, b, c] = [("a", 0), ("b", 1), ("c", 2)].map(|(name, site)| {
        let spec = NodeSpec::new(name, site).host(hosts_of[site]);
        cluster.node(&spec.args("-epmd_module beamway_epmd"))
    });
    a.connect(&b);
    a.connect(&c);
    let alone = calls(&mut a, &c);
    a.eval(&format!("real_pressure:flood({}, 4)", b.atom()));
    thread::sleep(Duration::from_secs(2));
    let beside = calls(&mut a, &c);
    println!("alone {alone:?}, beside {beside:?} (calls/s, us at p99)");
    assert!(
        beside.0 >= 0.6 * alone.0,
        "{} calls a second, {} alone",
        beside.0,
        alone.0
    );
    assert!(beside.1 <= 3.0 * alone.1, "p99 of {} us, {} alone", beside.1, alone.1);
    a.eval("real_pressure:stop_flood()");
    cluster.assert_healthy();
}

/// Signals that wait for others, of all their senders, on a line that is full: those beside them wait for the line alone.
#[test]
fn beside_signals_that_wait_for_others() {
    let Some(hosts) = Hosts::with_line("delay=5ms rate=100Mbit buffer=250kB", 1) else {
        return;
    };
    let mut cluster = Cluster::of(Carrier::Bridge, hosts.sites());
    let [mut a, b] = [("a", 0), ("b", 1)].map(|(name, site)| {
        let spec = NodeSpec::new(name, site).host(["one.test", "two.test"][site]);
        cluster.node(&spec.args("-epmd_module beamway_epmd"))
    });
    a.connect(&b);
    let mut measure = |is_fenced: bool| {
        a.eval(&format!("real_pressure:transfers({}, 4, {is_fenced})", b.atom()));
        thread::sleep(Duration::from_secs(2));
        let beside = calls(&mut a, &b);
        a.eval("real_pressure:stop_flood()");
        thread::sleep(Duration::from_secs(1));
        beside
    };
    let free = measure(false);
    let fenced = measure(true);
    println!("beside bulk {free:?}, beside one with fences {fenced:?} (calls/s, us at p99)");
    assert!(
        fenced.0 >= 0.6 * free.0,
        "{} calls a second, {} without fences",
        fenced.0,
        free.0
    );
    assert!(
        fenced.1 <= 3.0 * free.1,
        "p99 of {} us, {} without fences",
        fenced.1,
        free.1
    );
    cluster.assert_healthy();
}

/// A minute of flood to a node that is stopped and goes on again and again: what the gateways hold stays bounded, and is
/// given back.
#[test]
#[ignore = "a minute and a half"]
fn a_minute_of_flood() {
    let sites = ["left", "right"].map(|name| Site::loopback(name).setting("net_ticktime = 300"));
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let spec = |name, site| NodeSpec::new(name, site).args("-kernel net_ticktime 300");
    let mut a = cluster.node(&spec("a", 0));
    let b = cluster.node(&spec("b", 1));
    let c = cluster.node(&spec("c", 1));
    a.connect(&b);
    a.connect(&c);
    let alone = calls(&mut a, &b);
    let before = resident(&mut cluster);
    a.eval(&format!("real_pressure:flood({}, 4)", c.atom()));
    let (begin, mut most, mut beside) = (Instant::now(), 0, Vec::new());
    while begin.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_secs(3));
        c.signal(Signal::SIGSTOP);
        beside.push(calls(&mut a, &b));
        most = most.max(resident(&mut cluster));
        c.signal(Signal::SIGCONT);
    }
    a.eval("real_pressure:stop_flood()");
    thread::sleep(Duration::from_secs(15));
    let after = resident(&mut cluster);
    println!(
        "{} MB before, {} at most, {} after; alone {alone:?}, beside {beside:?} (calls/s, us at p99)",
        before / 1_000_000,
        most / 1_000_000,
        after / 1_000_000
    );
    assert!(most < BOUND, "a gateway holds {} MB", most / 1_000_000);
    assert!(
        after < before + 16_000_000,
        "a gateway still holds {} MB",
        after / 1_000_000
    );
    cluster.assert_healthy();
}
