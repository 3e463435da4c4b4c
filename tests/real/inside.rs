//! The carrier inside the VM: whatever happens to its processes and threads, the node lives and the other one knows.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::basics::each_way;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Process;
use crate::harness::Site;
use crate::harness::library;

const TIME: Duration = Duration::from_secs(120);

/// The kernel closes the canary of a process that ends, and half a second later its peers are sure.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Writes the boot script of a release with kernel, stdlib and beamway.
const MAKE_RELEASE: &str = r#"
    Version = fun(App) -> application:load(App), {ok, V} = application:get_key(App, vsn), {App, V} end,
    Apps = [Version(kernel), Version(stdlib), {beamway, "0.1.0"}],
    Release = {release, {"r", "1"}, {erts, erlang:system_info(version)}, Apps},
    ok = file:write_file("r.rel", io_lib:format("~p.", [Release])),
    ok = systools:make_script("r", [{path, ["lib/beamway-0.1.0/ebin"]}, no_warn_sasl, local]),
    halt()."#;

/// A release of the user: all code is loaded at boot, nothing later, and the configuration is in `sys.config`. In OTP 25 distribution
/// starts before the file server.
#[test]
fn a_release_in_embedded_mode() {
    let cluster = Cluster::new(Carrier::Vm, 1);
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    boot_a_release(&cluster, &mut a);
}

/// Boots a release at the first site and connects the node to it.
pub(crate) fn boot_a_release(cluster: &Cluster, node: &mut Node) {
    let folder = tempfile::tempdir().unwrap();
    let application = folder.path().join("lib/beamway-0.1.0");
    for made in ["ebin", "priv"] {
        fs::create_dir_all(application.join(made)).unwrap();
    }
    for module in ["beamway", "beamway_dist", "beamway_epmd", "beamway_nif"] {
        let beam = format!("{module}.beam");
        fs::copy(Cluster::modules(0).join(&beam), application.join("ebin").join(&beam)).unwrap();
    }
    symlink(library(), application.join("priv/beamway_nif.so")).unwrap();
    let source = include_str!("../../erlang/src/beamway.app.src");
    let modules = "{modules, [beamway, beamway_dist, beamway_epmd, beamway_nif]}";
    fs::write(
        application.join("ebin/beamway.app"),
        source.replace("{modules, []}", modules),
    )
    .unwrap();
    let file = cluster.file_of(&NodeSpec::new("r", 0));
    let config = format!("[{{beamway, [{{config, {:?}}}]}}].\n", file.display().to_string());
    fs::write(folder.path().join("sys.config"), config).unwrap();
    let mut make = cluster.command(0, "erl");
    make.args(["-noinput", "-eval", MAKE_RELEASE]).current_dir(&folder);
    let made = make.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let mut boot = cluster.command(0, "erl");
    boot.args([
        "-boot",
        "r",
        "-mode",
        "embedded",
        "-config",
        "sys",
        "-name",
        "r@127.0.0.1",
    ])
    .args([
        "-setcookie",
        COOKIE,
        "-proto_dist",
        "beamway",
        "-start_epmd",
        "false",
        "-noinput",
    ])
    .current_dir(&folder);
    let _release = Process::spawn("release", &mut boot);
    node.await_value("net_adm:ping('r@127.0.0.1')", "pong", Duration::from_secs(20));
    assert_eq!(node.eval("erpc:call('r@127.0.0.1', code, get_mode, [])"), "embedded");
    let carried = "[N || #{node := N} <- maps:get(circuits, erpc:call('r@127.0.0.1', beamway, info, []))]";
    assert_eq!(node.eval(carried), format!("[<<\"{}\">>]", node.full_name()));
}

/// `bin/app rpc` starts a node that listens, with the file of the node that it calls. It does not disturb that one, and is gone at once.
#[test]
fn commands_use_the_file_of_their_node() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Vm);
    a.eval("real:watch()");
    let file = cluster.file_of(&NodeSpec::new("a", 0));
    let call = |name: &str, target: &str| {
        let mut command = cluster.command(0, "erl");
        let asked = format!("erlang:display(rpc:call('{target}', erlang, node, [])), halt().");
        command
            .args(["-noinput", "-hidden", "-name", name, "-setcookie", COOKIE])
            .args([
                "-proto_dist",
                "beamway",
                "-start_epmd",
                "false",
                "-beamway_listen",
                "false",
            ])
            .args(["-beamway_config".as_ref(), file.as_os_str()])
            .arg("-pa")
            .arg(Cluster::modules(0))
            .args(["-eval", &asked]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    // The node of the file, and another one; several at once.
    let targets = [a.full_name(), b.full_name(), a.full_name()];
    let calls: Vec<_> = (1..)
        .zip(targets)
        .map(|(n, target)| (call(&format!("rpc-{n}@127.0.0.1"), target), target.to_owned()))
        .collect();
    for (called, target) in calls {
        let output = called.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&target), "{said}");
    }
    a.await_value("nodes(hidden)", "[]", AT_ONCE * 2);
    assert_eq!(a.eval(&format!("real:watched({})", b.atom())), "[]");
    cluster.assert_healthy();
}

/// The node's logger has its default settings.
#[test]
fn warnings_are_in_the_log_of_the_node() {
    let nowhere = "[[peer]]\nname = \"nowhere\"\naddress = \"127.0.0.1:1\"";
    let cluster = Cluster::of(Carrier::Vm, vec![Site::loopback("left").setting(nowhere)]);
    let a = cluster.node(&NodeSpec::new("a", 0));
    let line = a.await_log("a peer cannot be reached", Duration::from_secs(20));
    assert!(line.contains("beamway: ") && line.contains("peer=nowhere"), "{line}");
}

/// Nobody fills a disk by what they make a node say.
#[test]
fn what_is_logged_again_and_again_is_counted() {
    const TIMES: u64 = 900;
    let cluster = Cluster::new(Carrier::Vm, 1);
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let to_nobody = "[net_adm:ping(list_to_atom(lists:concat([nobody, N, '@nowhere.invalid']))) || N <- lists:seq(1, ";
    a.eval_within(&format!("{to_nobody}{TIMES})], ok"), TIME);
    let told = a.await_log("suppressed log lines", Duration::from_secs(30));
    let (_, count) = told.rsplit_once("count=").expect("a count");
    let count: u64 = count.trim().parse().expect("a number");
    // Of a line without a source, 600 are written at once, and ten a minute after that.
    assert!((TIMES - 610..=TIMES - 600).contains(&count), "{count} suppressed");
    let log = a.process().log();
    let line = log
        .iter()
        .find(|line| line.contains("no peer has announced"))
        .expect("a line");
    assert!(line.contains("@nowhere.invalid; known nodes: a@127.0.0.1"), "{line}");
}

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
