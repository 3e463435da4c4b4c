//! What gateways and nodes with the carrier inside tell about themselves while they run.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Gateway;
use crate::harness::NodeSpec;
use crate::harness::Site;
use crate::harness::free_tcp_port;
use crate::harness::until;

/// One request over a connection of its own. Returns the status line, the headers and the body.
pub(crate) fn get(address: SocketAddr, request: &str) -> (String, String) {
    let stream = TcpStream::connect(address).expect("a listener");
    exchange(stream, request)
}

pub(crate) fn exchange(mut stream: impl Read + Write, request: &str) -> (String, String) {
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .expect("an open connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    (head.to_owned(), body.to_owned())
}

/// Two gateways, of which the first answers at an address too.
pub(crate) fn watched() -> (Cluster, SocketAddr) {
    let localhost = [127, 0, 0, 1].into();
    let address = SocketAddr::new(localhost, free_tcp_port(&[localhost]));
    let left = Site::loopback("left").admin(&format!("listen = \"{address}\""));
    let cluster = Cluster::of(Carrier::Bridge, vec![left, Site::loopback("right")]);
    (cluster, address)
}

/// The value of a metric with these labels.
fn metric(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    line.rsplit(' ')
        .next()
        .and_then(|value| value.parse().ok())
        .expect("a number")
}

fn peer<'a>(status: &'a Value, name: &str) -> &'a Value {
    let peers = status["peers"].as_array().expect("peers");
    peers
        .iter()
        .find(|peer| peer["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {status}"))
}

#[test]
fn status_and_metrics_tell_what_is_sent() {
    let (mut cluster, address) = watched();
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    b.eval("register(sink, spawn(fun F() -> receive stop -> ok; _ -> F() end end))");
    let all = format!("[{{sink, {}}} ! <<0:800000>> || _ <- lists:seq(1, 50)]", b.atom());
    a.eval(&format!("length({all})"));
    a.eval(&format!("erpc:call({}, erlang, node, [])", b.atom()));
    let status = cluster.gateway(0).status();
    assert_eq!((&status["schema"], &status["name"]), (&1.into(), &"left".into()));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(peer(&status, "right")["state"], "up", "{status}");
    assert_eq!(peer(&status, "right")["nodes"], serde_json::json!([b.full_name()]));
    assert_eq!(status["nodes"][0]["name"], "a");
    let circuit = &status["circuits"][0];
    assert_eq!(
        (circuit["local"].as_str(), circuit["remote"].as_str()),
        (Some(a.full_name()), Some(b.full_name()))
    );
    let sent = circuit["bytes_sent"].as_u64().expect("a number");
    assert!((5_000_000..5_200_000).contains(&sent), "{sent} bytes of 5 MB");
    let (head, text) = get(address, "GET /metrics");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let labels = format!(
        "{{peer=\"right\",local=\"{}\",remote=\"{}\"}}",
        a.full_name(),
        b.full_name()
    );
    let counted = metric(&text, &format!("beamway_circuit_send_bytes_total{labels}"));
    assert!(counted >= sent as f64, "{counted} after {sent}");
    assert_eq!(metric(&text, "beamway_peer_state{peer=\"right\",state=\"up\"}"), 1.0);
    assert!(
        metric(&text, "beamway_trunk_rtt_min_seconds{peer=\"right\"}") > 0.0,
        "{text}"
    );
    assert!(
        metric(&text, "beamway_session_send_bytes_total{peer=\"right\"}") >= sent as f64,
        "{text}"
    );
    until(Duration::from_secs(5), "all of it to arrive", || {
        let right = cluster.gateway(1).status();
        right["circuits"][0]["bytes_received"]
            .as_u64()
            .is_some_and(|received| received >= sent)
    });
    cluster.assert_healthy();
}

