//! Connections that come and go: races, several partners, restarts, refused ones, gateways that end.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;

cases! {
    control: reconnects, restarted_node;
    bridge: simultaneous_connects, many_partners, wrong_cookie;
    vm: reconnects, restarted_node, simultaneous_connects, many_partners, wrong_cookie;
    mixed: restarted_node, simultaneous_connects;
}

/// Both nodes agree that they are connected, or that they are not.
const AGREEMENT: Duration = Duration::from_secs(10);

fn await_parted(a: &mut Node, b: &mut Node) {
    a.await_value("nodes(connected)", "[]", AGREEMENT);
    b.await_value("nodes(connected)", "[]", AGREEMENT);
}

/// Two nodes that connect only when told to, each noting what it sees of the other.
fn deliberate(carrier: Carrier) -> (Cluster, Node, Node) {
    let cluster = Cluster::new(carrier, 2);
    let by_hand = "-kernel dist_auto_connect never";
    let mut a = cluster.node(&NodeSpec::new("a", 0).args(by_hand));
    let mut b = cluster.node(&NodeSpec::new("b", 1).args(by_hand));
    a.await_known(&b);
    b.await_known(&a);
    a.eval("real:watch()");
    b.eval("real:watch()");
    (cluster, a, b)
}

fn assert_ups_and_downs(node: &mut Node, other: &Node, rounds: usize) {
    let seen = node.eval(&format!("real:watched({})", other.atom()));
    let wanted = format!("[{}]", vec!["nodeup,nodedown"; rounds].join(","));
    assert_eq!(
        seen,
        wanted,
        "{} saw another sequence of {} than {rounds} connections",
        node.full_name(),
        other.full_name()
    );
}

fn reconnects(carrier: Carrier) {
    const ROUNDS: usize = 20;
    let (mut cluster, mut a, mut b) = deliberate(carrier);
    each_way(&mut a, &mut b, |node, other| {
        node.eval(&format!("real_connections:guard(guard, {other})"));
        node.eval(&format!("real_connections:stream(stream_small, {other}, 100)"));
        node.eval(&format!("real_connections:stream(stream_large, {other}, 100000)"));
    });
    for round in 0..ROUNDS {
        a.await_value(&format!("net_kernel:connect_node({})", b.atom()), "true", AGREEMENT);
        b.await_nodes(&[a.full_name()], AGREEMENT);
        a.eval(&format!("real_connections:chat({})", b.atom()));
        if round % 2 == 0 {
            a.eval(&format!("erlang:disconnect_node({})", b.atom()));
        } else {
            b.eval(&format!("erlang:disconnect_node({})", a.atom()));
        }
        await_parted(&mut a, &mut b);
    }
    for node in [&mut a, &mut b] {
        node.eval("real_connections:guarded()");
    }
    assert_ups_and_downs(&mut a, &b, ROUNDS);
    assert_ups_and_downs(&mut b, &a, ROUNDS);
    cluster.assert_healthy();
}

fn simultaneous_connects(carrier: Carrier) {
    const ROUNDS: usize = 40;
    let (mut cluster, mut a, mut b) = deliberate(carrier);
    for round in 0..ROUNDS {
        let start = SystemTime::now() + Duration::from_millis(20);
        let start = start.duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        // From exactly at once to 2 ms apart, either of them first.
        let apart = u128::try_from(round / 2 % 10).expect("small") * 200;
        let (of_a, of_b) = if round % 2 == 0 { (0, apart) } else { (apart, 0) };
        a.begin(&format!("real_connections:connect_at({}, {})", b.atom(), start + of_a));
        b.begin(&format!("real_connections:connect_at({}, {})", a.atom(), start + of_b));
        for node in [&mut a, &mut b] {
            let connected = node.finish("a connect at the same instant", Duration::from_secs(15));
            assert_eq!(
                connected.as_deref(),
                Ok("true"),
                "round {round}, {apart} µs apart: {} did not connect",
                node.full_name()
            );
        }
        a.eval(&format!("real_connections:chat({})", b.atom()));
        b.eval(&format!("real_connections:chat({})", a.atom()));
        a.eval(&format!("erlang:disconnect_node({})", b.atom()));
        await_parted(&mut a, &mut b);
    }
    assert_ups_and_downs(&mut a, &b, ROUNDS);
    assert_ups_and_downs(&mut b, &a, ROUNDS);
    cluster.assert_healthy();
}

