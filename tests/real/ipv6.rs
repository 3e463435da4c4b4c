//! Hosts of which some or all have IPv6 alone.

use std::io::Read;
use std::io::Write;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::basics::each_way;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Hosts;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Site;
use crate::harness::within;

const TIME: Duration = Duration::from_secs(60);

/// Whether this machine has no IPv6, which is said then.
fn lacks_ipv6() -> bool {
    let lacks = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err();
    if lacks {
        eprintln!("SKIPPED: this machine has no IPv6 loopback");
    }
    lacks
}

fn spec(name: &str, site: usize, host: &str) -> NodeSpec {
    NodeSpec::new(name, site).host(host).args("-proto_dist inet6_tcp")
}

/// What a command of `beamway` on the host of a gateway prints; it succeeds.
fn command(cluster: &mut Cluster, site: usize, words: &[&str]) -> String {
    let mut command: Command = cluster.gateway(site).command(words[0]);
    let output = command.args(&words[1..]).output().expect("a program");
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{words:?}: {said}{complained}");
    said.into_owned()
}

/// Small and large signals both ways, each in order.
fn both_ways(a: &mut Node, b: &mut Node) {
    each_way(a, b, |node, other| {
        node.begin(&format!("real_order:addressed({other}, 12000)"));
    });
    for node in [&mut *a, &mut *b] {
        let done = node.finish("numbers by pid, name and alias", TIME);
        assert!(done.is_ok(), "{done:?}");
    }
    each_way(a, b, |node, other| {
        let sum = "lists:sum([byte_size(B) || B <- Got])";
        node.eval(&format!(
            "begin Got = [erpc:call({other}, binary, copy, [<<N:8>>, 4_000_000]) || N <- lists:seq(1, 8)], 32_000_000 = {sum}, ok end"
        ));
    });
}

fn everything(has_127: bool) {
    if lacks_ipv6() {
        return;
    }
    let Some(hosts) = Hosts::of_ipv6(has_127) else { return };
    let sites: Vec<Site> = hosts.sites_of_ipv6();
    let sites = sites.into_iter().map(|site| site.admin("listen = \"[::1]:9470\""));
    let mut cluster = Cluster::of(Carrier::Bridge, sites.collect());
    // Found by their full names.
    let mut a = cluster.node(&spec("a", 0, "one.test").args("-epmd_module beamway_epmd"));
    let mut b = cluster.node(&spec("b", 1, "two.test").args("-epmd_module beamway_epmd"));
    a.connect(&b);
    both_ways(&mut a, &mut b);
    assert_eq!(a.eval("net_adm:names('two.test')").matches("\"b\"").count(), 1);
    // A stock node on a host that has both names in its hosts file, at loopback.
    let mut c = cluster.node(&spec("c", 0, "one.test"));
    c.eval("inet_db:set_lookup([file]), inet_db:add_host({0,0,0,0,0,0,0,1}, [\"one.test\", \"two.test\"])");
    c.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(10));
    c.eval(&format!("real_connections:chat({})", b.atom()));
    let ping = command(&mut cluster, 0, &["ping", "--cookie", COOKIE, b.full_name()]);
    assert!(ping.contains("b@two.test"), "{ping}");
    let called = ["call", "--cookie", COOKIE, b.full_name(), "erlang", "node", "[]"];
    assert_eq!(command(&mut cluster, 0, &called).trim(), "'b@two.test'");
    let status = cluster.gateway(0).status();
    assert_eq!(status["peers"][0]["state"], "up", "{status}");
    assert_eq!(status["peers"][0]["address"], "[fd77::2]:4471", "{status}");
    let found: Value = serde_json::from_str(&command(&mut cluster, 0, &["doctor", "--json"])).expect("JSON");
    let failures = found.as_array().expect("a list").iter();
    let failures: Vec<&Value> = failures.filter(|one| one["level"] == "failure").collect();
    assert!(failures.is_empty(), "{failures:?}");
    let namespace = hosts.names().first().cloned();
    let metrics = within(namespace.as_deref(), || {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 9470));
        let mut stream = TcpStream::connect(address).expect("the address of [admin]");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: [::1]:9470\r\nConnection: close\r\n\r\n")
            .expect("an open connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    });
    assert!(metrics.contains("beamway_peer_state"), "{metrics}");
    cluster.assert_healthy();
}

#[test]
fn hosts_with_ipv6_alone() {
    everything(true);
}

/// Not even loopback has an address of IPv4.
#[test]
fn hosts_without_any_address_of_ipv4() {
    everything(false);
}

/// Nodes that are named after addresses, and are announced with them by default.
#[test]
fn nodes_named_after_addresses_of_ipv6() {
    if lacks_ipv6() {
        return;
    }
    let Some(hosts) = Hosts::of_ipv6(true) else { return };
    let addresses = ["fd77::1", "fd77::2"];
    let sites = hosts.sites_of_ipv6().into_iter().zip(addresses);
    let sites = sites.map(|(mut site, address)| {
        site.hosts = Vec::new();
        site.certified = Some(vec![address.to_owned()]);
        site
    });
    let mut cluster = Cluster::of(Carrier::Bridge, sites.collect());
    let spec = |name, site: usize| spec(name, site, addresses[site]).args("-epmd_module beamway_epmd");
    let (mut a, b) = (cluster.node(&spec("a", 0)), cluster.node(&spec("b", 1)));
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(10));
    a.eval(&format!("real_connections:chat({})", b.atom()));
    cluster.assert_healthy();
}

/// The carrier inside the VM.
#[test]
fn vms_on_hosts_without_any_address_of_ipv4() {
    if lacks_ipv6() {
        return;
    }
    let Some(hosts) = Hosts::of_ipv6(false) else { return };
    let cluster = Cluster::of(Carrier::Vm, hosts.sites_of_ipv6());
    let mut a = cluster.node(&NodeSpec::new("a", 0).host("one.test"));
    let mut b = cluster.node(&NodeSpec::new("b", 1).host("two.test"));
    a.connect(&b);
    both_ways(&mut a, &mut b);
}

/// A daemon that listens at all addresses of both families has a peer with IPv4 alone, whoever dials.
#[test]
fn a_daemon_of_both_families_has_a_peer_of_ipv4() {
    if lacks_ipv6() {
        return;
    }
    let Some(hosts) = Hosts::lay() else { return };
    for dialler in [0, 1] {
        let mut sites = hosts.sites();
        sites[0].listen = Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 4471)));
        let mut cluster = Cluster::with_diallers(sites, &[dialler]);
        let spec = |name, site, host| NodeSpec::new(name, site).host(host).args("-epmd_module beamway_epmd");
        let mut a = cluster.node(&spec("a", 0, "one.test"));
        let b = cluster.node(&spec("b", 1, "two.test"));
        a.connect(&b);
        a.eval(&format!("real_connections:chat({})", b.atom()));
        cluster.assert_healthy();
    }
}
