use std::time::Duration;

use proptest::prelude::*;

use crate::config::settings::Address;
use crate::config::*;
use crate::congestion::Algorithm;

fn parse(text: &str) -> Result<Config, Mistakes> {
    crate::config::parse(text, Purpose::Daemon)
}

/// All keys, none of them with its default.
const FULL: &str = r#"
[gateway]
name   = "Left"
listen = "127.0.0.1:4471"
certs  = "certs/left"
lanes  = 4
net_ticktime = 4
circuit_budget = "8MiB"
memory = "512 MiB"
close_deadline = "2500ms"
busy_wait = "50us"

[epmd]
listen = ["127.0.0.1:4369", "[::1]:4369"]
hosts  = ["127.0.0.1", "host1"]

[[peer]]
name    = "right"
address = "127.0.0.1:4472"

[[peer]]
name    = "far.example.com"
address = "[FD00::2]:4472"
allow   = ["*@host2", "web-*@*"]

[accept]
names = ["web-*.example.com", "DB"]

[hosts]
dial = true
port = 4473

[transport]
udp_receive_buffer = "1MiB"
udp_send_buffer = 131072
datagram_max = "1400B"
idle_timeout = "1m"
keep_alive = "10s"
stream_window = "2MB"
congestion = "newreno"
canary = false

[session]
grace = "0s"
replay_budget = "128MiB"
race_interval = "50ms"
end_expired = false

[admin]
listen = "127.0.0.1:9470"
socket = "left.sock"

[log]
format = "json"
level = "debug"
"#;

/// The smallest valid file.
const LEAST: &str = "
[gateway]
name = 'left'
listen = '0.0.0.0:4471'
certs = 'c'
";

fn mistakes(text: &str) -> Vec<Mistake> {
    parse(text).expect_err("mistakes").list
}

/// The only mistake in the smallest file plus one line, `key = value`, in a table.
fn only(table: &str, line: &str) -> Mistake {
    let text = if table == "gateway" {
        format!("{LEAST}{line}\n")
    } else {
        format!("{LEAST}[{table}]\n{line}\n")
    };
    let mut found = mistakes(&text);
    assert_eq!(found.len(), 1, "{text}\n{found:?}");
    found.remove(0)
}

#[test]
fn a_full_file_is_read() {
    let config = parse(FULL).expect("a good file");
    let gateway = &config.gateway;
    assert_eq!(gateway.name, "left");
    assert_eq!(gateway.listen.to_string(), "127.0.0.1:4471");
    assert_eq!(gateway.certs.to_str(), Some("certs/left"));
    assert_eq!(gateway.lanes, 4);
    assert_eq!(gateway.net_ticktime, Duration::from_secs(4));
    assert_eq!((gateway.circuit_budget, gateway.memory), (8 << 20, 512 << 20));
    assert_eq!(gateway.close_deadline, Duration::from_millis(2500));
    assert_eq!(gateway.busy_wait, Duration::from_micros(50));
    assert_eq!(config.epmd.listen.len(), 2);
    assert_eq!(
        config.epmd.hosts.as_deref(),
        Some(&["127.0.0.1".to_owned(), "host1".to_owned()][..])
    );
    let [right, far] = config.peers.as_slice() else {
        panic!("two peers");
    };
    assert_eq!(right.address.to_string(), "127.0.0.1:4472");
    assert_eq!(right.allow, None, "the certificate decides");
    assert_eq!(far.name, "far.example.com");
    assert_eq!(
        far.address,
        Address {
            host: "fd00::2".to_owned(),
            port: 4472
        }
    );
    assert_eq!(far.address.to_string(), "[fd00::2]:4472");
    let allow = far.allow.as_deref().expect("patterns");
    assert!(allow.iter().any(|pattern| pattern.matches("web-1@host9")));
    assert!(!allow.iter().any(|pattern| pattern.matches("db@host9")));
    let accept = config.accept.names.as_deref().expect("patterns");
    assert!(accept.iter().any(|name| name.matches("Web-1.example.com")));
    assert!(accept.iter().any(|name| name.matches("db")));
    assert!(!accept.iter().any(|name| name.matches("web-1.example.org")));
    let transport = &config.transport;
    assert_eq!(
        (transport.udp_receive_buffer, transport.udp_send_buffer),
        (1 << 20, 1 << 17)
    );
    assert_eq!(
        (transport.idle_timeout.as_secs(), transport.keep_alive.as_secs()),
        (60, 10)
    );
    assert_eq!(transport.datagram_max, 1400);
    assert_eq!(transport.stream_window, 2_000_000);
    assert_eq!(transport.congestion, Algorithm::NewReno);
    assert!(!transport.canary);
    assert_eq!((config.hosts.dial, config.hosts.port), (true, Some(4473)));
    let session = &config.session;
    assert_eq!((session.grace, session.replay_budget), (Duration::ZERO, 128 << 20));
    assert_eq!(session.race_interval, Duration::from_millis(50));
    assert_eq!(
        (config.log.format, config.log.level),
        (LogFormat::Json, LogLevel::Debug)
    );
}