/// a behind one gateway, b and c behind another, d behind a third; each connected with all, b and c directly.
fn many_partners(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 3);
    let mut nodes: Vec<Node> = [("a", 0), ("b", 1), ("c", 1), ("d", 2)]
        .iter()
        .map(|(name, site)| cluster.node(&NodeSpec::new(name, *site)))
        .collect();
    let names: Vec<String> = nodes.iter().map(|node| node.full_name().to_owned()).collect();
    let (first, others) = nodes.split_first_mut().expect("four nodes");
    for other in others.iter() {
        first.connect(other);
    }
    for node in &mut nodes {
        let own = node.full_name().to_owned();
        let others: Vec<&str> = names.iter().filter(|name| **name != own).map(String::as_str).collect();
        node.await_nodes(&others, Duration::from_secs(20));
    }
    for node in &mut nodes {
        node.begin("real_connections:everyone(nodes())");
    }
    for node in &mut nodes {
        let done = node.finish("traffic with everyone at once", Duration::from_secs(120));
        done.unwrap_or_else(|error| panic!("{error}"));
    }
    if carrier == Carrier::Bridge {
        assert_paths(&mut nodes);
    }
    for node in &mut nodes {
        assert_eq!(
            node.nodes().matches('@').count(),
            3,
            "{} lost a partner under load",
            node.full_name()
        );
    }
    cluster.assert_healthy();
}

/// b and c, behind one gateway, found each other's own ports; nobody else did.
fn assert_paths(nodes: &mut [Node]) {
    let ports: Vec<String> = nodes
        .iter_mut()
        .map(|node| node.eval("real:listening_port()"))
        .collect();
    let all: Vec<(String, usize)> = nodes
        .iter()
        .map(|node| (node.short_name().to_owned(), node.site()))
        .collect();
    for node in nodes {
        let (own, site) = (node.short_name().to_owned(), node.site());
        for ((name, other_site), port) in all.iter().zip(&ports).filter(|((name, _), _)| *name != own) {
            let found = node.eval(&format!("real:port_of(\"{name}\", \"127.0.0.1\")"));
            assert_eq!(
                found == *port,
                *other_site == site,
                "{own} at site {site} finds port {found} for {name} at site {other_site}, whose own port is {port}"
            );
        }
    }
}

fn restarted_node(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 2);
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    a.eval("real:watch()");
    let mut creation = String::new();
    for round in 0..3 {
        b.eval("real_connections:idle_named(real_idle)");
        a.connect(&b);
        let now = b.eval("erlang:system_info(creation)");
        assert_ne!(now, creation, "round {round}: a restarted node has a new creation");
        creation = now;
        a.eval(&format!("real_connections:remember({})", b.atom()));
        let name = b.atom();
        b.kill();
        a.await_value("nodes()", "[]", AGREEMENT);
        b = cluster.node(&NodeSpec::new("b", 1));
        assert_eq!(b.atom(), name);
        a.connect(&b);
        a.eval(&format!("real_connections:old({name})"));
        b.eval(&format!("real_connections:chat({})", a.atom()));
    }
    let seen = a.eval(&format!("real:watched({})", b.atom()));
    assert_eq!(
        seen, "[nodeup,nodedown,nodeup,nodedown,nodeup,nodedown,nodeup]",
        "what a saw of b, killed three times"
    );
    cluster.assert_healthy();
}

fn wrong_cookie(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    a.eval("real:watch()");
    b.eval("real:watch()");
    let mut stranger = cluster.node(&NodeSpec::new("stranger", 0).cookie("another"));
    stranger.await_known(&b);
    for _ in 0..3 {
        let answer = stranger.eval(&format!("net_adm:ping({})", b.atom()));
        assert_eq!(answer, "pang", "a node with another cookie was let in");
    }
    b.await_log("rejected. Invalid challenge reply", Duration::from_secs(5));
    // The other way round it is the stranger that refuses.
    b.await_known(&stranger);
    assert_eq!(b.eval(&format!("net_adm:ping({})", stranger.atom())), "pang");
    stranger.await_log("rejected. Invalid challenge reply", Duration::from_secs(5));
    a.eval(&format!("real_connections:chat({})", b.atom()));
    each_way(&mut a, &mut b, |node, other| {
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(
            seen,
            "[]",
            "the healthy pair was disturbed, as {} saw",
            node.full_name()
        );
    });
    // With the right cookie it is welcome.
    for node in [&a, &b] {
        let name = node.atom();
        stranger.eval(&format!("erlang:set_cookie({name}, '{}')", crate::harness::COOKIE));
    }
    let ping = format!("net_adm:ping({})", b.atom());
    stranger.await_value(&ping, "pong", Duration::from_secs(10));
    cluster.assert_healthy();
}
