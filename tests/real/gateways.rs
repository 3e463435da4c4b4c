//! Gateways that end, are killed and come back.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::NodeSpec;
use crate::harness::Relay;
use crate::harness::Site;

/// A gateway that ends says so: both sides see it within this.
const PROMPT: Duration = Duration::from_secs(5);

/// A gateway that dies is noticed by its peer after the grace time; `detection.rs` measures it.
const NOTICED: Duration = Duration::from_secs(21);

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

/// A gateway answers from the moment it starts, when its peers are not there yet: a node that connects at once waits for them.
#[test]
fn a_node_connects_in_the_first_moments() {
    let (mut cluster, mut a, b) = Cluster::apart(Carrier::Bridge);
    let status = cluster.gateway(0).terminate();
    assert!(status.success(), "a gateway told to end by SIGTERM ended with {status}");
    // The line between them takes a while.
    cluster.gateway(1).process().signal(Signal::SIGSTOP);
    cluster.gateway(0).run();
    a.begin(&format!("net_adm:ping({})", b.atom()));
    thread::sleep(Duration::from_millis(700));
    cluster.gateway(1).process().signal(Signal::SIGCONT);
    assert_eq!(a.finish("the ping", PROMPT), Ok("pong".to_owned()));
    // What no peer has is unknown at once, now that all of them are there.
    thread::sleep(Duration::from_secs(1));
    let taken = a.eval("element(1, timer:tc(net_adm, ping, ['nobody@127.0.0.1']))");
    let taken: u64 = taken.parse().expect("microseconds");
    assert!(taken < 300_000, "{taken} us for a node that nobody has");
    cluster.assert_healthy();
}

/// What small signals cost: little, and the time that a gateway is told to stay awake for.
#[test]
fn stays_awake_as_long_as_told() {
    const CALLS: u32 = 30;
    let sites = [
        Site::loopback("left").setting("busy_wait = \"10ms\""),
        Site::loopback("right").setting("busy_wait = \"0s\""),
    ];
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let [mut a, b] = [("a", 0), ("b", 1)].map(|(name, site)| cluster.node(&NodeSpec::new(name, site)));
    a.await_known(&b);
    a.connect(&b);
    let mut worked = || [0, 1].map(|site| cluster.gateway(site).process().worked());
    let before = worked();
    let calls = format!(
        "[begin timer:sleep(30), {{_, pong}} = {{N, net_adm:ping({})}} end || N <- lists:seq(1, {CALLS})]",
        b.atom()
    );
    a.eval(&calls);
    let after = worked();
    let [awake, asleep] = [after[0] - before[0], after[1] - before[1]];
    // Others may have wanted the core meanwhile, and got it.
    assert!(awake >= Duration::from_millis(3) * CALLS, "{awake:?} for {CALLS} calls");
    assert!(asleep <= awake / 2, "{asleep:?} without staying awake, {awake:?} with");
    cluster.assert_healthy();
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

/// All that nodes have said is heard on the other side before it sees them go; of those that go on, all up to some point.
#[test]
fn told_to_end_under_load() {
    for site in [0, 1] {
        let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
        each_way(&mut a, &mut b, |node, other| {
            node.eval(&format!("real_line:last_words(all, {other})"));
            node.eval(&format!("real_line:last_words(endless, {other})"));
        });
        let (to_a, to_b) = (a.atom(), b.atom());
        a.begin(&format!("real_line:pour({{all, {to_b}}}, 20000)"));
        b.begin(&format!("real_line:pour({{all, {to_a}}}, 20000)"));
        for node in [&mut a, &mut b] {
            node.finish("the last words", Duration::from_secs(60))
                .unwrap_or_else(|error| panic!("{error}"));
        }
        each_way(&mut a, &mut b, |node, other| {
            node.eval(&format!("real_line:pour({{endless, {other}}}, endless)"));
        });
        thread::sleep(Duration::from_millis(300));
        let status = cluster.gateway(site).terminate();
        assert!(status.success(), "a gateway told to end by SIGTERM ended with {status}");
        for node in [&mut a, &mut b] {
            node.await_nodes(&[], PROMPT);
            assert_eq!(node.eval("real_line:poured(all)"), "20000");
            let heard: u64 = node.eval("real_line:poured(endless)").parse().expect("a number");
            assert!(heard > 1000, "{heard} messages of an endless stream");
        }
    }
}

/// What had not crossed is lost, and nothing comes twice or after the end; then the nodes find each other again.
#[test]
fn killed_under_load() {
    for site in [0, 1] {
        let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
        each_way(&mut a, &mut b, |node, other| {
            node.eval(&format!("real_line:last_words(endless, {other})"));
        });
        each_way(&mut a, &mut b, |node, other| {
            node.eval(&format!("real_line:pour({{endless, {other}}}, endless)"));
        });
        thread::sleep(Duration::from_millis(500));
        cluster.gateway(site).kill();
        let (near, far) = if site == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        near.await_nodes(&[], Duration::from_secs(1));
        cluster.gateway(site).run();
        // Busy as it is, it reads what has arrived first.
        far.await_nodes(&[], PROMPT);
        for node in [&mut a, &mut b] {
            let heard: u64 = node.eval("real_line:poured(endless)").parse().expect("a number");
            assert!(heard > 1000, "{heard} messages of an endless stream");
        }
        a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", BACK);
        b.eval(&format!("real_connections:chat({})", a.atom()));
        for node in [&mut a, &mut b] {
            node.eval("real_line:poured(endless)");
        }
        cluster.assert_healthy();
    }
}

/// However long the grace: a daemon in its next life says that the former one is over, and nothing answers for that one.
#[test]
fn restarted_at_once() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
    for site in [1, 0] {
        cluster.gateway(site).kill();
        cluster.gateway(site).run();
        let far = if site == 1 { &mut a } else { &mut b };
        far.await_nodes(&[], Duration::from_secs(1));
        a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", BACK);
        b.eval(&format!("real_connections:chat({})", a.atom()));
    }
    cluster.assert_healthy();
}

/// A router between the daemons gives the first one another address, under load.
#[test]
fn an_address_that_changes() {
    let mut sites = [Site::loopback("left"), Site::loopback("right")];
    let relay = Relay::to(sites[1].quic);
    sites[1].seen_as = Some(relay.address());
    // Nobody is there: so the first one dials, through the router.
    sites[0].seen_as = Some(Relay::to(sites[0].quic).address());
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    each_way(&mut a, &mut b, |node, _| {
        node.eval("real:watch()");
    });
    let (to_a, to_b) = (a.atom(), b.atom());
    a.begin(&format!("real_order:addressed({to_b}, 12000)"));
    b.begin(&format!("real_line:ticking({to_a}, 300)"));
    for _ in 0..3 {
        let before = relay.passed();
        thread::sleep(Duration::from_millis(600));
        assert!(relay.passed() > before, "nothing takes the way through the router");
        relay.rebind();
    }
    for node in [&mut a, &mut b] {
        node.finish("traffic while addresses change", Duration::from_secs(60))
            .unwrap_or_else(|error| panic!("{error}"));
    }
    each_way(&mut a, &mut b, |node, other| {
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} noticed that an address changed", node.full_name());
    });
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