#[test]
fn a_port_mapper_for_other_machines_must_be_wanted() {
    for listen in [
        "0.0.0.0:4369",
        "[::]:4369",
        "10.0.0.1:4369",
        "[fd00::1]:4369",
        "[::ffff:10.0.0.1]:4369",
    ] {
        let refused = only("epmd", &format!("listen = ['127.0.0.1:4369', '{listen}']")).to_string();
        assert!(
            refused.contains("in clear text") && refused.contains("public = true"),
            "{refused}"
        );
        let wanted = format!("{LEAST}[epmd]\nlisten = '{listen}'\npublic = true\n");
        assert!(parse(&wanted).expect("a good file").epmd.is_public);
    }
    for listen in ["127.0.0.1:1", "127.0.0.5:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        parse(&format!("{LEAST}[epmd]\nlisten = '{listen}'\n")).expect("an address of loopback");
    }
}

#[test]
fn the_least_file_gets_every_default() {
    let config = parse(LEAST).expect("a good file");
    let gateway = &config.gateway;
    assert_eq!(gateway.lanes, 16);
    assert_eq!(gateway.net_ticktime, Duration::from_secs(60));
    assert_eq!((gateway.circuit_budget, gateway.memory), (64 << 20, 1 << 30));
    assert_eq!(gateway.close_deadline, Duration::from_secs(10));
    assert_eq!(gateway.busy_wait, Duration::from_micros(200));
    let both = ["127.0.0.1:4369", "[::1]:4369"].map(|address| address.parse().expect("an address"));
    assert_eq!(config.epmd.listen, both);
    assert!(!config.epmd.is_public);
    assert_eq!(config.epmd.hosts, None);
    assert!(config.peers.is_empty());
    assert_eq!(config.accept.names, None);
    let transport = &config.transport;
    assert_eq!(
        (transport.udp_receive_buffer, transport.udp_send_buffer),
        (4 << 20, 4 << 20)
    );
    assert_eq!(
        (transport.idle_timeout.as_secs(), transport.keep_alive.as_secs()),
        (15, 3)
    );
    assert_eq!(transport.datagram_max, 16_200);
    assert_eq!(transport.stream_window, 1 << 20);
    assert_eq!(transport.congestion, Algorithm::Model);
    assert!(transport.canary);
    assert_eq!((config.hosts.dial, config.hosts.port), (false, None));
    let session = &config.session;
    assert_eq!(
        (session.grace, session.replay_budget),
        (Duration::from_secs(15), 64 << 20)
    );
    assert_eq!(session.race_interval, Duration::from_millis(150));
    assert_eq!((config.log.format, config.log.level), (LogFormat::Text, LogLevel::Info));
}

#[test]
fn nobody_but_peers_may_dial_in_if_the_list_is_empty() {
    let names = |line: &str| {
        let config = parse(&format!("{LEAST}[accept]\n{line}\n")).expect("a good file");
        config.accept.names.map(|names| names.len())
    };
    assert_eq!(names("names = []"), Some(0));
    assert_eq!(names("names = ['*']"), Some(1));
    assert_eq!(names(""), None);
    for line in ["names = 'web'", "names = ['a b']", "names = ['']", "names = ['a@b']"] {
        let mistake = only("accept", line);
        assert_eq!(mistake.key, "accept.names", "{line}");
        assert!(mistake.allowed.contains("[] for nobody but peers"), "{mistake}");
    }
}

