//! Who may dial in, who may speak for which nodes, which nodes may be connected and how fast, and what is told when that does not fit.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::harness::Carrier;
use crate::harness::Certificates;
use crate::harness::Cluster;
use crate::harness::Gateway;
use crate::harness::Hosts;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Site;

/// Daemons meet, and nodes are announced, within this.
const TOLD: Duration = Duration::from_secs(20);

/// The certificate of the second host does not name the host part of its node.
#[test]
fn a_daemon_speaks_for_the_hosts_of_its_certificate_alone() {
    let mut sites = ["left", "right"].map(Site::loopback);
    sites[1].certified = Some(Vec::new());
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    cluster
        .gateway(0)
        .process()
        .await_log("issue one with `--host 127.0.0.1`, or set `allow`", TOLD);
    assert_eq!(a.eval(&format!("net_adm:ping({})", b.atom())), "pang");
    // The other way its own daemon lets it connect, and the first host refuses it.
    b.await_known(&a);
    assert_eq!(b.eval(&format!("net_adm:ping({})", a.atom())), "pang");
    cluster.gateway(0).process().await_log(
        "peer right may not speak for node b@127.0.0.1: its certificate is for the hosts `right`",
        TOLD,
    );
    cluster
        .gateway(1)
        .process()
        .await_log("does not name these hosts of nodes: 127.0.0.1", TOLD);
    cluster.assert_healthy();
}

/// A gateway that has these others as peers.
fn gateway(site: &Site, peers: &[Site], folder: &Path, certificates: &Certificates) -> Gateway {
    Gateway::start(site.clone(), folder, certificates, peers)
}

#[test]
fn a_mistyped_name_of_a_peer_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::init(folder.path().join("certs"));
    let [left, right] = ["left", "right"].map(Site::loopback);
    let mistyped = Site {
        name: "rihgt".to_owned(),
        ..right.clone()
    };
    let mut right = gateway(&right, std::slice::from_ref(&left), folder.path(), &certificates);
    let mut left = gateway(&left, &[mistyped], folder.path(), &certificates);
    let told = "the certificate at this address is not for the name \"rihgt\", but for `right`";
    left.process().await_log(told, TOLD);
    let hint = "the daemon at the address of this [[peer]] has another name in its certificate";
    left.process().await_log(hint, TOLD);
    let told = "our certificate is not for the name \"rihgt\", but for `right`";
    right.process().await_log(told, TOLD);
    left.assert_healthy();
    right.assert_healthy();
}

#[test]
fn who_is_no_peer_may_dial_in_only_if_the_list_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::init(folder.path().join("certs"));
    let [left, right] = ["left", "right"].map(Site::loopback);
    let closed = left.clone().setting("[accept]\nnames = [\"db-*\"]");
    let mut dialler = gateway(&right, &[left], folder.path(), &certificates);
    let mut closed = gateway(&closed, &[], folder.path(), &certificates);
    let told = "refused \"right\": it is no [[peer]] here, and no pattern of `[accept] names` fits";
    closed.process().await_log(told, TOLD);
    dialler.process().await_log("no pattern of `[accept] names` fits", TOLD);
    closed.assert_healthy();
    dialler.assert_healthy();
}

/// By default a host announces its addresses, also one that it gets later, but not those that mean another host elsewhere.
#[test]
fn what_a_host_announces_by_default() {
    let Some(hosts) = Hosts::lay() else { return };
    let mut sites = hosts.sites();
    sites[0].hosts = Vec::new();
    sites[0].certified = Some(["10.77.0.1", "10.99.0.9", "127.0.0.1"].map(str::to_owned).to_vec());
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    let spec =
        |name: &str, site: usize, host: &str| NodeSpec::new(name, site).host(host).args("-epmd_module beamway_epmd");
    let mut b = cluster.node(&spec("b", 1, "two.test"));
    let first = cluster.node(&spec("first", 0, "10.77.0.1"));
    let mut loc = cluster.node(&spec("loc", 0, "127.0.0.1"));
    b.connect(&first);
    assert_eq!(
        b.eval(&format!("net_adm:ping({})", loc.atom())),
        "pang",
        "it is another host's"
    );
    assert_eq!(
        loc.eval(&format!("net_adm:ping({})", first.atom())),
        "pong",
        "it is this host's"
    );
    hosts.add_address(0, "10.99.0.9");
    let later = cluster.node(&spec("later", 0, "10.99.0.9"));
    b.connect(&later);
    cluster
        .gateway(0)
        .process()
        .await_log("this host has more addresses now", TOLD);
    cluster.assert_healthy();
}

