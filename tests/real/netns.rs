//! Two hosts made of network namespaces: nodes attach with `-epmd_module beamway_epmd`, and the line between the hosts
//! can be cut.

use std::thread;
use std::time::Duration;
use std::time::SystemTime;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Hosts;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Site;

cases! {
    control: ;
    bridge: a_line_that_comes_and_goes, the_session_goes_on_when_the_line_is_back, a_line_that_is_cut;
    vm: a_line_that_comes_and_goes, the_session_goes_on_when_the_line_is_back, a_line_that_is_cut;
}

fn spec(name: &str, site: usize) -> NodeSpec {
    let host = ["one.test", "two.test"][site];
    NodeSpec::new(name, site).host(host).args("-epmd_module beamway_epmd")
}

/// A node on each host, connected; each notes which nodes come and go.
fn watchful(carrier: Carrier, sites: Vec<Site>) -> (Cluster, Node, Node) {
    let cluster = Cluster::of(carrier, sites);
    let node = |name, site| match carrier {
        Carrier::Vm => {
            let host = ["one.test", "two.test"][site];
            cluster.node(&NodeSpec::new(name, site).host(host).args("-kernel logger_level info"))
        }
        _ => cluster.node(&spec(name, site)),
    };
    let (mut a, mut b) = (node("a", 0), node("b", 1));
    a.connect(&b);
    each_way(&mut a, &mut b, |node, _| {
        node.eval("real:watch()");
    });
    (cluster, a, b)
}

fn assert_unnoticed(a: &mut Node, b: &mut Node, what: &str) {
    each_way(a, b, |node, other| {
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} noticed {what}", node.full_name());
    });
}

/// Names that no resolver knows, the same short name on both hosts, and a neighbour on the first.
#[test]
fn nodes_on_two_hosts() {
    let Some(hosts) = Hosts::lay() else { return };
    let mut cluster = Cluster::of(Carrier::Bridge, hosts.sites());
    let mut a = cluster.node(&spec("n", 0));
    let mut b = cluster.node(&spec("n", 1));
    let mut neighbour = cluster.node(&spec("m", 0));
    a.connect(&b);
    a.connect(&neighbour);
    neighbour.connect(&b);
    for node in [&mut a, &mut b, &mut neighbour] {
        node.await_value("length(nodes())", "2", Duration::from_secs(20));
        node.eval_within("real_connections:everyone(nodes())", Duration::from_secs(120));
    }
    each_way(&mut a, &mut b, |node, other| {
        node.eval(&format!("real_basics:terms({other})"));
        node.eval(&format!("real_otp:remote_calls({other})"));
    });
    // A gateway that comes back finds its nodes registered again.
    cluster.gateway(1).terminate();
    a.await_nodes(&[neighbour.full_name()], Duration::from_secs(5));
    cluster.gateway(1).run();
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(40));
    cluster.assert_healthy();
}

/// A node of the other host that was told the port finds the way past both gateways. The gateway of its partner says so.
#[test]
fn a_node_that_bypasses_the_gateways() {
    let Some(hosts) = Hosts::lay() else { return };
    let sites = hosts.sites();
    let two = sites[1].quic.ip().to_string().replace('.', ",");
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    let mut b = cluster.node(&spec("b", 1));
    let port = b.eval("hd([P || T <- erlang:ports(), {ok, {{0,0,0,0}, P}} <- [inet:sockname(T)]])");
    let host = "one.test";
    let mut c = cluster.node(&NodeSpec::new("c", 0).host(host).args(&format!("-erl_epmd_port {port}")));
    c.eval(&format!(
        "inet_db:set_lookup([file]), inet_db:add_host({{{two}}}, [\"two.test\"])"
    ));
    c.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(10));
    let gateway = cluster.gateway(1).process();
    let told = gateway.await_log("without a gateway, unencrypted", Duration::from_secs(15));
    assert!(told.contains("node=\"b\""), "{told}");
    cluster.assert_healthy();
}

