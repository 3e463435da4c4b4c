//! Two nodes see each other; terms and messages of every size arrive as they were sent.

use std::time::Duration;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;

cases! {
    control: connected, terms;
    bridge: sizes, largest;
    vm: connected, terms, sizes, largest;
}

/// Does the same at both nodes, each told the other's name as an Erlang atom.
pub(crate) fn each_way(a: &mut Node, b: &mut Node, mut act: impl FnMut(&mut Node, &str)) {
    let (to_a, to_b) = (a.atom(), b.atom());
    act(a, &to_b);
    act(b, &to_a);
}

/// Runs one case of the Erlang modules in both directions.
pub(crate) fn both_ways(a: &mut Node, b: &mut Node, case: &str, wait: Duration) {
    each_way(a, b, |node, other| {
        node.eval_within(&format!("{case}({other})"), wait);
    });
}

fn connected(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    see_each_other(carrier, &mut a, &mut b);
    cluster.assert_healthy();
}

pub(crate) fn see_each_other(carrier: Carrier, a: &mut Node, b: &mut Node) {
    both_ways(a, b, "real_basics:connected", Duration::from_secs(10));
    if carrier == Carrier::Bridge {
        // The port that a finds for b is not b's own: the case would otherwise test plain TCP.
        let own = b.eval("real:listening_port()");
        let found = a.eval("real:port_of(\"b\", \"127.0.0.1\")");
        assert_ne!(own, found, "a was given b's own port: nothing is bridged");
    }
    if matches!(carrier, Carrier::Vm | Carrier::Mixed) {
        let nodes = a.eval("[maps:get(node, C) || C <- maps:get(circuits, beamway:info())]");
        assert_eq!(
            nodes,
            format!("[<<\"{}\">>]", b.full_name()),
            "a has another connection"
        );
    }
}

fn terms(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    exchange_terms(&mut a, &mut b);
    cluster.assert_healthy();
}

pub(crate) fn exchange_terms(a: &mut Node, b: &mut Node) {
    both_ways(a, b, "real_basics:terms", Duration::from_secs(30));
}

fn sizes(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    both_ways(&mut a, &mut b, "real_basics:sizes", Duration::from_secs(60));
    both_ways(&mut a, &mut b, "real_basics:around_a_fragment", Duration::from_secs(60));
    both_ways(&mut a, &mut b, "real_basics:many_at_once", Duration::from_secs(60));
    cluster.assert_healthy();
}

fn largest(carrier: Carrier) {
    let (mut cluster, mut a, b) = Cluster::pair(carrier);
    a.eval_within(
        &format!("real_basics:size({}, 256 * 1024 * 1024)", b.atom()),
        Duration::from_secs(120),
    );
    cluster.assert_healthy();
}
