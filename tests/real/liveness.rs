//! Ticks are answered at each leg, and a node that hangs is noticed all the same: by the tick time of its partner.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Relay;
use crate::harness::Site;

cases! {
    control: idle_then_stopped, stopped_for_good;
    bridge: a_shorter_tick_time_of_one_node, the_default_tick_time;
    vm: a_shorter_tick_time_of_one_node;
}

/// A gateway tells that a node is silent when it has heard nothing for three seconds.
const TOLD: Duration = Duration::from_secs(3);

/// From the stop of its partner until a node with this tick time gives it up: it hears nothing for one tick time and up to a
/// quarter more. A tick may have come just before the stop, or have been due.
fn noticed(carrier: Carrier, ticktime: u64) -> (Duration, Duration) {
    let least = Duration::from_secs(ticktime) * 3 / 4;
    let most = Duration::from_secs(ticktime) * 5 / 4;
    let slack = Duration::from_millis(1500);
    match carrier {
        Carrier::Plain => (least - slack, most + slack),
        Carrier::Bridge | Carrier::Vm | Carrier::Mixed => (least - slack, most + TOLD + slack),
    }
}

fn idle_then_stopped(carrier: Carrier) {
    let sites = ["left", "right"].map(|name| Site::loopback(name).setting("net_ticktime = 4"));
    let mut cluster = Cluster::of(carrier, sites.to_vec());
    let ticking = "-kernel net_ticktime 4";
    let mut a = cluster.node(&NodeSpec::new("a", 0).args(ticking));
    let mut b = cluster.node(&NodeSpec::new("b", 1).args(ticking));
    let mut hidden = cluster.node(&NodeSpec::new("h", 1).args(ticking).args("-hidden"));
    a.connect(&b);
    a.connect(&hidden);
    for node in [&mut a, &mut b] {
        node.eval("real:watch()");
    }
    // Nothing is sent but ticks: five tick times long.
    thread::sleep(Duration::from_secs(20));
    assert_eq!(
        a.eval("lists:sort(nodes(connected))"),
        format!("[{},{}]", b.atom(), hidden.atom()),
        "an idle pair was parted"
    );
    each_way(&mut a, &mut b, |node, other| {
        assert_eq!(
            node.eval(&format!("real:watched({other})")),
            "[]",
            "{} saw its idle partner go",
            node.full_name()
        );
    });
    hidden.eval(&format!("real_connections:chat({})", a.atom()));
    b.signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    let (least, most) = noticed(carrier, 4);
    a.await_nodes(&[], most);
    let after = stopped.elapsed();
    assert!(
        after > least,
        "noticed after {after:?}: too soon for a tick time of 4 s"
    );
    b.signal(Signal::SIGCONT);
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(20));
    a.eval(&format!("real_connections:chat({})", b.atom()));
    // The other one on that host was not disturbed.
    assert_eq!(
        a.eval(&format!("real:watched({})", hidden.atom())),
        "[]",
        "what a saw of the hidden node"
    );
    cluster.assert_healthy();
}

/// A node that is stopped for less than the tick time is kept, and one that is stopped for good goes down with the reason that
/// plain distribution has. The gateways know nothing of the tick time.
fn stopped_for_good(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 2);
    let ticking = "-kernel net_ticktime 8";
    let mut a = cluster.node(&NodeSpec::new("a", 0).args(ticking));
    let mut b = cluster.node(&NodeSpec::new("b", 1).args(ticking));
    stop_and_go(carrier, &mut a, &mut b);
    cluster.assert_healthy();
}

/// Over plain distribution, nodes must have the same tick time: an idle one ticks every 15 s by default, and has always been lost
/// by one with a tick time of 8 s.
fn a_shorter_tick_time_of_one_node(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 2);
    let mut a = cluster.node(&NodeSpec::new("a", 0).args("-kernel net_ticktime 8"));
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    for node in [&mut a, &mut b] {
        node.eval("real:watch()");
    }
    // An idle node may say nothing for twice 15 s.
    thread::sleep(Duration::from_secs(35));
    each_way(&mut a, &mut b, |node, other| {
        assert_eq!(
            node.eval(&format!("real:watched({other})")),
            "[]",
            "{}",
            node.full_name()
        );
    });
    stop_and_go(carrier, &mut a, &mut b);
    cluster.assert_healthy();
}

/// What OTP's `monitor_nodes_nodedown_reason` expects: a node that blocks right after it is connected, and ends after one and a half
/// tick times, goes down with `net_tick_timeout` before that.
fn the_default_tick_time(carrier: Carrier) {
    let (mut cluster, mut a, b) = Cluster::pair(carrier);
    a.eval("real:watch()");
    b.signal(Signal::SIGSTOP);
    let (_, most) = noticed(carrier, 60);
    assert!(most < Duration::from_secs(90));
    let reasons = format!("real:reasons({})", b.atom());
    a.await_value(&reasons, "[net_tick_timeout]", most);
    b.signal(Signal::SIGCONT);
    cluster.assert_healthy();
}

fn stop_and_go(carrier: Carrier, a: &mut Node, b: &mut Node) {
    let ticktime = 8;
    a.connect(b);
    for node in [&mut *a, &mut *b] {
        node.eval("real:watch()");
    }
    let (name, other) = (a.atom(), b.atom());
    for round in 0..3 {
        b.signal(Signal::SIGSTOP);
        thread::sleep(Duration::from_secs(5));
        // What is sent meanwhile waits for it.
        a.eval(&format!("{{real_console, {other}}} ! {round}"));
        b.signal(Signal::SIGCONT);
        a.eval(&format!("real_connections:chat({other})"));
        b.eval(&format!("real_connections:chat({name})"));
        thread::sleep(Duration::from_secs(1));
    }
    // It is heard again: the time begins anew.
    assert_eq!(a.eval(&format!("real:watched({other})")), "[]");
    assert_eq!(b.eval(&format!("real:watched({name})")), "[]");
    b.signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    let (least, most) = noticed(carrier, ticktime);
    a.await_value(&format!("real:reasons({other})"), "[net_tick_timeout]", most);
    let after = stopped.elapsed();
    assert!(after > least, "noticed after {after:?}: too soon for {ticktime} s");
    b.signal(Signal::SIGCONT);
    a.await_value(&format!("net_adm:ping({other})"), "pong", Duration::from_secs(20));
    a.eval(&format!("real_connections:chat({other})"));
}

/// Between hosts, heartbeats are those of QUIC, whatever the number of nodes: ticks, and the answers of nodes that are asked whether
/// they live, stay where they are.
#[test]
fn heartbeats_of_many_nodes_are_those_of_two_hosts() {
    let mut sites = [Site::loopback("left"), Site::loopback("right")];
    let relay = Relay::to(sites[1].quic);
    sites[1].seen_as = Some(relay.address());
    sites[0].seen_as = Some(Relay::to(sites[0].quic).address());
    let cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let node = |name, site| cluster.node(&NodeSpec::new(name, site).args("-kernel net_ticktime 4"));
    let mut left = ["a", "b"].map(|name| node(name, 0));
    let right = ["c", "d"].map(|name| node(name, 1));
    for node in &mut left {
        for other in &right {
            node.connect(other);
        }
    }
    // What `global` has to say.
    thread::sleep(Duration::from_secs(5));
    let before = relay.passed();
    thread::sleep(Duration::from_secs(12));
    let passed = relay.passed() - before;
    // A keep-alive every three seconds from each side at most, and its acknowledgement. Four circuits would have had 30 answers.
    assert!((4..=20).contains(&passed), "{passed} datagrams in 12 s");
}