cases! {
    control: ;
    bridge: denied_nodes_are_refused_quickly_and_both_ends_say_why;
    vm: denied_nodes_are_refused_quickly_and_both_ends_say_why;
    mixed: denied_nodes_are_refused_quickly_and_both_ends_say_why
}

/// A node that does not connect to others by itself, nor disconnect from some since others have been parted (`global`).
fn apart(name: &str, site: usize) -> NodeSpec {
    NodeSpec::new(name, site).args("-connect_all false")
}

/// A rule for pairs of nodes.
fn rule(from: &str, to: &str, keys: &str) -> String {
    format!("[[policy]]\nfrom = \"{from}\"\nto = \"{to}\"\n{keys}")
}

/// Waits for a line in the log of the daemon of a node.
fn await_log(cluster: &mut Cluster, node: &Node, wanted: &str) {
    let is_inside = match cluster.carrier() {
        Carrier::Plain | Carrier::Bridge => false,
        Carrier::Vm => true,
        Carrier::Mixed => node.site() == 0,
    };
    if is_inside {
        node.await_log(wanted, TOLD);
        return;
    }
    let index = if cluster.carrier() == Carrier::Mixed {
        0
    } else {
        node.site()
    };
    cluster.gateway(index).process().await_log(wanted, TOLD);
}

/// What a ping says, and how long it took.
fn ping(from: &mut Node, to: &Node) -> (String, Duration) {
    let begin = Instant::now();
    let said = from.eval(&format!("net_adm:ping({})", to.atom()));
    (said, begin.elapsed())
}

/// The daemon of the first node has the rule: it denies what its node begins, and what the other one begins.
fn denied_nodes_are_refused_quickly_and_both_ends_say_why(carrier: Carrier) {
    if carrier == Carrier::Plain {
        return;
    }
    let left = Site::loopback("left").setting(&rule("b@*", "a@*", "action = \"deny\""));
    let mut cluster = Cluster::of(carrier, vec![left, Site::loopback("right")]);
    let mut a = cluster.node(&apart("a", 0));
    let mut b = cluster.node(&apart("b", 1));
    let mut c = cluster.node(&apart("c", 1));
    a.connect(&c);
    b.await_known(&a);
    let rule_of = |from: &str, to: &str| {
        format!(
            "policy: {from}@127.0.0.1 may not be connected to {to}@127.0.0.1: rule 1 of the [[policy]] of daemon left"
        )
    };
    // What the near daemon denies.
    a.await_known(&b);
    let (said, took) = ping(&mut a, &b);
    assert_eq!(said, "pang");
    assert!(took < Duration::from_secs(2), "refused after {took:?}");
    await_log(&mut cluster, &a, &rule_of("a", "b"));
    await_log(
        &mut cluster,
        &b,
        "a connection was refused by the peer, whose policy denies it",
    );
    await_log(&mut cluster, &b, &rule_of("a", "b"));
    // What the far daemon denies.
    let (said, took) = ping(&mut b, &a);
    assert_eq!(said, "pang");
    assert!(took < Duration::from_secs(2), "refused after {took:?}");
    await_log(&mut cluster, &a, &rule_of("b", "a"));
    await_log(&mut cluster, &b, &rule_of("b", "a"));
    assert_eq!(ping(&mut c, &a).0, "pong", "others are not concerned");
    if carrier == Carrier::Bridge {
        assert_eq!(cluster.gateway(0).status()["circuits_denied"], 2);
        assert_eq!(cluster.gateway(1).status()["circuits_denied"], 0);
        let log = cluster.gateway(1).process().log();
        let reached = log
            .iter()
            .any(|line| line.contains("a circuit has begun") && line.contains("to=\"b@"));
        assert!(!reached, "the far node was reached");
    }
    cluster.assert_healthy();
}