#[test]
fn probes_say_live_and_ready_until_the_end() {
    let (mut cluster, address) = watched();
    let first_line = |request: &str| get(address, request).0.lines().next().unwrap_or_default().to_owned();
    assert_eq!(first_line("GET /live"), "HTTP/1.1 200 OK");
    assert_eq!(first_line("GET /ready"), "HTTP/1.1 200 OK");
    assert_eq!(first_line("GET /nothing"), "HTTP/1.1 404 Not Found");
    assert_eq!(first_line("DELETE /status"), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(
        first_line("POST /reload"),
        "HTTP/1.1 403 Forbidden",
        "commands come by the socket"
    );
    let mut stream = TcpStream::connect(address).expect("room");
    stream
        .write_all(b"GET /status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        .expect("room");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(
        answer.starts_with("HTTP/1.1 421"),
        "a name that a page in a browser has made up: {answer}"
    );
    let silent: Vec<_> = (0..300).map(|_| TcpStream::connect(address).expect("room")).collect();
    assert_eq!(first_line("GET /live"), "HTTP/1.1 200 OK", "beside silent connections");
    drop(silent);
    cluster.assert_healthy();
}

/// The socket is for its owner alone, goes with the daemon, and one that a killed daemon has left is no obstacle.
#[test]
fn the_socket_belongs_to_the_daemon() {
    let mut cluster = Cluster::new(Carrier::Bridge, 2);
    let path = cluster.folder().join("left.sock");
    let mode = fs::metadata(&path).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (head, _) = exchange(UnixStream::connect(&path).expect("a daemon"), "GET /status");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    cluster.gateway(0).kill();
    assert!(path.exists());
    let output = cluster.gateway(0).command("status").output().expect("a program");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("does it run with this configuration file"),
        "{error}"
    );
    cluster.gateway(0).run();
    assert_eq!(cluster.gateway(0).status()["name"], "left");
    cluster.gateway(0).terminate();
    assert!(!path.exists(), "the socket of a daemon that has ended");
    cluster.gateway(0).run();
}

/// A stopped reader, a peer that is gone and a certificate of one day are told in words, and an outage is counted.
#[test]
fn what_is_wrong_is_told() {
    let (mut cluster, _) = watched();
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    b.signal(Signal::SIGSTOP);
    a.begin(&format!(
        "[{{nobody, {}}} ! <<0:8000000>> || _ <- lists:seq(1, 100)], ok",
        b.atom()
    ));
    let problem = |gateway: &Gateway, text: &str| {
        let status = gateway.status();
        let problems = status["problems"].as_array().expect("a list").iter();
        problems.filter_map(Value::as_str).any(|problem| problem.contains(text))
    };
    until(Duration::from_secs(10), "a blocked circuit", || {
        problem(cluster.gateway(0), "reads too slowly")
    });
    let blocked = cluster.gateway(0).status()["circuits"][0]["blocked_seconds"]
        .as_f64()
        .expect("a number");
    assert!(blocked > 0.0, "{blocked} s");
    b.signal(Signal::SIGCONT);
    a.finish("the messages", Duration::from_secs(20))
        .expect("a node that is read again");
    until(Duration::from_secs(10), "the circuit to go on", || {
        !problem(cluster.gateway(0), "reads too slowly")
    });
    cluster.gateway(1).process().signal(Signal::SIGSTOP);
    until(Duration::from_secs(10), "a stalled peer", || {
        problem(cluster.gateway(0), "does not answer")
    });
    cluster.gateway(1).process().signal(Signal::SIGCONT);
    until(Duration::from_secs(10), "the peer to be back", || {
        !problem(cluster.gateway(0), "does not answer")
    });
    cluster.gateway(1).terminate();
    until(Duration::from_secs(10), "a peer that is down", || {
        problem(cluster.gateway(0), "right cannot be reached")
    });
    until(Duration::from_secs(5), "the end to be counted", || {
        cluster.gateway(0).status()["sessions_ended"] == 1
    });
    cluster.gateway(1).run();
}

/// A node with the carrier inside answers `beamway status` and `beamway reload` with its file, as a gateway does.
#[test]
fn a_vm_answers_as_a_gateway_does() {
    let (cluster, a, b) = Cluster::pair(Carrier::Vm);
    let file = cluster.folder().join("left-a.toml");
    let run = |word: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_beamway"));
        let output = command
            .args([word, "--json", "--config"])
            .arg(&file)
            .output()
            .expect("a program");
        let error = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{word}: {error}"))
    };
    let status = run("status");
    assert_eq!(peer(&status, "right-b")["state"], "up", "{status}");
    assert_eq!(status["circuits"][0]["local"], a.full_name());
    assert_eq!(status["circuits"][0]["remote"], b.full_name());
    let text = fs::read_to_string(&file).expect("a file");
    fs::write(&file, text.replace("[log]", "[accept]\nnames = []\n[log]")).expect("room");
    assert_eq!(run("reload")["changed"], serde_json::json!(["accept.names"]));
}
