//! A gateway and the programs of its own host: many connections that say nothing, gateways that start late or hang, signals, lists of
//! names, and nodes that listen elsewhere than on 127.0.0.1.

use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;
use nix::sys::signal::Signal;

use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Process;
use crate::harness::Site;

/// A node gives up a step of connecting after 7 s, and `beamway_epmd` a look-up after 2 s.
const PROMPT: Duration = Duration::from_secs(2);

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a listener");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a socket option");
    stream
}

/// Sends a request to the port mapper. Gives the connection, and what was read of the answer: `least` bytes.
fn ask(port: u16, request: &[u8], least: usize) -> (TcpStream, Vec<u8>) {
    let mut stream = connect(port);
    let mut framed = u16::try_from(request.len())
        .expect("a short request")
        .to_be_bytes()
        .to_vec();
    framed.extend_from_slice(request);
    stream.write_all(&framed).expect("a request that is taken");
    let mut answer = vec![0; least];
    stream.read_exact(&mut answer).expect("an answer within 20 s");
    (stream, answer)
}

/// Asks for the port of a node (PORT2_REQ), and asserts that the answer comes soon.
fn look_up(port: u16, name: &str) -> u16 {
    let began = Instant::now();
    let (_, answer) = ask(port, format!("z{name}").as_bytes(), 4);
    assert!(began.elapsed() < PROMPT, "a look-up took {:?}", began.elapsed());
    assert_eq!(answer[..2], [119, 0], "{name} is unknown");
    u16::from_be_bytes([answer[2], answer[3]])
}

/// Registers a name (ALIVE2_REQ). The registration lasts as long as the connection.
fn register(port: u16, name: &str) -> TcpStream {
    let mut request = vec![
        120,
        0x12,
        0x34,
        77,
        0,
        0,
        6,
        0,
        5,
        0,
        u8::try_from(name.len()).expect("a short name"),
    ];
    request.extend_from_slice(name.as_bytes());
    request.extend_from_slice(&[0, 0]);
    let (stream, answer) = ask(port, &request, 6);
    assert_eq!(answer[..2], [118, 0], "{name} was refused");
    stream
}

#[test]
fn idle_connections_and_registrations_do_not_hold_up_look_ups() {
    let (mut cluster, _a, mut b) = Cluster::apart(Carrier::Bridge);
    let port = cluster.epmd_port(0);
    let began = Instant::now();
    let idle: Vec<_> = (0..5000).map(|_| connect(port)).collect();
    println!("5000 connections: {:?}", began.elapsed());
    look_up(port, "b");
    look_up(port, "a");
    println!("look-ups: {:?}", began.elapsed());
    let nodes: Vec<_> = (0..998).map(|number| register(port, &format!("n{number}"))).collect();
    look_up(port, "b");
    println!("nodes: {:?}", began.elapsed());
    let more: Vec<_> = (0..2000).map(|_| connect(port)).collect();
    look_up(port, "a");
    println!("all: {:?}", began.elapsed());
    drop((idle, more, nodes));
    // What has gone is not registered any more, at once.
    let _again = register(port, "n7");
    assert_eq!(b.eval("1 + 1"), "2");
    cluster.assert_healthy();
}

#[test]
fn silent_connections_do_not_keep_a_node_from_a_persona() {
    let (mut cluster, mut a, b) = Cluster::apart(Carrier::Bridge);
    let persona = look_up(cluster.epmd_port(0), "b");
    let mut silent: Vec<_> = (0..1500).map(|_| connect(persona)).collect();
    // Half of them say who they are, and no more: version, flags, creation and name of a handshake that OTP 25 begins.
    for (number, stream) in silent.iter_mut().enumerate().step_by(2) {
        let name = format!("silent{number}@127.0.0.1");
        let mut message = vec![b'N'];
        message.extend_from_slice(&0x0000_000d_07df_7fbd_u64.to_be_bytes());
        message.extend_from_slice(&7_u32.to_be_bytes());
        message.extend_from_slice(&u16::try_from(name.len()).expect("short").to_be_bytes());
        message.extend_from_slice(name.as_bytes());
        let mut framed = u16::try_from(message.len()).expect("short").to_be_bytes().to_vec();
        framed.extend_from_slice(&message);
        // It may have been closed already.
        let _ = stream.write_all(&framed);
    }
    let began = Instant::now();
    assert_eq!(a.eval(&format!("net_adm:ping({})", b.atom())), "pong");
    println!(
        "connected after {:?} beside {} silent connections",
        began.elapsed(),
        silent.len()
    );
    a.eval(&format!("real_connections:chat({})", b.atom()));
    cluster.assert_healthy();
}

