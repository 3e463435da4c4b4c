//! The carrier inside the VM: whatever happens to its processes and threads, the node lives and the other one knows.

use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Site;

const TIME: Duration = Duration::from_secs(120);

/// The kernel closes the canary of a process that ends, and half a second later its peers are sure.
const AT_ONCE: Duration = Duration::from_secs(1);

#[test]
fn a_thousand_disconnects() {
    let mut cluster = Cluster::new(Carrier::Vm, 2);
    let by_hand = "-kernel dist_auto_connect never";
    let mut a = cluster.node(&NodeSpec::new("a", 0).args(by_hand));
    let mut b = cluster.node(&NodeSpec::new("b", 1).args(by_hand));
    a.await_known(&b);
    let to_b = b.atom();
    a.eval_within(&format!("real_inside:disconnects({to_b}, 1000)"), TIME);
    b.await_value("real_inside:carriers()", "[]", Duration::from_secs(5));
    for node in [&mut a, &mut b] {
        assert_eq!(node.eval("maps:get(circuits, beamway:info())"), "[]");
    }
    a.await_value(&format!("net_kernel:connect_node({to_b})"), "true", TIME);
    a.eval(&format!("real_connections:chat({to_b})"));
    cluster.assert_healthy();
}

#[test]
fn processes_of_a_connection_end_together() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Vm);
    a.eval(&format!("erlang:disconnect_node({})", b.atom()));
    for reason in ["kill", "some_reason"] {
        a.eval_within(&format!("real_inside:end_each({}, {reason})", b.atom()), TIME);
    }
    cluster.assert_healthy();
}

#[test]
fn the_module_is_upgraded_while_nodes_are_connected() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Vm);
    for node in [&mut a, &mut b] {
        node.eval("real:watch()");
        node.eval("real_inside:echo()");
    }
    each_way(&mut a, &mut b, |node, other| {
        node.eval_within(&format!("real_inside:upgrades({other}, 20)"), TIME);
    });
    each_way(&mut a, &mut b, |node, other| {
        assert_eq!(node.eval(&format!("real:watched({other})")), "[]");
    });
    cluster.assert_healthy();
}

/// Its threads go on, and must not vouch for it.
#[test]
fn a_vm_that_runs_no_processes_is_given_up() {
    let cluster = Cluster::new(Carrier::Vm, 2);
    let mut a = cluster.node(&NodeSpec::new("a", 0).args("-kernel net_ticktime 8"));
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    a.eval("real:watch()");
    b.eval("real_inside:block(40000)");
    let since = Instant::now();
    a.await_value(
        &format!("real:reasons({})", b.atom()),
        "[net_tick_timeout]",
        Duration::from_secs(20),
    );
    let took = since.elapsed();
    // Three questions without an answer, then its tick time.
    assert!(took > Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_vm_that_ends_is_noticed_within_a_second() {
    for how in ["kill", "halt", "abort"] {
        let (_cluster, mut a, mut b) = Cluster::pair(Carrier::Vm);
        a.eval("real:watch()");
        let since = Instant::now();
        match how {
            "kill" => b.kill(),
            "halt" => b.begin("halt(0)"),
            _ => b.begin("halt(abort)"),
        }
        a.await_nodes(&[], Duration::from_secs(20));
        let took = since.elapsed();
        assert!(took <= AT_ONCE, "{how}: noticed after {took:?}");
        eprintln!("{how}: {took:?}");
    }
}

/// A reader that is stopped holds up its own senders, and takes no memory without bound on the other side.
#[test]
fn a_stopped_vm_does_not_fill_the_other_one() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Vm);
    b.signal(Signal::SIGSTOP);
    a.begin(&format!("real_inside:flood({}, 3000, 100000)", b.atom()));
    std::thread::sleep(Duration::from_secs(4));
    let most = 160 << 20;
    let resident = a.resident();
    assert!(resident < most, "{} MiB", resident >> 20);
    b.signal(Signal::SIGCONT);
    a.finish("300 MB", TIME).unwrap_or_else(|error| panic!("{error}"));
    each_way(&mut a, &mut b, |node, other| {
        node.eval(&format!("real_connections:chat({other})"));
    });
    cluster.assert_healthy();
}

