//! What a person reads in the log of a gateway when something is not as it should be, or begins.

use std::time::Duration;

use crate::harness::BEAMWAY;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Certificates;
use crate::harness::Cluster;
use crate::harness::Gateway;
use crate::harness::Hosts;
use crate::harness::NodeSpec;
use crate::harness::Site;

const SOON: Duration = Duration::from_secs(20);

/// With both nodes and the peer, on both sides.
#[test]
fn a_circuit_that_begins() {
    let (mut cluster, a, b) = Cluster::pair(Carrier::Bridge);
    for (site, peer) in [(0, "right"), (1, "left")] {
        let line = cluster.gateway(site).process().await_log("a circuit has begun", SOON);
        for part in [
            format!("peer={peer} "),
            format!("from=\"{}\"", a.full_name()),
            format!("to=\"{}\"", b.full_name()),
        ] {
            assert!(line.contains(&part), "{part} is not in {line}");
        }
    }
    cluster.assert_healthy();
}

/// A node that encrypts itself speaks TLS to its gateway, whose answer it would never understand, and does not understand its gateway.
#[test]
fn a_node_that_uses_tls_distribution() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Bridge);
    let certs = cluster.certificates().issue_for("tls", &["127.0.0.1".to_owned()]);
    let file = |name: &str| certs.join(name).display().to_string();
    let side = format!(
        "[{{certfile, {:?}}}, {{keyfile, {:?}}}, {{cacertfile, {:?}}}, {{verify, verify_none}}]",
        file("cert.pem"),
        file("key.pem"),
        file("ca.pem")
    );
    let options = cluster.folder().join("tls.conf");
    std::fs::write(&options, format!("[{{server, {side}}}, {{client, {side}}}].\n")).expect("a writable folder");
    let options = options.display().to_string();
    let tls = format!("-proto_dist inet_tls -ssl_dist_optfile {options}");
    let mut t = cluster.node(&NodeSpec::new("t", 0).args(&tls));
    assert_eq!(t.eval(&format!("net_adm:ping({})", b.atom())), "pang");
    let line = cluster.gateway(0).process().await_log("uses TLS distribution", SOON);
    assert!(line.contains("start it without"), "{line}");
    let mut u = cluster.node(&NodeSpec::new("u", 1).args(&tls));
    a.await_known(&u);
    assert_eq!(a.eval(&format!("net_adm:ping({})", u.atom())), "pang");
    let line = cluster.gateway(1).process().await_log("uses TLS distribution", SOON);
    assert!(line.contains("start it without"), "{line}");
    u.eval("ok");
    cluster.assert_healthy();
}

/// A host has several names and addresses, and a node answers to one of them only.
#[test]
fn a_node_that_is_called_by_another_name_than_its_own() {
    let mut sites = ["left", "right"].map(Site::loopback);
    sites[1].hosts = vec!["two.test".to_owned(), "127.0.0.1".to_owned()];
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let b = cluster.node(&NodeSpec::new("b", 1));
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    a.await_known(&b);
    let config = cluster.folder().join("left.toml");
    let ping = |node: &str| {
        let mut command = std::process::Command::new(BEAMWAY);
        command.args(["ping", "--cookie", COOKIE, "--config"]).arg(&config);
        let output = command.arg(node).output().expect("beamway runs");
        assert!(!output.status.success(), "{node} answers");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    // Nobody knows yet which of its names is its own: all are told.
    let unknown = ping("c@127.0.0.1");
    // The gateway of its host is asked too.
    assert!(unknown.contains("known nodes: "), "{unknown}");
    assert!(unknown.contains("b@two.test or b@127.0.0.1;"), "{unknown}");
    let other = ping("b@two.test");
    assert!(
        other.contains("the node that was called b@two.test has another name, b@127.0.0.1: use that one"),
        "{other}"
    );
    // A node of Erlang says nothing at all, so its gateway does.
    let elsewhere = "begin inet_db:set_lookup([file]), inet_db:add_host({127,0,0,1}, [\"two.test\"]), net_adm:ping('b@two.test') end";
    assert_eq!(a.eval(elsewhere), "pang");
    let line = cluster
        .gateway(0)
        .process()
        .await_log("a local node gave up a connection", SOON);
    assert!(line.contains("told its name, b@127.0.0.1"), "{line}");
    assert!(line.contains("from=\"a@127.0.0.1\""), "{line}");
    cluster.assert_healthy();
}

/// It is this host that sends nothing: the log says so in a line of ours, and none of a library.
#[test]
fn packets_that_this_host_does_not_send() {
    let Some(hosts) = Hosts::lay() else { return };
    // The kernel answers as to packets that nftables drops, and as without a route.
    for (kind, expected) in [("prohibit", "a firewall of this host"), ("blackhole", "no route to it")] {
        hosts.route("add", kind);
        let mut cluster = Cluster::with_absent(Carrier::Bridge, hosts.sites(), 1);
        let gateway = cluster.gateway(0).process();
        let line = gateway.await_log("this host does not send UDP packets to a peer", SOON);
        assert!(
            line.contains("WARN") && line.contains("to=10.77.0.2:4471") && line.contains(expected),
            "{line}"
        );
        let line = gateway.await_log("a peer cannot be reached; retrying", SOON);
        assert!(
            line.contains("nothing was sent to UDP 10.77.0.2:4471: ") && line.contains(expected),
            "{line}"
        );
        // At the level `debug`, that of these tests, it also says what it does about it.
        let is_raw =
            |line: &String| line.contains("quinn_udp") && (line.contains(" WARN ") || line.contains(" ERROR "));
        let raw = gateway.log().into_iter().find(is_raw);
        assert!(raw.is_none(), "{raw:?}");
        cluster.assert_healthy();
        drop(cluster);
        hosts.route("del", kind);
    }
}

/// A firewall, a wrong address, another authority: each is told when it becomes the reason.
#[test]
fn a_peer_that_cannot_be_reached_for_one_reason_and_then_another() {
    let sites = ["left", "right"].map(Site::loopback).to_vec();
    let right = sites[1].clone();
    let mut cluster = Cluster::with_absent(Carrier::Bridge, sites.clone(), 1);
    // Something is there, and says nothing.
    let silent = std::net::UdpSocket::bind(right.quic).expect("a free port");
    let line = cluster
        .gateway(0)
        .process()
        .await_log("a peer cannot be reached; retrying", SOON);
    for part in ["peer=\"right\"", "no answer from UDP 127.0.0.1:", "firewalls", "MTU"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    drop(silent);
    let others = Certificates::init(cluster.folder().join("others"));
    let mut stranger = Gateway::start(right, cluster.folder(), &others, &sites);
    let wanted = "is not signed by an authority in our ca.pem";
    let line = cluster.gateway(0).process().await_log(wanted, SOON);
    assert!(
        line.contains("WARN") && line.contains("a peer cannot be reached; retrying"),
        "{line}"
    );
    stranger.terminate();
    cluster.assert_healthy();
}