#[test]
fn a_list_of_those_who_may_be_connected() {
    let list = [
        rule("a@*", "b@*", "action = \"allow\""),
        rule("*@*", "*@*", "action = \"deny\""),
    ];
    let left = Site::loopback("left").setting(&list.join("\n"));
    let mut cluster = Cluster::of(Carrier::Bridge, vec![left, Site::loopback("right")]);
    let [mut a, mut b, mut c] = [("a", 0), ("b", 1), ("c", 1)].map(|(name, site)| cluster.node(&apart(name, site)));
    a.connect(&b);
    a.await_known(&c);
    assert_eq!(ping(&mut a, &c).0, "pang");
    c.await_known(&a);
    assert_eq!(ping(&mut c, &a).0, "pang");
    assert_eq!(ping(&mut b, &a).0, "pong");
    cluster
        .gateway(1)
        .process()
        .await_log("rule 2 of the [[policy]] of daemon left", TOLD);
    cluster.assert_healthy();
}

/// Bytes of signals of `from` that the gateway of `to` has received, and when, by its clock.
fn received(cluster: &mut Cluster, from: &Node, to: &Node) -> (f64, f64) {
    let status = cluster.gateway(to.site()).status();
    let circuits = status["circuits"].as_array().expect("circuits").iter();
    let mut bytes = circuits
        .filter(|one| one["local"] == to.full_name() && one["remote"] == from.full_name())
        .map(|one| one["bytes_received"].as_f64().expect("a number"));
    let uptime = status["uptime_seconds"].as_f64().expect("a number");
    (bytes.next().unwrap_or_default(), uptime)
}

/// Bytes per second from one node to another one, in so many seconds.
fn rate(cluster: &mut Cluster, from: &Node, to: &Node, seconds: u64) -> f64 {
    let (before, begin) = received(cluster, from, to);
    thread::sleep(Duration::from_secs(seconds));
    let (after, end) = received(cluster, from, to);
    (after - before) / (end - begin)
}

/// The best 99th percentile of some rounds of calls, in microseconds.
fn p99(from: &mut Node, to: &Node) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..3 {
        let told = from.eval(&format!("element(2, real_pressure:calls({}, 8, 1000))", to.atom()));
        best = best.min(told.parse().expect("a number"));
    }
    best
}

const LIMIT: f64 = 4e6;

fn flood(from: &mut Node, to: &Node, size: u32) {
    from.eval(&format!("real_pressure:flood({}, 4, {size})", to.atom()));
}

/// Only the daemon of that site has the rule.
fn the_rate_holds(site: usize) {
    let mut sites = ["left", "right"].map(Site::loopback);
    sites[site] = sites[site].clone().setting(&rule("a@*", "b@*", "rate = \"4MB/s\""));
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let [mut a, b, mut c] = [("a", 0), ("b", 1), ("c", 0)].map(|(name, site)| cluster.node(&apart(name, site)));
    a.connect(&b);
    c.connect(&b);
    let alone = p99(&mut c, &b);
    for size in [65_536, 1_000_000, 200] {
        flood(&mut a, &b, size);
        thread::sleep(Duration::from_millis(1500));
        let found = rate(&mut cluster, &a, &b, 4);
        eprintln!("rule at site {site}, {size} bytes each: {found:.0} bytes/s");
        assert!((found / LIMIT - 1.0).abs() < 0.05, "{found} bytes/s of {size} each");
        if size == 65_536 {
            let beside = p99(&mut c, &b);
            eprintln!("p99 of calls of another pair: {alone} us alone, {beside} us beside it");
            // Behind one message of the flood a call would wait for 16 ms, behind what is read ahead for 130 ms.
            assert!(beside <= 3.0 * alone + 5_000.0, "p99 {beside} us, {alone} alone");
        }
        a.eval("real_pressure:stop_flood()");
        thread::sleep(Duration::from_secs(2));
    }
    flood(&mut c, &b, 65_536);
    let free = rate(&mut cluster, &c, &b, 2);
    assert!(free > 4.0 * LIMIT, "{free} bytes/s of a pair without a limit");
    c.eval("real_pressure:stop_flood()");
    if site == 0 {
        let status = cluster.gateway(0).status();
        let circuits = status["circuits"].as_array().expect("circuits").iter();
        let mut limited = circuits.filter(|one| one["send_limit_bytes_per_second"] == 4_000_000);
        let limited = limited.next().expect("the circuit of a and b");
        assert!(limited["limited_seconds"].as_f64() > Some(5.0), "{limited}");
    }
    cluster.assert_healthy();
}