/// Again and again: the cable, or one direction of it, under load in all forms.
fn a_line_that_comes_and_goes(carrier: Carrier) {
    let Some(hosts) = Hosts::lay() else { return };
    let (mut cluster, mut a, mut b) = watchful(carrier, hosts.sites());
    let (to_a, to_b) = (a.atom(), b.atom());
    for round in 0..3 {
        a.begin(&format!("real_order:addressed({to_b}, 36000)"));
        b.begin(&format!("real_line:ticking({to_a}, 900)"));
        for cut in 0..8 {
            thread::sleep(Duration::from_millis(150 + 37 * cut % 300));
            let dark = Duration::from_millis(60 + (round * 8 + cut) * 173 % 1500);
            match cut % 3 {
                0 => {
                    hosts.cable("down");
                    thread::sleep(dark);
                    hosts.cable("up");
                }
                direction => {
                    hosts.deaf(direction as usize - 1, "add");
                    thread::sleep(dark);
                    hosts.deaf(direction as usize - 1, "del");
                }
            }
        }
        for node in [&mut a, &mut b] {
            node.finish("traffic through many cuts", Duration::from_secs(60))
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }
    assert_unnoticed(&mut a, &mut b, "a cut");
    let log = match carrier {
        Carrier::Vm => a.process().log(),
        _ => cluster.gateway(0).process().log(),
    };
    let trunks = log
        .iter()
        .filter(|line| line.contains("has resumed on another trunk"))
        .count();
    assert!(
        trunks >= 6,
        "only {trunks} trunks were replaced: the cuts were not felt"
    );
    cluster.assert_healthy();
}

/// The cable is out while small signals flow: nodes notice nothing but the pause, which ends soon after the line is back.
fn the_session_goes_on_when_the_line_is_back(carrier: Carrier) {
    let Some(hosts) = Hosts::lay() else { return };
    let (mut cluster, mut a, mut b) = watchful(carrier, hosts.sites());
    let (to_a, to_b) = (a.atom(), b.atom());
    for blackout in [500, 3000, 10_000, 14_000] {
        let ticks = blackout / 10 + 300;
        a.begin(&format!("real_line:ticking({to_b}, {ticks})"));
        b.begin(&format!("real_line:ticking({to_a}, {ticks})"));
        thread::sleep(Duration::from_millis(500));
        hosts.cable("down");
        thread::sleep(Duration::from_millis(blackout));
        hosts.cable("up");
        let back = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("a clock");
        for node in [&mut a, &mut b] {
            let pause = node
                .finish("small signals", Duration::from_secs(30))
                .unwrap_or_else(|error| panic!("{error}"));
            let (ended, length) = pair_of(&pause);
            let after = Duration::from_micros(ended).saturating_sub(back);
            eprintln!("{blackout} ms without a line: signals go on {after:?} after it is back");
            assert!(length > blackout * 900, "a pause of {length} us: the line was not cut");
            assert!(after < Duration::from_secs(2), "{after:?} after a cut of {blackout} ms");
        }
    }
    assert_unnoticed(&mut a, &mut b, "a cut");
    if carrier == Carrier::Bridge {
        let status = cluster.gateway(0).status();
        let peer = &status["peers"][0];
        let (count, seconds) = (&peer["outages"]["count"], &peer["outages"]["seconds"]);
        // After a short one the former trunk may be the first to answer.
        assert!(count.as_u64() >= Some(2), "the outages are counted: {peer}");
        assert!(seconds.as_f64() >= Some(20.0), "the long ones alone take 24 s: {peer}");
        assert!(peer["resent_frames"].as_u64() > Some(0), "{peer}");
    }
    cluster.assert_healthy();
}

/// `{1,2}` as Erlang prints it.
pub(crate) fn pair_of(text: &str) -> (u64, u64) {
    let numbers = text.trim_matches(['{', '}']).split_once(',');
    let read = |number: &str| number.trim().parse().expect("a number");
    let (one, other) = numbers.expect("a pair");
    (read(one), read(other))
}

/// The cable is out for two seconds under load: no node notices. Then for long: both sides do, and find back.
fn a_line_that_is_cut(carrier: Carrier) {
    let Some(hosts) = Hosts::lay() else { return };
    let (mut cluster, mut a, mut b) = watchful(carrier, hosts.sites());
    let (to_a, to_b) = (a.atom(), b.atom());
    a.begin(&format!("real_order:addressed({to_b}, 24000)"));
    b.begin(&format!("real_order:short_lived({to_a}, 2400)"));
    hosts.cable("down");
    thread::sleep(Duration::from_secs(2));
    hosts.cable("up");
    for node in [&mut a, &mut b] {
        node.finish("traffic through a cut of two seconds", Duration::from_secs(60))
            .unwrap_or_else(|error| panic!("{error}"));
    }
    assert_unnoticed(&mut a, &mut b, "a cut of two seconds");
    hosts.cable("down");
    a.await_nodes(&[], Duration::from_secs(60));
    b.await_nodes(&[], Duration::from_secs(60));
    hosts.cable("up");
    a.await_value(&format!("net_adm:ping({to_b})"), "pong", Duration::from_secs(40));
    b.eval(&format!("real_connections:chat({to_a})"));
    cluster.assert_healthy();
}

/// Without a grace circuits end with their trunk, on both sides, and nodes find each other when the line is back.
#[test]
fn a_line_that_is_cut_without_a_grace() {
    let Some(hosts) = Hosts::lay() else { return };
    let strict = |site: Site| site.setting("[transport]\nidle_timeout = \"2s\"\n[session]\ngrace = \"0s\"");
    let (mut cluster, mut a, mut b) = watchful(Carrier::Bridge, hosts.sites().into_iter().map(strict).collect());
    hosts.cable("down");
    thread::sleep(Duration::from_millis(500));
    hosts.cable("up");
    b.eval(&format!("real_connections:chat({})", a.atom()));
    assert_unnoticed(&mut a, &mut b, "a cut that QUIC bridges by itself");
    hosts.cable("down");
    for node in [&mut a, &mut b] {
        node.await_nodes(&[], Duration::from_secs(6));
    }
    hosts.cable("up");
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(10));
    b.eval(&format!("real_connections:chat({})", a.atom()));
    for site in [0, 1] {
        let log = cluster.gateway(site).process().log();
        let went_on = log.iter().any(|line| line.contains("has resumed on another trunk"));
        assert!(!went_on, "gateway {site} resumed a session without a grace");
    }
    cluster.assert_healthy();
}