#[test]
fn a_hangup_is_survived_and_a_second_signal_ends_at_once() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
    b.eval("real_connections:idle_named(real_idle)");
    cluster.gateway(1).process().signal(Signal::SIGHUP);
    let said = cluster
        .gateway(1)
        .process()
        .await_log("was read again", Duration::from_secs(5));
    assert!(
        said.contains("it was asked for") && said.contains("changed=[]"),
        "{said}"
    );
    a.eval(&format!("real_connections:chat({})", b.atom()));
    // A node that does not read what is under way to it delays the end.
    b.signal(Signal::SIGSTOP);
    a.eval(&format!(
        "[{{real_idle, {}}} ! binary:copy(<<1>>, 1000000) || _ <- lists:seq(1, 3)], ok",
        b.atom()
    ));
    thread::sleep(Duration::from_millis(500));
    let process = cluster.gateway(1).process();
    process.signal(Signal::SIGTERM);
    thread::sleep(Duration::from_millis(1000));
    assert_eq!(process.ended(), None, "it waits for the node");
    process.signal(Signal::SIGTERM);
    let status = process.wait(Duration::from_secs(1));
    assert_eq!(status.code(), Some(128 + 15), "{status}");
    b.signal(Signal::SIGCONT);
}

/// The soft limit on open files is that of the shell; the hard one counts.
#[test]
fn the_limit_on_open_files_is_raised() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    // Gateways inherit it.
    setrlimit(Resource::RLIMIT_NOFILE, 900, hard).expect("a lower limit");
    let mut cluster = Cluster::new(Carrier::Bridge, 1);
    let id = cluster.gateway(0).process().id();
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).expect("a process that runs, on Linux");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("a line");
    let limits: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(limits[0], limits[1], "{line}");
    cluster.assert_healthy();
}

fn by_full_name(names: [&str; 2]) -> Cluster {
    let sites = names.map(|name| {
        let mut site = Site::loopback(name);
        site.hosts = vec![format!("{name}.test")];
        site
    });
    Cluster::of(Carrier::Bridge, sites.to_vec())
}

fn full(name: &str, site: usize) -> NodeSpec {
    let host = ["one.test", "two.test"][site];
    NodeSpec::new(name, site).host(host).args("-epmd_module beamway_epmd")
}

/// The names that a node is given for a host, sorted.
fn names(node: &mut Node, host: &str) -> String {
    node.eval(&format!(
        "case net_adm:names({host}) of {{ok, L}} -> lists:sort([N || {{N, P}} <- L, P > 0]); E -> E end"
    ))
}

/// `net_adm:names/1` and `world_list/1`, as libcluster's strategy ErlangHosts uses them.
#[test]
fn names_of_a_host_are_its_nodes() {
    // By short names.
    let (mut cluster, mut a, b) = Cluster::apart(Carrier::Bridge);
    assert_eq!(names(&mut a, "'127.0.0.1'"), "[\"a\",\"b\"]");
    assert_eq!(
        a.eval("lists:sort(net_adm:world_list(['127.0.0.1']))"),
        format!("[{},{}]", a.atom(), b.atom())
    );
    cluster.assert_healthy();
}

#[test]
fn names_of_a_host_that_is_a_loopback_address() {
    let hosts = [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 5)];
    let sites = hosts.iter().zip(["left", "right"]).map(|(host, name)| {
        let mut site = Site::on_addresses(name, &hosts);
        site.hosts = vec![host.to_string()];
        site
    });
    let mut cluster = Cluster::of(Carrier::Bridge, sites.collect());
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let mut b = cluster.node(&NodeSpec::new("b", 1).host("127.0.0.5"));
    a.await_known(&b);
    b.await_known(&a);
    for node in [&mut a, &mut b] {
        assert_eq!(names(node, "'127.0.0.1'"), "[\"a\"]");
        assert_eq!(names(node, "'127.0.0.5'"), "[\"b\"]");
    }
    assert_eq!(a.eval("net_adm:world_list(['127.0.0.5'])"), format!("[{}]", b.atom()));
    cluster.assert_healthy();
}