#[test]
fn the_rate_of_the_near_daemon_holds() {
    the_rate_holds(0);
}

#[test]
fn the_rate_of_the_far_daemon_holds() {
    the_rate_holds(1);
}

/// Bytes that have come from the last flood, and when, in microseconds.
fn metered(node: &mut Node) -> (f64, f64) {
    let told = node.eval("real_pressure:metered()");
    let (bytes, at) = told.trim_matches(['{', '}']).split_once(',').expect("a pair");
    (bytes.parse().expect("a number"), at.trim().parse().expect("a number"))
}

/// Processes of a VM are suspended, and what others send goes on.
#[test]
fn the_rate_holds_inside_a_vm() {
    let left = Site::loopback("left").setting(&rule("a@*", "b@*", "rate = \"4MB/s\""));
    let mut cluster = Cluster::of(Carrier::Vm, vec![left, Site::loopback("right")]);
    let [mut a, mut b, c] = [("a", 0), ("b", 1), ("c", 1)].map(|(name, site)| cluster.node(&apart(name, site)));
    a.connect(&b);
    a.connect(&c);
    let alone = p99(&mut a, &c);
    flood(&mut a, &b, 65_536);
    thread::sleep(Duration::from_millis(1500));
    let (before, begin) = metered(&mut b);
    let beside = p99(&mut a, &c);
    eprintln!("p99 of calls of another pair: {alone} us alone, {beside} us beside a flood that is limited");
    let (after, end) = metered(&mut b);
    let found = (after - before) / (end - begin) * 1e6;
    eprintln!("inside a VM: {found:.0} bytes/s");
    assert!((found / LIMIT - 1.0).abs() < 0.05, "{found} bytes/s");
    assert!(beside <= 3.0 * alone + 5_000.0, "p99 {beside} us, {alone} alone");
    a.eval("real_pressure:stop_flood()");
    cluster.assert_healthy();
}

/// Appends rules to the file of a gateway, in place of those that were appended before.
fn set_rules(cluster: &mut Cluster, site: usize, rules: &str) {
    const BEGIN: &str = "\n# rules\n";
    let gateway = cluster.gateway(site);
    let text = fs::read_to_string(gateway.config()).expect("a file");
    let base = text.split(BEGIN).next().expect("a beginning");
    fs::write(gateway.config(), format!("{base}{BEGIN}{rules}\n")).expect("room");
    let told = gateway.reload();
    assert_eq!(told["changed"], serde_json::json!(["policy"]), "{told}");
}