/// No file lists a peer: the host part of a node's name says where it is.
#[test]
fn hosts_are_dialled_when_a_node_of_theirs_is_asked_for() {
    let port = Site::loopback("any").quic.port();
    let hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    let sites = hosts.map(|host| {
        let mut site = Site::loopback(&host.replace('.', "-"));
        site.quic = SocketAddr::new(host.parse().unwrap(), port);
        site
    });
    let mut cluster = Cluster::of(Carrier::Vm, sites.to_vec());
    let spec = |name, site: usize| NodeSpec::new(name, site).host(hosts[site]).without_peers();
    let mut a = cluster.node(&spec("a", 0));
    let mut b = cluster.node(&spec("b", 1));
    let ping = |node: &mut Node, name: &str| node.eval(&format!("net_adm:ping('{name}')"));
    assert_eq!(ping(&mut a, "b@127.0.0.3"), "pong");
    b.eval("real_connections:chat('a@127.0.0.2')");
    // No such node on a host that is there, and nobody on another one.
    let since = Instant::now();
    assert_eq!(ping(&mut a, "c@127.0.0.3"), "pang");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(ping(&mut b, "c@127.0.0.5"), "pang");
    // It is found again after it was killed.
    b.kill();
    a.await_nodes(&[], AT_ONCE * 2);
    let mut b = cluster.node(&spec("b", 1));
    assert_eq!(ping(&mut a, "b@127.0.0.3"), "pong");
    // A host without a certificate for its name is not believed.
    let impostor = cluster.node(&spec("c", 2).host("127.0.0.6"));
    assert_eq!(ping(&mut a, "c@127.0.0.4"), "pang");
    assert_eq!(ping(&mut b, impostor.full_name()), "pang");
    cluster.assert_healthy();
}

/// Each has a port of its own on every host, and the file of every node says which. None lists another one.
#[test]
fn nodes_of_one_host_find_each_other_by_their_ports() {
    let ports: Vec<u16> = (0..3).map(|_| Site::loopback("any").quic.port()).collect();
    let hosts = ["127.0.0.2", "127.0.0.3"];
    let table = format!(
        "[hosts]\nport = {}\nports = {{ b = {}, c = {} }}\n",
        ports[0], ports[1], ports[2]
    );
    // a and b on the first host, c on the second.
    let places = [("a", 0, 0), ("b", 0, 1), ("c", 1, 2)];
    let sites = places.map(|(name, host, port): (_, usize, usize)| {
        let mut site = Site::loopback(name).setting(&table);
        site.quic = SocketAddr::new(hosts[host].parse().unwrap(), ports[port]);
        site
    });
    let cluster = Cluster::of(Carrier::Vm, sites.to_vec());
    let spec = |place: usize| {
        let (name, host, _) = places[place];
        NodeSpec::new(name, place).host(hosts[host]).without_peers()
    };
    let mut nodes: Vec<Node> = (0..3).map(|place| cluster.node(&spec(place))).collect();
    let ping = |node: &mut Node, name: &str| node.eval(&format!("net_adm:ping('{name}')"));
    assert_eq!(ping(&mut nodes[0], "b@127.0.0.2"), "pong");
    assert_eq!(ping(&mut nodes[0], "c@127.0.0.3"), "pong");
    assert_eq!(ping(&mut nodes[2], "b@127.0.0.2"), "pong");
    assert_eq!(
        ping(&mut nodes[1], "d@127.0.0.3"),
        "pang",
        "nobody listens at the port of any node there"
    );
    // A node that starts anew is found again.
    nodes.remove(1).kill();
    nodes[1].await_nodes(&["a@127.0.0.2"], AT_ONCE * 2);
    nodes.push(cluster.node(&spec(1)));
    assert_eq!(ping(&mut nodes[1], "b@127.0.0.2"), "pong");
}
