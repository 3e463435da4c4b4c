//! `global` over three hosts. Where one node has lost another, it takes a third one out of the cluster rather than see
//! the two apart (`prevent_overlapping_partitions`, on by default), so what is said while a gateway ends matters.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;

cases! {
    control: ;
    bridge: a_node_that_loses_all_others;
}

const NAMES: usize = 20;

/// The end of a gateway is seen within this.
const SEEN: Duration = Duration::from_secs(5);

/// Nodes register again every two seconds once their port mapper is back; the gateways dial each other again.
const BACK: Duration = Duration::from_secs(40);

/// Over stock distribution a node that does not answer is given up within this, with [`TICKING`].
const UNANSWERED: Duration = Duration::from_secs(15);
pub(crate) const TICKING: &str = "-kernel net_ticktime 4";

/// Three nodes, each with names of its own that all know. Between b and c messages never stop.
fn three_nodes(carrier: Carrier) -> (Cluster, [Node; 3]) {
    let cluster = Cluster::new(carrier, 3);
    let mut nodes =
        [("a", 0), ("b", 1), ("c", 2)].map(|(name, site)| cluster.node(&NodeSpec::new(name, site).args(TICKING)));
    assert_eq!(
        nodes[0].eval("application:get_env(kernel, prevent_overlapping_partitions)"),
        "{ok,true}",
        "the default is what is tested"
    );
    meet(&mut nodes);
    for node in &mut nodes {
        node.eval(&format!("real_global:hold({NAMES})"));
        node.eval("real:watch()");
    }
    agree(&mut nodes, 3 * NAMES);
    let names = [nodes[1].atom(), nodes[2].atom()];
    nodes[1].eval(&format!("real_global:flood({})", names[1]));
    nodes[2].eval(&format!("real_global:flood({})", names[0]));
    (cluster, nodes)
}

/// Only b is told: `global` makes the rest of the connections.
fn meet(nodes: &mut [Node; 3]) {
    let [a, b, c] = nodes;
    a.await_known(b);
    c.await_known(b);
    c.await_known(a);
    b.await_value(&format!("net_adm:ping({})", a.atom()), "pong", BACK);
    b.await_value(&format!("net_adm:ping({})", c.atom()), "pong", BACK);
    for node in nodes {
        node.await_value("length(nodes())", "2", BACK);
    }
}

fn agree(nodes: &mut [Node; 3], names: usize) {
    for node in nodes {
        node.await_value("real_global:agreed()", &names.to_string(), Duration::from_secs(20));
    }
}

/// b has parted from both others, which have not parted from each other.
fn assert_only_b_has_parted(nodes: &mut [Node; 3]) {
    let [a, b, c] = nodes;
    b.await_nodes(&[], SEEN);
    a.await_nodes(&[c.full_name()], SEEN);
    c.await_nodes(&[a.full_name()], SEEN);
    each_way(a, c, |node, other| {
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} parted from {other}", node.full_name());
    });
}

/// Apart, both sides take one name; together again, all names are where they were, and the contested one has one holder.
fn apart_and_together(nodes: &mut [Node; 3], join: impl FnOnce()) {
    for (node, names) in nodes.iter_mut().zip([2, 1, 2]) {
        node.await_value("length(global:registered_names())", &(names * NAMES).to_string(), SEEN);
    }
    for node in [0, 1] {
        nodes[node].eval("real_global:contest(one)");
    }
    join();
    meet(nodes);
    agree(nodes, 3 * NAMES + 1);
}

#[test]
fn a_gateway_restarted_in_order() {
    let (mut cluster, mut nodes) = three_nodes(Carrier::Bridge);
    assert!(cluster.gateway(1).terminate().success());
    assert_only_b_has_parted(&mut nodes);
    apart_and_together(&mut nodes, || cluster.gateway(1).run());
    cluster.assert_healthy();
}

fn a_node_that_loses_all_others(carrier: Carrier) {
    let (mut cluster, mut nodes) = three_nodes(carrier);
    lose_all(carrier, &mut cluster, &mut nodes);
    assert_only_b_has_parted(&mut nodes);
    apart_and_together(&mut nodes, || {});
    cluster.assert_healthy();
}

/// The second node loses all others at once: its gateway is killed, and comes back, from which its peers learn that it was
/// gone. Over stock distribution the node itself is stopped for longer than others wait.
pub(crate) fn lose_all(carrier: Carrier, cluster: &mut Cluster, nodes: &mut [Node; 3]) {
    let [a, b, c] = nodes;
    match carrier {
        Carrier::Bridge => {
            cluster.gateway(1).kill();
            b.await_nodes(&[], SEEN);
            cluster.gateway(1).run();
        }
        Carrier::Plain | Carrier::Vm | Carrier::Mixed => {
            b.signal(Signal::SIGSTOP);
            a.await_nodes(&[c.full_name()], UNANSWERED);
            c.await_nodes(&[a.full_name()], UNANSWERED);
            b.signal(Signal::SIGCONT);
        }
    }
}
