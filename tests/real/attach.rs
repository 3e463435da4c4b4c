//! The ways to attach that need more than one host: loopback aliases, and network namespaces.
//!
//! The first way, a stock node with `ERL_EPMD_PORT`, is how every other test attaches.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Site;

const HOSTS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 0, 0, 5),
    Ipv4Addr::new(127, 0, 0, 6),
];

/// Three hosts, each a loopback address; every gateway's port mapper answers on all three, so that the address which a
/// node asks at names the host it means.
fn aliased() -> Cluster {
    let sites = HOSTS.iter().zip(["left", "right", "third"]).map(|(host, name)| {
        let mut site = Site::on_addresses(name, &HOSTS);
        site.hosts = vec![host.to_string()];
        site
    });
    Cluster::of(Carrier::Bridge, sites.collect())
}

/// `b` at each of three hosts, and they are three nodes.
#[test]
fn equal_short_names_on_loopback_aliases() {
    let mut cluster = aliased();
    let mut nodes: Vec<Node> = (0..3)
        .map(|site| cluster.node(&NodeSpec::new("b", site).host(&HOSTS[site].to_string())))
        .collect();
    let names: Vec<String> = nodes.iter().map(Node::atom).collect();
    let (first, others) = nodes.split_first_mut().expect("three nodes");
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    for other in others.iter() {
        first.connect(other);
        a.connect(other);
    }
    a.connect(first);
    for node in nodes.iter_mut().chain([&mut a]) {
        let own = node.atom();
        node.await_value("length(nodes())", "3", Duration::from_secs(20));
        for other in names.iter().filter(|name| **name != own) {
            assert_eq!(
                node.eval(&format!("erpc:call({other}, erlang, node, [])")),
                *other,
                "{own} asked {other} who it is"
            );
            node.eval(&format!("real_connections:chat({other})"));
        }
        node.eval_within("real_connections:everyone(nodes())", Duration::from_secs(120));
    }
    cluster.assert_healthy();
}