#[test]
fn the_documentation_shows_the_defaults() {
    let page = include_str!("../../../docs/CONFIGURATION.md");
    let (_, rest) = page.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let shown = parse(example).expect("a good file");
    let without = "[gateway]\nname = 'left'\nlisten = '127.0.0.1:4471'\ncerts = 'certs/left'\n\
                   [[peer]]\nname = 'right'\naddress = '127.0.0.1:4472'\n";
    assert_eq!(shown, parse(without).expect("a good file"));
}

#[test]
fn the_defaults_are_within_their_own_limits() {
    assert!(GatewaySettings::LANES_ALLOWED.contains(&GatewaySettings::LANES));
    assert!(GatewaySettings::NET_TICKTIME_ALLOWED.contains(&GatewaySettings::NET_TICKTIME));
    assert!(GatewaySettings::CIRCUIT_BUDGET_ALLOWED.contains(&GatewaySettings::CIRCUIT_BUDGET));
    assert!(GatewaySettings::MEMORY_ALLOWED.contains(&GatewaySettings::MEMORY));
    assert!(GatewaySettings::CLOSE_DEADLINE_ALLOWED.contains(&GatewaySettings::CLOSE_DEADLINE));
    assert!(TransportSettings::UDP_BUFFER_ALLOWED.contains(&TransportSettings::UDP_BUFFER));
    assert!(TransportSettings::IDLE_TIMEOUT_ALLOWED.contains(&TransportSettings::IDLE_TIMEOUT));
    assert!(TransportSettings::KEEP_ALIVE_ALLOWED.contains(&TransportSettings::KEEP_ALIVE));
    assert!(TransportSettings::STREAM_WINDOW_ALLOWED.contains(&TransportSettings::STREAM_WINDOW));
    assert!(SessionSettings::GRACE_ALLOWED.contains(&SessionSettings::GRACE));
    assert!(SessionSettings::REPLAY_BUDGET_ALLOWED.contains(&SessionSettings::REPLAY_BUDGET));
    assert!(SessionSettings::RACE_INTERVAL_ALLOWED.contains(&SessionSettings::RACE_INTERVAL));
}

