//! Ticks are answered at each leg, and a node that hangs is noticed all the same.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::NodeSpec;
use crate::harness::Site;

cases! {
    control: idle_then_stopped;
    bridge:;
}

/// A tick time of 4 s means: noticed between 3 and 5 s by the one that waits; the far node learns it through two gateways.
const NOTICED: Duration = Duration::from_secs(8);

fn idle_then_stopped(carrier: Carrier) {
    let sites = ["left", "right"].map(|name| Site::loopback(name).setting("net_ticktime = 4"));
    let mut cluster = Cluster::of(carrier, sites.to_vec());
    let ticking = "-kernel net_ticktime 4";
    let mut a = cluster.node(&NodeSpec::new("a", 0).args(ticking));
    let mut b = cluster.node(&NodeSpec::new("b", 1).args(ticking));
    let mut hidden = cluster.node(&NodeSpec::new("h", 1).args(ticking).args("-hidden"));
    a.connect(&b);
    a.connect(&hidden);
    for node in [&mut a, &mut b] {
        node.eval("real:watch()");
    }
    // Nothing is sent but ticks: five tick times long.
    thread::sleep(Duration::from_secs(20));
    assert_eq!(
        a.eval("lists:sort(nodes(connected))"),
        format!("[{},{}]", b.atom(), hidden.atom()),
        "an idle pair was parted"
    );
    each_way(&mut a, &mut b, |node, other| {
        assert_eq!(
            node.eval(&format!("real:watched({other})")),
            "[]",
            "{} saw its idle partner go",
            node.full_name()
        );
    });
    hidden.eval(&format!("real_connections:chat({})", a.atom()));
    b.signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    a.await_nodes(&[], NOTICED);
    let after = stopped.elapsed();
    assert!(
        after > Duration::from_secs(2),
        "noticed after {after:?}: too soon for a tick time of 4 s"
    );
    b.signal(Signal::SIGCONT);
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(20));
    a.eval(&format!("real_connections:chat({})", b.atom()));
    // The other one on that host was not disturbed.
    assert_eq!(
        a.eval(&format!("real:watched({})", hidden.atom())),
        "[]",
        "what a saw of the hidden node"
    );
    cluster.assert_healthy();
}
