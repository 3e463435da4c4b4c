//! A host whose addresses change while its daemon runs.

use std::time::Duration;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Hosts;
use crate::harness::NodeSpec;
use crate::harness::until;

/// Addresses are read every three seconds.
const NOTICED: Duration = Duration::from_secs(10);

const COMES: &str = "10.99.0.9";

/// Nobody registers, and nobody asks the gateway of that host: the other one is told of the address, and told that it is gone. A connection
/// that was made with it goes on.
#[test]
fn an_address_that_comes_and_goes_is_announced_and_withdrawn() {
    let Some(hosts) = Hosts::lay() else { return };
    let mut sites = hosts.sites();
    sites[0].hosts = Vec::new();
    sites[0].certified = Some(["one.test", "10.77.0.1", COMES].map(str::to_owned).to_vec());
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    // As is recommended; TCP on an address that is gone cannot go on.
    let words = "-epmd_module beamway_epmd -kernel inet_dist_use_interface {127,0,0,1}";
    let spec = |name, site, host| NodeSpec::new(name, site).host(host).args(words);
    let n = cluster.node(&spec("n", 0, COMES));
    let mut first = cluster.node(&spec("first", 0, "10.77.0.1"));
    let mut b = cluster.node(&spec("b", 1, "two.test"));
    b.connect(&first);
    let ping = format!("net_adm:ping({})", n.atom());
    assert_eq!(b.eval(&ping), "pang", "nobody has announced it yet");
    hosts.add_address(0, COMES);
    b.await_value(&ping, "pong", NOTICED);
    b.eval("real:watch()");
    hosts.remove_address(0, COMES);
    let gateway = cluster.gateway(0).process();
    gateway.await_log("this host has lost addresses", NOTICED);
    let known = format!("real:known(\"n\", \"{COMES}\")");
    b.await_value(&known, "false", NOTICED);
    assert_eq!(
        b.eval(&format!("real:watched({})", n.atom())),
        "[]",
        "the connection is not concerned"
    );
    b.eval(&format!("real_connections:chat({})", n.atom()));
    b.eval(&format!("erlang:disconnect_node({})", n.atom()));
    assert_eq!(b.eval(&ping), "pang", "it is withdrawn");
    // It comes again, and each change is told once.
    hosts.add_address(0, COMES);
    b.await_value(&ping, "pong", NOTICED);
    first.eval(&format!("real_connections:chat({})", b.atom()));
    let log = cluster.gateway(0).process().log();
    let times = |what: &str| log.iter().filter(|line| line.contains(what)).count();
    assert_eq!(times("this host has more addresses now"), 2);
    assert_eq!(times("this host has lost addresses"), 1);
    until(Duration::from_secs(1), "the names at the other gateway", || {
        let status = cluster.gateway(1).status();
        status["peers"][0]["nodes"].to_string().contains("n@")
    });
    cluster.assert_healthy();
}