#[test]
fn the_worst_case_is_a_sum() {
    let two = "[[peer]]\nname = 'a'\naddress = 'h:1'\n[[peer]]\nname = 'b'\naddress = 'h:2'\n";
    let config = parse(&format!("{LEAST}{two}")).expect("a good file");
    let (replay, quic) = (64 << 20, (17 * 3) << 20);
    let expected = WorstCase {
        circuit: 64 << 20,
        nodes: 1 << 30,
        replay,
        quic,
        notices: 32 << 20,
        connection: 768 << 10,
        socket: 16 << 20,
        process: (1 << 30) + (16 << 20) + 2 * (replay + quic + (32 << 20)),
    };
    assert_eq!(config.worst_case(), expected);
    let text = expected.to_string();
    let end = "64MiB unsent or unacknowledged, 51MiB in QUIC, and 32MiB of names and notices; 16MiB for the UDP socket; 1334MiB in \
               total, and 768KiB for each connection of a local node";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn keep_alive_follows_a_short_idle_timeout() {
    let config = parse(&format!("{LEAST}[transport]\nidle_timeout = '2s'")).expect("a good file");
    assert_eq!(config.transport.keep_alive, Duration::from_millis(400));
}

#[test]
fn every_mistake_is_found_at_once_in_the_order_of_lines() {
    let found = mistakes(
        "lane = 3
[gateway]
name = 'left'
certs = 'c'
lanes = 0
[epmd]
host = []
[[peer]]
name = 'LEFT'
address = 'h:1'
[[peer]]
name = 'b'
[[peer]]
name = 'B'
address = 'H:1'
[log]
level = 3
[tls]
off = true
",
    );
    let found: Vec<_> = found
        .iter()
        .map(|mistake| (mistake.line.unwrap_or(0), mistake.key.as_str(), mistake.fault))
        .collect();
    assert_eq!(
        found,
        [
            (1, "lane", "unknown key"),
            (2, "gateway.listen", "missing"),
            (5, "gateway.lanes", "not allowed"),
            (7, "epmd.host", "unknown key"),
            (9, "peer[1].name", "not allowed"),
            (11, "peer[2].address", "missing"),
            (14, "peer[3].name", "not allowed"),
            (15, "peer[3].address", "not allowed"),
            (17, "log.level", "not allowed"),
            (18, "tls", "unknown key"),
        ]
    );
}

#[test]
fn a_mistake_says_line_key_value_and_what_is_allowed() {
    assert_eq!(
        only("gateway", "lanes = 65").to_string(),
        "line 6: gateway.lanes = 65: not allowed; allowed: a whole number from 1 to 64"
    );
    assert_eq!(
        mistakes("")
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        "gateway.name: missing; allowed: a DNS name of letters, digits, `-`, `_` and dots, as in the certificate, e.g. \
         \"left\"\ngateway.certs: missing; allowed: the folder that holds ca.pem, cert.pem and key.pem, e.g. \
         \"certs/left\"\ngateway.listen: missing; allowed: an IP address and a port, e.g. \"127.0.0.1:4471\" or \
         \"[::1]:4471\""
    );
}

#[test]
fn values_outside_their_limits_are_refused() {
    for (table, line) in [
        ("gateway", "lanes = -1"),
        ("gateway", "lanes = 1.5"),
        ("gateway", "lanes = '16'"),
        ("gateway", "lanes = 18446744073709551616"),
        ("gateway", "net_ticktime = 0"),
        ("gateway", "net_ticktime = '60s'"),
        ("gateway", "circuit_budget = '255KiB'"),
        ("gateway", "circuit_budget = '64 mib'"),
        ("gateway", "circuit_budget = '99999999999999999999GiB'"),
        ("gateway", "circuit_budget = 'MiB'"),
        ("gateway", "circuit_budget = '2GiB'"),
        ("gateway", "memory = '32MiB'"),
        ("gateway", "close_deadline = '99ms'"),
        ("gateway", "close_deadline = 10"),
        ("gateway", "close_deadline = '1 day'"),
        ("gateway", "busy_wait = '11ms'"),
        ("epmd", "listen = []"),
        ("epmd", "listen = '0.0.0.0:4369'"),
        ("epmd", "listen = ['127.0.0.1:4369', '[::]:4369']"),
        ("epmd", "listen = '10.0.0.1:4369'\npublic = false"),
        ("epmd", "public = 'yes'"),
        ("epmd", "listen = 'localhost:4369'"),
        ("epmd", "listen = ['127.0.0.1:1', '127.0.0.1:1']"),
        ("epmd", "hosts = []"),
        ("epmd", "hosts = 'h'"),
        ("epmd", "hosts = ['a@h']"),
        ("epmd", "hosts = ['']"),
        ("transport", "udp_receive_buffer = '1KiB'"),
        ("transport", "datagram_max = 1199"),
        ("transport", "datagram_max = '16201B'"),
        ("transport", "keep_alive = '8s'"),
        ("transport", "idle_timeout = '0s'"),
        ("transport", "stream_window = '1GiB'"),
        ("transport", "congestion = 'vegas'"),
        ("transport", "canary = 1"),
        ("hosts", "port = 0"),
        ("hosts", "ports = 4472"),
        ("hosts", "ports = {}"),
        ("hosts", "ports = { b = 0 }"),
        ("hosts", "ports = { b = 65536 }"),
        ("hosts", "ports = { 'b@h' = 4472 }"),
        ("select", "nodes = ['*@*']"),
        ("session", "grace = '2h'"),
        ("session", "replay_budget = '1KiB'"),
        ("session", "race_interval = '0s'"),
        ("log", "format = 'xml'"),
        ("log", "level = 'beamway=debug'"),
    ] {
        let mistake = only(table, line);
        assert_eq!(mistake.fault, "not allowed", "{line}");
        assert!(mistake.value.is_some() && !mistake.allowed.is_empty(), "{line}");
    }
    assert_eq!(mistakes("gateway = 1\n").len(), 1 + 3);
    assert_eq!(only("peer", "name = 'b'").key, "peer");
    assert_eq!(only("gateway", "\npeer = [1]").fault, "unknown key");
}

#[test]
fn addresses_of_peers() {
    let read = |text: &str| {
        let text = format!("{LEAST}[[peer]]\nname = 'p'\naddress = '{text}'");
        parse(&text).ok().map(|config| config.peers[0].address.to_string())
    };
    for text in ["host:1", "host-2.example.com:65535", "10.0.0.1:4471", "[::1]:4471"] {
        assert_eq!(read(text).as_deref(), Some(text));
    }
    assert_eq!(read("Host:1").as_deref(), Some("host:1"));
    for text in [
        "",
        ":1",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "::1:4471",
        "[::1]",
        "[h]:1",
        "[1.2.3.4]:1",
        "a b:1",
        "1.2:3",
        "a@b:1",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn ways_to_find_peers() {
    let read = |text: &str| parse(&format!("{LEAST}[[discover]]\n{text}\n")).map(|config| config.discover);
    let whole = "dns = 'a.example'\nport = 1\nserver = '127.0.0.1:8600'\nname = 'A-*'\nexchange = true\nforget = '1m'";
    let found = read(whole).expect("a good table");
    let [one] = found.as_slice() else { panic!("{found:?}") };
    let lookup = one.lookup.clone().expect("a question");
    assert_eq!((lookup.name.as_str(), lookup.port), ("a.example", Some(1)));
    assert_eq!(lookup.server, "127.0.0.1:8600".parse().ok());
    assert_eq!((one.exchange, one.forget), (true, Duration::from_secs(60)));
    assert!(one.names.matches("a-1") && !one.names.matches("b"));
    let least = |text: &str| read(text).expect("a good table").remove(0);
    let one = least("dns = 'fd00::1'\nserver = '::1'");
    let lookup = one.lookup.clone().expect("a question");
    assert_eq!(lookup.port, Some(4471), "the port of this daemon");
    assert_eq!(lookup.server, "[::1]:53".parse().ok());
    assert!(one.names.matches("any") && !one.exchange);
    assert_eq!(one.forget, DiscoverSettings::FORGET);
    assert_eq!(
        least("srv = '_b._udp.example.'").lookup.map(|lookup| lookup.port),
        Some(None)
    );
    assert_eq!(least("exchange = true").lookup, None);
    assert_eq!(
        read("exchange = true\n[[discover]]\ndns = 'b'")
            .expect("two tables")
            .len(),
        2
    );
    for (text, key) in [
        ("", "discover[1]"),
        ("exchange = false", "discover[1]"),
        ("name = 'a'", "discover[1]"),
        ("dns = 'a b'", "discover[1].dns"),
        ("dns = 'a..b'", "discover[1].dns"),
        ("dns = 'a:4471'", "discover[1].dns"),
        ("dns = ''", "discover[1].dns"),
        ("srv = '10.0.0.1'", "discover[1].srv"),
        ("dns = 'a'\nsrv = 'b'", "discover[1].srv"),
        ("dns = 'a'\nport = 0", "discover[1].port"),
        ("srv = 'a'\nport = 1", "discover[1].port"),
        ("exchange = true\nserver = '10.0.0.1'", "discover[1].server"),
        ("dns = 'a'\nserver = 'ns.example'", "discover[1].server"),
        ("dns = 'a'\nserver = '10.0.0.1:0'", "discover[1].server"),
        ("dns = 'a'\nname = 'a b'", "discover[1].name"),
        ("dns = 'a'\nexchange = 'yes'", "discover[1].exchange"),
        ("dns = 'a'\nforget = '2d'", "discover[1].forget"),
        ("dns = 'a'\nrefresh = '1s'", "discover[1].refresh"),
    ] {
        let found = read(text).expect_err(text).list;
        let keys: Vec<&str> = found.iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(keys, [key], "{text}");
    }
    let any_port = LEAST.replace("4471", "0");
    let found = mistakes(&format!("{any_port}[[discover]]\ndns = 'a'\n"));
    assert_eq!(found[0].key, "discover[1].port");
    assert_eq!(mistakes(&format!("{LEAST}[discover]\ndns = 'a'\n"))[0].key, "discover");
}

#[test]
fn damaged_toml_is_told_without_phantoms() {
    let found = mistakes("[gateway\nname = 'left'\n");
    assert!(
        found
            .iter()
            .any(|mistake| mistake.fault == "not TOML" && mistake.line.is_some()),
        "{found:?}"
    );
    assert!(found.iter().all(|mistake| mistake.fault != "missing"), "{found:?}");
    let twice = format!("{LEAST}lanes = 1\nlanes = 2\n");
    assert_eq!(mistakes(&twice)[0].fault, "not TOML");
}

#[test]
fn what_is_right_in_a_wrong_file_is_kept_for_checking_certificates() {
    let wrong = parse("[gateway]\nname = 'A'\ncerts = 'c'\n").expect_err("no address");
    assert_eq!(
        (
            wrong.name.as_deref(),
            wrong.certs.as_deref().and_then(|path| path.to_str())
        ),
        (Some("a"), Some("c"))
    );
    assert_eq!(parse("").expect_err("empty").name, None);
}

#[test]
fn the_size_of_a_file_and_of_its_report_is_bounded() {
    let found = mistakes(&"#".repeat((1 << 20) + 1));
    assert_eq!((found.len(), found[0].fault), (1, "the file is too large"));
    let many: String = (0..1000).map(|number| format!("k{number} = 1\n")).collect();
    assert_eq!(mistakes(&many).len(), 200);
    let long = only("gateway", &format!("lanes = '{}'", "ä".repeat(500)));
    assert!(long.value.is_some_and(|value| value.chars().count() == 61));
    let many: String = (0..1025)
        .map(|n| format!("[[peer]]\nname='p{n}'\naddress='h{n}:1'\n"))
        .collect();
    assert_eq!(mistakes(&format!("{LEAST}{many}")).len(), 1);
    let deep = format!("{LEAST}lanes = {}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(!mistakes(&deep).is_empty());
}

proptest! {
    #[test]
    fn damaged_files_are_read_or_refused(cut in 0..FULL.len(), at in 0..FULL.len(), piece in ".{0,12}", whole in any::<String>()) {
        let mut text: String = FULL.chars().take(cut).collect();
        let _ = parse(&text);
        let at = at.min(text.len());
        text.insert_str(at, &piece);
        let _ = parse(&text);
        let mut text = FULL.to_owned();
        text.replace_range(at..(at + 1).min(text.len()), &piece);
        if let Err(mistakes) = parse(&text) {
            prop_assert!(!mistakes.list.is_empty(), "an error says what");
            let lines = text.lines().count() + 1;
            prop_assert!(mistakes.list.iter().all(|mistake| mistake.line.is_none_or(|line| line <= lines)));
        }
        let _ = parse(&whole);
    }

    #[test]
    fn sizes_and_times_read_back(size in 1..u64::MAX, us in 1..1_000_000_000_000_u64) {
        prop_assert_eq!(units::size(&units::size_text(size)), Some(size));
        let time = Duration::from_micros(us);
        prop_assert_eq!(units::time(&units::time_text(time)), Some(time));
    }
}

#[test]
fn only_a_daemon_serves_beams() {
    for purpose in [Purpose::Lanes, Purpose::Vm] {
        let config = crate::config::parse(LEAST, purpose).expect("a good file");
        assert!(config.epmd.listen.is_empty());
        assert_eq!(config.hosts.dial, purpose == Purpose::Vm);
        assert_eq!(config.select.nodes, None);
        let with_epmd = format!("{LEAST}[epmd]\nlisten = '127.0.0.1:4369'\n");
        let mistakes = crate::config::parse(&with_epmd, purpose)
            .expect_err("a section without a place")
            .list;
        assert_eq!(mistakes.len(), 1);
        let mistake = mistakes[0].to_string();
        assert!(
            mistake.contains("epmd") && mistake.contains("no section [epmd]"),
            "{mistake}"
        );
    }
}

#[test]
fn nodes_of_one_host_have_ports_of_their_own() {
    let text = format!("{LEAST}[hosts]\nports = {{ b = 4472, worker = 4473 }}\n");
    let ports = parse(&text).expect("a good file").hosts.ports;
    assert_eq!((ports.get("b"), ports.get("worker")), (Some(&4472), Some(&4473)));
    assert_eq!(ports.len(), 2);
}

#[test]
fn only_a_vm_selects_nodes() {
    let text = format!("{LEAST}[select]\nnodes = ['*@h1']\n");
    let nodes = crate::config::parse(&text, Purpose::Vm)
        .expect("a good file")
        .select
        .nodes;
    assert!(nodes.is_some_and(|nodes| nodes[0].matches("b@h1") && !nodes[0].matches("b@h2")));
    let mistyped =
        crate::config::parse(&text.replace("[select]", "[selects]"), Purpose::Vm).expect_err("no such section");
    let told = mistyped.list[0].to_string();
    assert!(told.contains("hosts, select, transport"), "{told}");
    for purpose in [Purpose::Daemon, Purpose::Lanes] {
        let mistakes = crate::config::parse(&text, purpose)
            .expect_err("no other carriers")
            .list;
        assert!(
            mistakes[0].to_string().contains("no section [select]"),
            "{}",
            mistakes[0]
        );
    }
}
