//! What shows at once that an OTP release differs: cases of other files in turn, on one cluster.

use crate::aliases;
use crate::basics;
use crate::elixir;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::inside;
use crate::order;
use crate::otp;
use crate::senders;
use crate::signals;

/// `./check` runs it once for each release of `BEAMWAY_OTP` that is not this machine's.
#[test]
#[ignore = "every case of it is a test of its own: ./check runs it on other OTP releases"]
fn short_form() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
    basics::see_each_other(Carrier::Bridge, &mut a, &mut b);
    basics::exchange_terms(&mut a, &mut b);
    signals::every_operation(&mut a, &mut b);
    otp::serve_and_call(&mut a, &mut b);
    order::keep_order(&mut a, &mut b);
    elixir::between_elixirs(&cluster, ["elixir", "other"]);
    cluster.assert_healthy();
    // Each counts the signals of a session of its own: the far gateway starts anew before it.
    for count in [aliases::call, aliases::mix] {
        cluster.gateway(1).terminate();
        cluster.gateway(1).run();
        a.connect(&b);
        count(&mut cluster, &mut a, &b);
    }
}

/// The same for a node with the carrier inside and one behind a gateway: records and calls of kernel differ between releases.
#[test]
#[ignore = "every case of it is a test of its own: ./check runs it on other OTP releases"]
fn short_form_inside() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Mixed);
    basics::see_each_other(Carrier::Mixed, &mut a, &mut b);
    basics::exchange_terms(&mut a, &mut b);
    signals::every_operation(&mut a, &mut b);
    otp::serve_and_call(&mut a, &mut b);
    order::both_keep(&mut a, &mut b, order::ADDRESSED);
    inside::boot_a_release(&cluster, &mut a);
    senders::send_asynchronously(&mut a, &mut b);
    cluster.assert_healthy();
}
