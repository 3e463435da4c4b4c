//! What OTP builds upon distribution.

use std::time::Duration;

use crate::basics::both_ways;
use crate::harness::Carrier;
use crate::harness::Cluster;

cases! {
    control: servers_and_calls;
    bridge: names_groups_output_and_code, mnesia;
}

fn servers_and_calls(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    for case in ["servers", "state_machines", "remote_calls"] {
        both_ways(&mut a, &mut b, &format!("real_otp:{case}"), Duration::from_secs(30));
    }
    cluster.assert_healthy();
}

fn names_groups_output_and_code(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    for case in ["global_names", "groups", "group_leaders", "code_loading"] {
        both_ways(&mut a, &mut b, &format!("real_otp:{case}"), Duration::from_secs(40));
    }
    cluster.assert_healthy();
}

/// A table with a copy on each node: 400 transactions from both sides at once all count, on both copies.
fn mnesia(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    a.eval(&format!("real_otp:mnesia_join({})", b.atom()));
    a.begin(&format!("real_otp:mnesia_load({}, 400)", b.atom()));
    b.eval_within(
        &format!("real_otp:mnesia_load({}, 400)", a.atom()),
        Duration::from_secs(60),
    );
    a.finish("the transactions", Duration::from_secs(60))
        .unwrap_or_else(|error| panic!("{error}"));
    for node in [&mut a, &mut b] {
        node.await_value("real_otp:mnesia_sum()", "800", Duration::from_secs(10));
    }
    cluster.assert_healthy();
}