#[test]
fn other_rules_apply_to_what_runs() {
    let mut cluster = Cluster::new(Carrier::Bridge, 2);
    let [mut a, mut b, mut c] = [("a", 0), ("b", 1), ("c", 0)].map(|(name, site)| cluster.node(&apart(name, site)));
    a.connect(&b);
    c.connect(&b);
    c.eval("real:watch()");
    // Rates come and change, near and far.
    flood(&mut a, &b, 65_536);
    for (site, mega) in [(0, 8), (0, 4)] {
        let limit = format!("rate = \"{mega}MB/s\"");
        set_rules(&mut cluster, site, &rule("a@*", "b@*", &limit));
        thread::sleep(Duration::from_millis(1500));
        let found = rate(&mut cluster, &a, &b, 3);
        eprintln!("after a reload at site {site} with {mega} MB/s: {found:.0} bytes/s");
        assert!((found / (f64::from(mega) * 1e6) - 1.0).abs() < 0.05, "{found} bytes/s");
    }
    // A pair that may not be any more, although its signals wait for the rate; the others stay.
    let denial = rule("b@*", "a@*", "action = \"deny\"");
    let begin = Instant::now();
    set_rules(&mut cluster, 0, &denial);
    b.until("not lists:member('a@127.0.0.1', nodes())", Duration::from_secs(2));
    a.until("not lists:member('b@127.0.0.1', nodes())", Duration::from_secs(2));
    eprintln!("a connection ended {:?} after the reload began", begin.elapsed());
    let reason = "policy: a@127.0.0.1 may not be connected to b@127.0.0.1: rule 1 of the [[policy]] of daemon left";
    cluster.gateway(0).process().await_log(reason, TOLD);
    cluster.gateway(1).process().await_log(reason, TOLD);
    assert_eq!(
        c.eval(&format!("real:watched({})", b.atom())),
        "[]",
        "others lost their connection"
    );
    assert_eq!(ping(&mut a, &b).0, "pang");
    a.eval("real_pressure:stop_flood()");
    // Rules that are gone.
    set_rules(&mut cluster, 0, "");
    a.connect(&b);
    flood(&mut a, &b, 65_536);
    let free = rate(&mut cluster, &a, &b, 2);
    assert!(free > 10e6, "{free} bytes/s without rules");
    a.eval("real_pressure:stop_flood()");
    cluster.assert_healthy();
}

/// Bulk of two pairs fills a line, and a third one makes calls.
#[test]
fn a_high_priority_gets_more_of_a_line_and_a_low_one_does_not_starve() {
    let Some(hosts) = Hosts::with_line("delay=5ms rate=100Mbit buffer=250kB", 1) else {
        return;
    };
    let mut cluster = Cluster::of(Carrier::Bridge, hosts.sites());
    let [mut a, mut c, mut e, b] = [("a", 0), ("c", 0), ("e", 0), ("b", 1)].map(|(name, site)| {
        let spec = apart(name, site).host(["one.test", "two.test"][site]);
        cluster.node(&spec.args("-epmd_module beamway_epmd"))
    });
    for node in [&mut a, &mut c, &mut e] {
        node.connect(&b);
    }
    flood(&mut a, &b, 65_536);
    flood(&mut c, &b, 65_536);
    thread::sleep(Duration::from_secs(2));
    let mut shares = |rules: &str, cluster: &mut Cluster| {
        set_rules(cluster, 0, rules);
        thread::sleep(Duration::from_secs(3));
        let call = p99(&mut e, &b);
        let (of_a, of_c) = (received(cluster, &a, &b), received(cluster, &c, &b));
        thread::sleep(Duration::from_secs(4));
        let (to_a, to_c) = (received(cluster, &a, &b), received(cluster, &c, &b));
        (to_a.0 - of_a.0, to_c.0 - of_c.0, call)
    };
    let same = shares(
        "# none\n[[policy]]\nfrom = \"x@*\"\nto = \"x@*\"\naction = \"allow\"",
        &mut cluster,
    );
    let rules = [
        rule("a@*", "b@*", "priority = \"high\""),
        rule("e@*", "b@*", "priority = \"high\""),
        rule("c@*", "b@*", "priority = \"low\""),
    ];
    let other = shares(&rules.join("\n"), &mut cluster);
    eprintln!("bytes of two floods and p99 of calls in us: {same:?} alike, {other:?} high, low and high");
    let quotient = other.0 / other.1;
    assert!(quotient > 3.0, "the high priority gets {quotient} times as much");
    assert!(other.1 > 100_000.0, "the low one starves: {other:?}");
    assert!(other.2 < 3.0 * same.2, "calls: {other:?}, {same:?}");
    a.eval("real_pressure:stop_flood()");
    c.eval("real_pressure:stop_flood()");
    cluster.assert_healthy();
}
