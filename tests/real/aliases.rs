//! How many signals to aliases a gateway can tell the receiver of, on each OTP release.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;

const COUNT: u64 = 2000;

/// Signals to aliases of which a gateway knew the receiver, and of which it did not.
struct Counted {
    resolved: u64,
    ambiguous: u64,
    release: u32,
}

/// What the far gateway sent to `a` in a case of `real_aliases` at `a`. Its session must be new; it is over after this.
fn count(cluster: &mut Cluster, a: &mut Node, b: &Node, case: &str) -> Counted {
    a.eval_within(
        &format!("real_aliases:{case}({}, {COUNT})", b.atom()),
        Duration::from_secs(60),
    );
    let release = a.eval("list_to_integer(erlang:system_info(otp_release))");
    let far = cluster.gateway(1).process();
    far.signal(Signal::SIGTERM);
    let line = far.await_log("a session has ended", Duration::from_secs(10));
    let counter = |name: &str| -> u64 {
        let (_, rest) = line
            .split_once(&format!(" {name}="))
            .unwrap_or_else(|| panic!("no {name} in {line}"));
        let digits = rest.split(' ').next().unwrap_or_default();
        digits.parse().unwrap_or_else(|_| panic!("{name} in {line}"))
    };
    let counted = Counted {
        resolved: counter("aliases_resolved"),
        ambiguous: counter("aliases_ambiguous"),
        release: release.parse().expect("a release"),
    };
    eprintln!(
        "OTP {release}, {case}: {} resolved, {} not",
        counted.resolved, counted.ambiguous
    );
    counted
}

/// An alias that belongs to a monitor is known before the first signal to it, whatever the release.
#[test]
fn replies_of_calls_are_all_resolved() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Bridge);
    call(&mut cluster, &mut a, &b);
}

/// The body of [`replies_of_calls_are_all_resolved`].
pub(crate) fn call(cluster: &mut Cluster, a: &mut Node, b: &Node) {
    let Counted {
        resolved, ambiguous, ..
    } = count(cluster, a, b, "calls");
    assert!(resolved >= COUNT, "{resolved} resolved");
    assert_eq!(ambiguous, 0, "of {}", resolved + ambiguous);
}

/// OTP 25 tells nobody whose the other aliases are. Later releases do; how to read it follows from the monitors that cross,
/// of which here one process in ten has one.
#[test]
fn aliases_without_a_monitor_are_resolved_where_they_name_their_owner() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Bridge);
    mix(&mut cluster, &mut a, &b);
}

/// The body of [`aliases_without_a_monitor_are_resolved_where_they_name_their_owner`].
pub(crate) fn mix(cluster: &mut Cluster, a: &mut Node, b: &Node) {
    let counted = count(cluster, a, b, "mixed");
    let Counted {
        resolved, ambiguous, ..
    } = counted;
    if counted.release < 26 {
        assert_eq!(ambiguous, COUNT, "{resolved} resolved");
    } else {
        assert!(ambiguous <= COUNT / 20, "{resolved} resolved, {ambiguous} not");
    }
}