#[test]
fn names_of_a_host_by_its_full_name() {
    let mut cluster = by_full_name(["one", "two"]);
    let mut a = cluster.node(&full("a", 0));
    let b = cluster.node(&full("b", 1));
    a.await_known(&b);
    assert_eq!(names(&mut a, "'two.test'"), "[\"b\"]");
    assert_eq!(names(&mut a, "\"one.test\""), "[\"a\"]");
    assert_eq!(names(&mut a, "localhost"), "[\"a\"]");
    assert_eq!(names(&mut a, "'three.test'"), "[]");
    assert_eq!(a.eval("net_adm:world_list(['two.test'])"), format!("[{}]", b.atom()));
    cluster.assert_healthy();
}

/// A node with IPv6 alone: it registers at `::1`, and listens there.
#[test]
fn a_node_that_speaks_ipv6() {
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("SKIPPED: this machine has no IPv6 loopback");
        return;
    }
    let sites = ["one", "two"].map(|name| {
        let mut site = Site::loopback(name);
        site.hosts = vec![format!("{name}.test")];
        site.epmd.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
        site
    });
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let v6 = "-proto_dist inet6_tcp -kernel inet_dist_use_interface {0,0,0,0,0,0,0,1}";
    let mut a = cluster.node(&full("a", 0).args(v6));
    let mut b = cluster.node(&full("b", 1));
    b.connect(&a);
    b.eval(&format!("real_connections:chat({})", a.atom()));
    a.eval(&format!("erlang:disconnect_node({})", b.atom()));
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(10));
    cluster.assert_healthy();
}

/// Stock nodes whose host is `::1`: they ask at that address, and so personas listen there.
#[test]
fn stock_nodes_that_speak_ipv6() {
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("SKIPPED: this machine has no IPv6 loopback");
        return;
    }
    let sites = ["left", "right"].map(|name| {
        let mut site = Site::loopback(name);
        site.hosts = vec!["::1".to_owned()];
        site.epmd.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
        site
    });
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let v6 = "-proto_dist inet6_tcp -kernel inet_dist_use_interface {0,0,0,0,0,0,0,1}";
    let [mut a, b] =
        [("a", 0), ("b", 1)].map(|(name, site)| cluster.node(&NodeSpec::new(name, site).host("::1").args(v6)));
    a.await_value(&format!("net_adm:ping({})", b.atom()), "pong", Duration::from_secs(10));
    a.eval(&format!("real_connections:chat({})", b.atom()));
    assert_eq!(names(&mut a, "{0,0,0,0,0,0,0,1}"), "[\"a\",\"b\"]");
    cluster.assert_healthy();
}

/// The log of the gateway names node, port and what was tried.
#[test]
fn a_node_that_listens_nowhere_is_told() {
    let (mut cluster, mut a, _b) = Cluster::apart(Carrier::Bridge);
    // 0x1234 is the port that it registers, where nothing listens.
    let _ghost = register(cluster.epmd_port(1), "ghost");
    a.until("real:known(\"ghost\", \"127.0.0.1\")", Duration::from_secs(10));
    assert_eq!(a.eval("net_adm:ping('ghost@127.0.0.1')"), "pang");
    let said = cluster
        .gateway(1)
        .process()
        .await_log("ghost@127.0.0.1 does not accept", Duration::from_secs(5));
    for piece in ["port 4660", "127.0.0.1 (", "::1 (", "inet_dist_use_interface"] {
        assert!(said.contains(piece), "{piece}: {said}");
    }
    cluster.assert_healthy();
}

