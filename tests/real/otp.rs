//! What OTP builds upon distribution.

use std::time::Duration;

use crate::basics::both_ways;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;

cases! {
    control: servers_and_calls;
    bridge: names_groups_output_and_code;
    vm: servers_and_calls, names_groups_output_and_code;
    mixed: names_groups_output_and_code;
}

fn servers_and_calls(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    serve_and_call(&mut a, &mut b);
    cluster.assert_healthy();
}

pub(crate) fn serve_and_call(a: &mut Node, b: &mut Node) {
    for case in ["servers", "state_machines", "remote_calls"] {
        both_ways(a, b, &format!("real_otp:{case}"), Duration::from_secs(30));
    }
}

fn names_groups_output_and_code(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    for case in ["global_names", "groups", "group_leaders", "code_loading"] {
        both_ways(&mut a, &mut b, &format!("real_otp:{case}"), Duration::from_secs(40));
    }
    cluster.assert_healthy();
}
