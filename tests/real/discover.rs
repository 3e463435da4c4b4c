//! Peers that are found: by the name service, and by what peers tell each other.

use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Gateway;
use crate::harness::NameServer;
use crate::harness::NodeSpec;
use crate::harness::Record;
use crate::harness::Site;
use crate::harness::free_tcp_port;
use crate::harness::until;

/// A change of the name service is noticed within this: its answers hold for two seconds.
const NOTICED: Duration = Duration::from_secs(15);

/// The peers of a gateway with a session, in the order of their names.
fn connected(gateway: &Gateway) -> Vec<String> {
    let status = gateway.status();
    let peers = status["peers"].as_array().expect("peers").iter();
    let up = peers.filter(|peer| peer["state"] == "up");
    up.map(|peer| peer["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn await_connected(gateway: &Gateway, peers: &[&str]) {
    let name = &gateway.site().name;
    until(NOTICED, &format!("{name} to be connected to {peers:?}"), || {
        connected(gateway) == peers
    });
}

/// How often a gateway has dialled so far, with success or without.
fn dialled(gateway: &Gateway) -> u64 {
    let status = gateway.status();
    let handshakes = status["handshakes"].as_array().expect("handshakes").iter();
    let out = handshakes.filter(|one| one["direction"] == "out");
    out.map(|one| one["count"].as_u64().expect("a number")).sum()
}

fn discover(gateway: &Gateway) -> Value {
    gateway.status()["discover"][0].clone()
}

/// A host of its own on loopback, whose daemon listens on the same port as all others.
fn host(name: &str, number: u8, port: u16) -> Site {
    // Nodes ask the port mapper at the first address, and for nodes of other hosts at the address of the host.
    let addresses: Vec<_> = (1..5).map(|number| Ipv4Addr::new(127, 0, 0, number)).collect();
    let ip = Ipv4Addr::new(127, 0, 0, number);
    let mut site = Site::on_addresses(name, &addresses);
    site.hosts = vec![ip.to_string()];
    site.quic = SocketAddr::new(ip.into(), port);
    site
}

fn node(name: &str, site: usize, number: u8) -> NodeSpec {
    NodeSpec::new(name, site).host(&format!("127.0.0.{number}"))
}

fn record(number: u8) -> Record {
    Record::Address(IpAddr::from([127, 0, 0, number]))
}

/// A port that is free on all addresses that are used here.
fn port() -> u16 {
    let addresses: Vec<IpAddr> = (2..8).map(|number| [127, 0, 0, number].into()).collect();
    free_tcp_port(&addresses)
}

/// Each of twenty daemons knows one address.
#[test]
fn twenty_daemons_from_one_seed() {
    const DAEMONS: usize = 20;
    let names: Vec<String> = (0..DAEMONS).map(|number| format!("d{number:02}")).collect();
    let mut sites: Vec<Site> = names.iter().map(|name| Site::loopback(name)).collect();
    let seed = sites[0].quic.port();
    for site in &mut sites {
        *site = site
            .clone()
            .discover(&format!("dns = \"127.0.0.1\"\nport = {seed}\nexchange = true"));
    }
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    let began = Instant::now();
    let mut gateways: Vec<usize> = (0..DAEMONS).collect();
    until(
        Duration::from_secs(60),
        "all daemons to be connected to all others",
        || {
            gateways.retain(|gateway| connected(cluster.gateway(*gateway)).len() < DAEMONS - 1);
            gateways.is_empty()
        },
    );
    let took = began.elapsed();
    eprintln!("{DAEMONS} daemons from one seed were connected after {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let mut a = cluster.node(&NodeSpec::new("a", 7));
    let b = cluster.node(&NodeSpec::new("b", 18));
    a.connect(&b);
    // The seed is needed no longer, not even when daemons lose each other.
    cluster.gateway(0).kill();
    cluster.gateway(18).terminate();
    a.await_nodes(&[], Duration::from_secs(10));
    cluster.gateway(18).run();
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(30));
    let quiet = cluster.gateway(7).process().log();
    let warned: Vec<_> = quiet
        .iter()
        .filter(|line| line.contains(" WARN ") && !line.contains("peer down"))
        .collect();
    assert!(warned.len() < 3, "{warned:?}");
    cluster.gateway(0).run();
    cluster.assert_healthy();
}

/// A headless service: one name with the addresses of all, its own among them.
#[test]
fn addresses_of_one_name() {
    let (server, port) = (NameServer::start(), port());
    let table = format!(
        "dns = \"beamway.test\"\nserver = \"{}\"\nport = {port}\nforget = \"3s\"",
        server.address()
    );
    let names = ["left", "right", "third"];
    let sites = names
        .iter()
        .zip(2..)
        .map(|(name, number)| host(name, number, port).discover(&table));
    server.set("beamway.test", &[record(2), record(3)]);
    let mut cluster = Cluster::with_absent(Carrier::Bridge, sites.collect(), 2);
    await_connected(cluster.gateway(0), &["right"]);
    await_connected(cluster.gateway(1), &["left"]);
    let mut a = cluster.node(&node("a", 0, 2));
    let mut b = cluster.node(&node("b", 1, 3));
    a.connect(&b);
    a.eval("real:watch()");
    // The name service does not answer, then says nonsense, then that there is nobody: that ends no session.
    server.is_silent();
    until(Duration::from_secs(30), "the silence to be told", || {
        discover(cluster.gateway(0))["error"] != ""
    });
    let before = dialled(cluster.gateway(0));
    server.fails();
    thread::sleep(Duration::from_secs(3));
    server.answers();
    server.set("beamway.test", &[]);
    until(Duration::from_secs(40), "the answer to be told", || {
        let told = discover(cluster.gateway(0));
        told["error"] == "" && told["found"] == 0
    });
    assert_eq!(b.eval(&format!("net_adm:ping({})", a.atom())), "pong");
    assert_eq!(a.eval(&format!("real:watched({})", b.atom())), "[]");
    assert_eq!(dialled(cluster.gateway(0)), before, "sessions were dialled again");
    // One that is not named any more is not dialled for ever.
    cluster.gateway(1).terminate();
    thread::sleep(Duration::from_secs(5));
    let before = dialled(cluster.gateway(0));
    thread::sleep(Duration::from_secs(4));
    assert_eq!(
        dialled(cluster.gateway(0)),
        before,
        "right is dialled although nobody names it"
    );
    // Others come in its place.
    cluster.gateway(1).run();
    server.set("beamway.test", &[record(2), record(3)]);
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(30));
    cluster.assert_healthy();
}

/// The last answer is good enough while the name service is down.
#[test]
fn a_daemon_that_restarts_while_nobody_answers() {
    let (server, port) = (NameServer::start(), port());
    let table = format!(
        "dns = \"beamway.test\"\nserver = \"{}\"\nport = {port}",
        server.address()
    );
    server.set("beamway.test", &[record(2), record(3)]);
    // Only the first one looks for others.
    let sites = vec![
        host("left", 2, port).discover(&table),
        host("right", 3, port).discover("exchange = true"),
    ];
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    await_connected(cluster.gateway(0), &["right"]);
    server.is_silent();
    until(Duration::from_secs(30), "the silence to be told", || {
        discover(cluster.gateway(0))["error"] != ""
    });
    let told = cluster.gateway(0).status()["problems"].to_string();
    assert!(told.contains("no answer for [[discover]] dns beamway.test"), "{told}");
    cluster.gateway(1).kill();
    await_connected(cluster.gateway(0), &[]);
    cluster.gateway(1).run();
    await_connected(cluster.gateway(0), &["right"]);
    assert!(server.questions() > 2);
    cluster.assert_healthy();
}

/// Services have ports of their own; and the name in the certificate must be as configured.
#[test]
fn services_and_their_names() {
    let server = NameServer::start();
    let table = format!(
        "srv = \"_beamway._udp.test\"\nserver = \"{}\"\nname = \"good-*\"",
        server.address()
    );
    let found = |name| Site::loopback(name).discover(&table);
    // The last one looks for nobody, so whoever is connected to it has dialled it.
    let bad = Site::loopback("bad-1").discover("exchange = true");
    let sites = vec![found("good-1"), found("good-2"), bad];
    let services: Vec<_> = sites
        .iter()
        .map(|site| Record::Service(site.quic.port(), "host.test".to_owned()))
        .collect();
    server.set("_beamway._udp.test", &services);
    server.set("host.test", &[Record::Address(Ipv4Addr::LOCALHOST.into())]);
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    await_connected(cluster.gateway(1), &["good-1"]);
    await_connected(cluster.gateway(0), &["good-2"]);
    let refused = |line: &String| line.contains("does not match") && line.contains("bad-1");
    for gateway in [0, 1] {
        until(NOTICED, "the name to be refused", || {
            cluster.gateway(gateway).process().log().iter().any(refused)
        });
    }
    assert_eq!(connected(cluster.gateway(2)), [""; 0]);
    cluster.assert_healthy();
}

/// The ways to find peers are changed while a gateway runs.
#[test]
fn a_way_that_is_added_and_taken_away() {
    let (server, port) = (NameServer::start(), port());
    server.set("beamway.test", &[record(2), record(3), record(4)]);
    let none = "exchange = true";
    let sites = vec![
        host("left", 2, port).discover(none),
        host("right", 3, port).discover(none),
    ];
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    let left = fs::read_to_string(cluster.gateway(0).config()).expect("a file");
    let way = format!(
        "[[discover]]\ndns = \"beamway.test\"\nserver = \"{}\"\nport = {port}\n",
        server.address()
    );
    fs::write(cluster.gateway(0).config(), left.clone() + &way).expect("room");
    let changed = cluster.gateway(0).reload();
    assert_eq!(changed["changed"], serde_json::json!(["discover"]));
    await_connected(cluster.gateway(0), &["right"]);
    let mistake = left.clone() + "[[discover]]\nport = 1\n";
    fs::write(cluster.gateway(0).config(), mistake).expect("room");
    let refused = cluster.gateway(0).reload()["mistakes"].to_string();
    assert!(
        refused.contains("discover[2]") && refused.contains("`dns` and `srv`"),
        "{refused}"
    );
    fs::write(cluster.gateway(0).config(), left).expect("room");
    cluster.gateway(0).reload();
    assert_eq!(connected(cluster.gateway(0)), ["right"], "a session goes on");
    cluster.gateway(1).terminate();
    cluster.gateway(1).run();
    thread::sleep(Duration::from_secs(4));
    assert!(
        connected(cluster.gateway(0)).is_empty(),
        "nobody is configured or found"
    );
    cluster.assert_healthy();
}

/// Nodes with the carrier inside find each other, and nodes behind gateways, in the same way.
#[test]
fn inside_a_vm() {
    let (server, port) = (NameServer::start(), port());
    let table = format!(
        "dns = \"beamway.test\"\nserver = \"{}\"\nport = {port}\nexchange = true",
        server.address()
    );
    server.set("beamway.test", &[record(2), record(3)]);
    let sites = vec![
        host("left", 2, port).discover(&table),
        host("right", 3, port).discover(&table),
    ];
    let mut cluster = Cluster::of(Carrier::Mixed, sites);
    let mut a = cluster.node(&node("a", 0, 2));
    let mut b = cluster.node(&node("b", 1, 3));
    a.connect(&b);
    b.eval(&format!("real_basics:terms({})", a.atom()));
    cluster.assert_healthy();
}
