//! How soon nodes notice a loss: within 10 % of what docs/ATTACH.md says.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Hosts;
use crate::harness::Node;
use crate::harness::NodeSpec;

/// Defaults of the settings.
const GRACE: Duration = Duration::from_secs(15);
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// How often a daemon looks whether anything has arrived.
const LOOK: Duration = Duration::from_secs(1);

/// The kernel closes the connections of a process that ends.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Sends something every five milliseconds from now on.
fn keep_busy(from: &mut Node, to: &Node) {
    let to = to.atom();
    from.eval(&format!(
        "begin spawn(fun Go() -> {{nobody, {to}}} ! tick, timer:sleep(5), Go() end), ok end"
    ));
}

/// How long after `since` the node no longer sees the other one.
fn gone(node: &mut Node, other: &Node, since: Instant) -> Duration {
    node.until(&format!("not lists:member({}, nodes())", other.atom()), GRACE * 3);
    since.elapsed()
}

fn assert_within(what: &str, took: Duration, least: Duration, most: Duration) {
    let is_within = took >= least.mul_f64(0.9) && took <= most.mul_f64(1.1);
    assert!(
        is_within,
        "{what} was noticed after {took:?}, not {least:?} to {most:?}"
    );
    eprintln!("{what}: {took:?}");
}

/// Two gateways end or hang at the same moment: the session with one is busy, the other one idle.
fn lost(what: &str, lose: impl Fn(&mut Cluster, usize), ends: bool) {
    let mut cluster = Cluster::new(Carrier::Bridge, 3);
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let mut idle = cluster.node(&NodeSpec::new("c", 2));
    // Of another cluster as far as `global` is concerned: it would send when one of them is lost.
    let mut busy = cluster.node(&NodeSpec::new("b", 1).args("-hidden"));
    a.connect(&idle);
    a.connect(&busy);
    keep_busy(&mut a, &busy);
    a.until(&format!("lists:member({}, nodes(hidden))", busy.atom()), GRACE);
    thread::sleep(KEEP_ALIVE * 2);
    let since = Instant::now();
    for site in [1, 2] {
        lose(&mut cluster, site);
    }
    if ends {
        for node in [&mut busy, &mut idle] {
            node.until("nodes(connected) =:= []", GRACE);
            assert!(
                since.elapsed() <= AT_ONCE,
                "{what}: its own node after {:?}",
                since.elapsed()
            );
        }
    }
    a.until(&format!("not lists:member({}, nodes(hidden))", busy.atom()), GRACE * 3);
    let after = since.elapsed();
    let took = gone(&mut a, &idle, since);
    if ends {
        // Its canary has ended, and it answers nothing.
        assert!(after.max(took) <= AT_ONCE, "{what}: busy {after:?}, idle {took:?}");
        eprintln!("{what}: busy {after:?}, idle {took:?}");
    } else {
        assert_within(&format!("{what}, busy"), after, GRACE, GRACE);
        assert_within(&format!("{what}, idle"), took, GRACE, GRACE + KEEP_ALIVE + LOOK);
    }
}

#[test]
fn a_killed_gateway() {
    lost("a killed gateway", |cluster, site| cluster.gateway(site).kill(), true);
}

/// To others, a host that died is like a gateway that hangs: nothing answers, and no port is unreachable.
#[test]
fn a_dead_host() {
    let lose = |cluster: &mut Cluster, site| cluster.gateway(site).process().signal(Signal::SIGSTOP);
    lost("a dead host", lose, false);
}

#[test]
fn a_network_that_fails() {
    let Some(hosts) = Hosts::lay() else { return };
    let cluster = Cluster::of(Carrier::Bridge, hosts.sites());
    let spec = |name, site: usize| {
        let host = ["one.test", "two.test"][site];
        NodeSpec::new(name, site).host(host).args("-epmd_module beamway_epmd")
    };
    let mut a = cluster.node(&spec("a", 0));
    let mut b = cluster.node(&spec("b", 1));
    a.connect(&b);
    thread::sleep(KEEP_ALIVE * 2);
    let since = Instant::now();
    hosts.cable("down");
    for node in [&mut a, &mut b] {
        node.until("nodes() =:= []", GRACE * 3);
        let took = since.elapsed();
        assert_within("a failed network, idle", took, GRACE, GRACE + KEEP_ALIVE + LOOK);
    }
}

/// The new life of a daemon ends the sessions of the former one.
#[test]
fn a_gateway_killed_and_started_again() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
    a.eval("real:watch()");
    thread::sleep(KEEP_ALIVE);
    let since = Instant::now();
    cluster.gateway(1).kill();
    b.until("nodes(connected) =:= []", GRACE);
    assert!(since.elapsed() <= AT_ONCE, "its own node after {:?}", since.elapsed());
    cluster.gateway(1).run();
    let since = Instant::now();
    a.until(&format!("lists:member(nodedown, real:watched({}))", b.atom()), GRACE);
    assert!(since.elapsed() <= AT_ONCE * 2, "after {:?}", since.elapsed());
    eprintln!(
        "a gateway started again: {:?} after it said that it is ready",
        since.elapsed()
    );
}
