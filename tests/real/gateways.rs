//! Gateways that end, are killed and come back.

use std::time::Duration;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;

/// A gateway that ends says so: both sides see it within this.
const PROMPT: Duration = Duration::from_secs(5);

/// A gateway that dies is noticed by its peer after stall detection and grace.
const NOTICED: Duration = Duration::from_secs(45);

/// The nodes register again every two seconds once their port mapper is back; the gateways dial each other again.
const BACK: Duration = Duration::from_secs(40);

#[test]
fn told_to_end_and_restarted() {
    for site in [0, 1] {
        let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
        a.eval("real:watch()");
        b.eval("real:watch()");
        let status = cluster.gateway(site).terminate();
        assert!(status.success(), "a gateway told to end by SIGTERM ended with {status}");
        a.await_nodes(&[], PROMPT);
        b.await_nodes(&[], PROMPT);
        assert_eq!(a.eval(&format!("net_adm:ping({})", b.atom())), "pang");
        cluster.gateway(site).run();
        each_way(&mut a, &mut b, |node, other| {
            node.await_value(&format!("net_adm:ping({other})"), "pong", BACK);
            node.eval(&format!("real_connections:chat({other})"));
        });
        each_way(&mut a, &mut b, |node, other| {
            let seen = node.eval(&format!("real:watched({other})"));
            assert_eq!(seen, "[nodedown,nodeup]", "what {} saw", node.full_name());
        });
        cluster.assert_healthy();
    }
}

#[test]
fn killed_and_restarted() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
    b.eval("real_connections:idle_named(real_idle)");
    a.eval(&format!("real_connections:remember({})", b.atom()));
    cluster.gateway(1).kill();
    // The kernel closes its sockets, so its own node knows at once.
    b.await_nodes(&[], PROMPT);
    a.await_nodes(&[], NOTICED);
    cluster.gateway(1).run();
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", BACK);
    a.eval(&format!("real_connections:chat({})", b.atom()));
    b.eval(&format!("real_connections:chat({})", a.atom()));
    cluster.assert_healthy();
}

/// The nodes are up before the gateways' peers are, and before one of the gateways is.
#[test]
fn started_in_any_order() {
    let (mut cluster, mut a, mut b) = Cluster::apart(Carrier::Bridge);
    cluster.gateway(0).kill();
    cluster.gateway(1).kill();
    cluster.gateway(0).run();
    assert_eq!(a.eval(&format!("net_adm:ping({})", b.atom())), "pang");
    cluster.gateway(1).run();
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", BACK);
    b.eval(&format!("real_connections:chat({})", a.atom()));
    cluster.assert_healthy();
}
