//! Every operation of the distribution protocol, with the connection up and while it is still being made.

use std::time::Duration;

use crate::basics::both_ways;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;

cases! {
    control: operations;
    bridge: queued_before_up;
    vm: operations, queued_before_up;
    mixed: queued_before_up;
}

fn operations(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    every_operation(&mut a, &mut b);
    cluster.assert_healthy();
}

pub(crate) fn every_operation(a: &mut Node, b: &mut Node) {
    for case in ["messages", "links", "exits", "monitors", "spawns", "group_leaders"] {
        both_ways(a, b, &format!("real_signals:{case}"), Duration::from_secs(30));
    }
}

fn queued_before_up(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    for _ in 0..2 {
        // The addresses travel through a process of the other node, as they would in life.
        let expression = format!(
            "real_queued:run({b}, rpc:call({b}, real_queued, prepare, [x]))",
            b = b.atom()
        );
        a.eval_within(&expression, Duration::from_secs(90));
        a.eval(&format!("real_queued:silence({})", b.atom()));
        b.connect(&a);
        (a, b) = (b, a);
    }
    cluster.assert_healthy();
}