/// Whoever reaches a node's own port passes the gateway, and speaks in clear text.
#[test]
fn a_node_that_listens_on_all_addresses_is_told() {
    let mut cluster = Cluster::new(Carrier::Bridge, 2);
    let _within = cluster.node(&NodeSpec::new("within", 0).args("-kernel inet_dist_use_interface {127,0,0,1}"));
    let mut open = cluster.node(&NodeSpec::new("open", 0).args("-kernel inet_dist_use_interface {0,0,0,0}"));
    if open.eval("{ok, L} = inet:getifaddrs(), [A || {_, O} <- L, {addr, {B, _, _, _} = A} <- O, B =/= 127] =:= []")
        == "true"
    {
        eprintln!("SKIPPED: this machine has no address but loopback");
        return;
    }
    let said = cluster
        .gateway(0)
        .process()
        .await_log("accepts unencrypted distribution", Duration::from_secs(5));
    let port = open.eval("real:listening_port()");
    for piece in [
        "open",
        &format!("port={port}"),
        "address=",
        "inet_dist_use_interface '{127,0,0,1}'",
    ] {
        assert!(said.contains(piece), "{piece}: {said}");
    }
    let log = cluster.gateway(0).process().log();
    assert_eq!(
        log.iter().filter(|line| line.contains("accepts unencrypted")).count(),
        1
    );
    cluster.assert_healthy();
}

/// Services of a host start in any order.
#[test]
fn a_node_that_starts_before_its_gateway_waits_for_it() {
    let mut cluster = by_full_name(["one", "two"]);
    cluster.gateway(0).terminate();
    let ebin = Cluster::modules(0);
    let mut command = cluster.command(0, "erl");
    command
        .args([
            "-name",
            "early@one.test",
            "-setcookie",
            COOKIE,
            "-noinput",
            "-start_epmd",
            "false",
        ])
        .args(["-epmd_module", "beamway_epmd", "-pa"])
        .arg(ebin)
        .args(["-eval", "io:format(\"I am ~p~n\", [node()])"]);
    let mut early = Process::spawn("early", &mut command);
    early.await_log("no gateway on port", Duration::from_secs(20));
    thread::sleep(Duration::from_secs(1));
    assert_eq!(early.ended(), None, "it waits");
    cluster.gateway(0).run();
    early.await_log("I am 'early@one.test'", Duration::from_secs(10));
    look_up(cluster.epmd_port(0), "early");
    cluster.assert_healthy();
}

/// `net_kernel` never waits for a gateway that hangs; those who send wait two seconds together, not five each.
#[test]
fn a_gateway_that_hangs_does_not_block_net_kernel() {
    let mut cluster = by_full_name(["one", "two"]);
    let mut a = cluster.node(&full("a", 0));
    cluster.gateway(0).process().signal(Signal::SIGSTOP);
    let took = a.eval(
        "begin
             T0 = erlang:monotonic_time(millisecond),
             [spawn_monitor(fun() -> net_kernel:connect_node(N) end) || N <- ['x@two.test', 'y@two.test', 'z@two.test']],
             timer:sleep(50),
             _ = sys:get_state(net_kernel, 30000),
             T1 = erlang:monotonic_time(millisecond),
             [receive {'DOWN', _, _, _, _} -> ok end || _ <- [1, 2, 3]],
             T2 = erlang:monotonic_time(millisecond),
             {T1 - T0, T2 - T0}
         end",
    );
    cluster.gateway(0).process().signal(Signal::SIGCONT);
    let (kernel, senders) = crate::netns::pair_of(&took);
    println!("net_kernel answered after {kernel} ms, three connects ended after {senders} ms");
    assert!(kernel < 1000, "net_kernel answered after {kernel} ms");
    assert!(senders < 5000, "three connects ended after {senders} ms");
    // It looks again soon.
    let b = cluster.node(&full("b", 1));
    a.connect(&b);
    cluster.assert_healthy();
}

/// A port mapper on an address of the network opens clear-text ports there.
#[test]
fn personas_stay_on_loopback() {
    let (mut cluster, _a, _b) = Cluster::apart(Carrier::Bridge);
    let persona = look_up(cluster.epmd_port(0), "b");
    assert!(TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, persona))).is_ok());
    assert!(TcpStream::connect(SocketAddr::from(([127, 0, 0, 2], persona))).is_err());
    cluster.assert_healthy();
}
