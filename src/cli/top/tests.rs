use std::env;
use std::io::ErrorKind;
use std::process::Command;
use std::process::Stdio;

use super::rates::Instant;
use super::rates::Order;
use super::screen::Size;
use super::screen::View;
use super::screen::lines;
use super::table::Column;
use super::table::cut;
use super::table::table;
use super::terminal;
use super::terminal::Terminal;
use crate::observe::Status;
use crate::observe::status::Circuit;
use crate::observe::status::OtherCircuits;
use crate::observe::status::Peer;

fn peer(name: &str, sent: u64) -> Peer {
    Peer {
        name: name.into(),
        state: "up".into(),
        round_trip_seconds: 0.0023,
        packets_sent: 1000 + sent,
        packets_lost: sent / 10,
        bytes_sent: sent,
        bytes_received: 3 * sent,
        ..Peer::default()
    }
}

fn circuit(number: u64, sent: u64, blocked: f64) -> Circuit {
    Circuit {
        id: number,
        peer: "right".into(),
        local: format!("a{number}@host1.example"),
        remote: "b@host2.example".into(),
        state: "open".into(),
        bytes_sent: sent,
        blocked_seconds: blocked,
        ..Circuit::default()
    }
}

fn status(uptime: f64, peers: Vec<Peer>, circuits: Vec<Circuit>) -> Status {
    Status {
        name: "left".into(),
        version: "0.1.0".into(),
        uptime_seconds: uptime,
        peers,
        circuits,
        ..Status::default()
    }
}

fn shown(instant: &Instant, columns: usize, rows: Option<usize>) -> Vec<String> {
    let view = View {
        instant: Some(instant),
        silence: None,
        order: Order::Sent,
        has_keys: rows.is_some(),
    };
    lines(view, Size { columns, rows })
}

#[test]
fn rates_are_what_has_grown_by_the_daemons_clock() {
    let before = status(10.0, vec![peer("right", 1000)], vec![circuit(1, 500, 1.0)]);
    let now = status(12.0, vec![peer("right", 3000)], vec![circuit(1, 900, 2.0)]);
    let instant = Instant::between(Some(&before), &now);
    assert_eq!(instant.interval_seconds, 2.0);
    let peer = &instant.peers[0];
    assert_eq!(
        (
            peer.sent_bytes_per_second,
            peer.received_bytes_per_second,
            peer.lost_part
        ),
        (Some(1000.0), Some(3000.0), Some(0.1))
    );
    assert_eq!(peer.blocked_part, 0.5, "of its circuit");
    let circuit = &instant.circuits[0];
    assert_eq!(
        (circuit.sent_bytes_per_second, circuit.blocked_part),
        (Some(200.0), 0.5)
    );
    assert_eq!(circuit.round_trip_seconds, Some(0.0023));
}

/// A new session, a new circuit, a restarted daemon and another one count from 0: there is no rate, and never a huge or a negative one.
#[test]
fn what_began_anew_has_no_rate() {
    let before = status(10.0, vec![peer("right", 3000)], vec![circuit(1, 900, 0.0)]);
    let lower = status(
        11.0,
        vec![peer("right", 5)],
        vec![circuit(1, 5, 0.0), circuit(2, 70, 0.0)],
    );
    let instant = Instant::between(Some(&before), &lower);
    assert_eq!(instant.peers[0].sent_bytes_per_second, None);
    assert!(instant.circuits.iter().all(|one| one.sent_bytes_per_second.is_none()));
    for other in [
        status(3.0, vec![peer("right", 5000)], Vec::new()),
        Status {
            name: "other".into(),
            ..lower
        },
    ] {
        let instant = Instant::between(Some(&before), &other);
        assert_eq!(
            (instant.interval_seconds, instant.peers[0].sent_bytes_per_second),
            (0.0, None)
        );
    }
    let down = Peer {
        packets_sent: 0,
        ..peer("right", 0)
    };
    let instant = Instant::between(Some(&before), &status(11.0, vec![down], Vec::new()));
    assert_eq!(
        (
            instant.peers[0].sent_bytes_per_second,
            instant.peers[0].round_trip_seconds
        ),
        (None, None)
    );
}

#[test]
fn a_full_screen_has_80_columns_and_24_rows() {
    let peers: Vec<Peer> = (0..40)
        .map(|number| peer(&format!("a-long-name-of-a-peer-{number}.example.org"), number))
        .collect();
    let circuits: Vec<Circuit> = (0..64).map(|number| circuit(number, number, 0.0)).collect();
    let now = Status {
        problems: (0..9)
            .map(|number| format!("problem {number} {}", "words ".repeat(30)))
            .collect(),
        other_circuits: OtherCircuits {
            count: 7,
            ..OtherCircuits::default()
        },
        ..status(12.0, peers, circuits)
    };
    let mut instant = Instant::between(None, &now);
    instant.sort(Order::Name);
    let lines = shown(&instant, 80, Some(24));
    let text = lines.join("\n");
    assert_eq!(lines.len(), 24, "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
    assert!(lines[0].starts_with("left: beamway 0.1.0, up 12.0s"), "{text}");
    assert!(lines[2].starts_with("! problem 0") && lines[2].ends_with('…'), "{text}");
    assert!(text.contains("! and 7 more problems"), "{text}");
    assert!(text.contains("more peers") && text.contains("more circuits"), "{text}");
    assert!(text.contains("a-long-name-of…") || text.contains('…'), "{text}");
    assert!(text.contains("2.3ms"), "numbers are never cut: {text}");
    assert!(lines[23].starts_with("q quit"), "{text}");
}

/// However small or large the window is: no line is longer, and there are no more lines than rows.
#[test]
fn every_size_is_kept() {
    let circuits: Vec<Circuit> = (0..5).map(|number| circuit(number, number, 0.0)).collect();
    let now = status(12.0, vec![peer("right", 1), peer("left", 2)], circuits);
    let instant = Instant::between(None, &now);
    for columns in 1..130 {
        for rows in 1..40 {
            let lines = shown(&instant, columns, Some(rows));
            assert!(lines.len() <= rows, "{columns} x {rows}: {} lines", lines.len());
            assert!(
                lines.iter().all(|line| line.chars().count() <= columns),
                "{columns} x {rows}"
            );
        }
    }
    let all = shown(&instant, 200, None).join("\n");
    for name in ["a0@host1.example", "a4@host1.example", "b@host2.example", "right"] {
        assert!(all.contains(name), "{name} in a wide window, which cuts nothing: {all}");
    }
    assert!(!all.contains("more"), "{all}");
}

#[test]
fn orders_are_by_number_downwards_and_by_name_upwards() {
    let before = status(
        10.0,
        vec![peer("a", 0), peer("b", 0), peer("c", 0)],
        vec![circuit(1, 0, 0.0), circuit(2, 0, 0.0)],
    );
    let mut peers = vec![peer("a", 10), peer("b", 30), peer("c", 20)];
    peers[0].waiting_bytes = 9;
    peers[2].round_trip_seconds = 1.0;
    let now = status(11.0, peers, vec![circuit(1, 5, 0.0), circuit(2, 1, 0.5)]);
    let mut instant = Instant::between(Some(&before), &now);
    for (order, first_peer, first_circuit) in [
        (Order::Name, "a", "a1@host1.example"),
        (Order::Sent, "b", "a1@host1.example"),
        (Order::Received, "b", "a1@host1.example"),
        (Order::RoundTrip, "c", "a1@host1.example"),
        (Order::Waiting, "a", "a1@host1.example"),
        (Order::Blocked, "a", "a2@host1.example"),
    ] {
        instant.sort(order);
        assert_eq!(
            (instant.peers[0].name.as_str(), instant.circuits[0].local.as_str()),
            (first_peer, first_circuit),
            "{order:?}"
        );
    }
}

#[test]
fn silence_is_told_above_what_was_known() {
    let instant = Instant::between(None, &status(12.0, Vec::new(), Vec::new()));
    let view = |instant| View {
        instant,
        silence: Some((7, "nobody is there")),
        order: Order::Sent,
        has_keys: false,
    };
    let size = Size {
        columns: 80,
        rows: None,
    };
    let text = lines(view(Some(&instant)), size).join("\n");
    assert!(
        text.contains("! no answer for 7 s, asking again: nobody is there"),
        "{text}"
    );
    assert!(
        text.contains("no peers: none is configured") && text.contains("no circuits: no node here"),
        "{text}"
    );
    assert_eq!(lines(view(None), size).len(), 1);
}

#[test]
fn foreign_names_move_no_cursor_and_long_ones_are_cut() {
    assert_eq!(cut("a\u{1b}[2Jb\n\u{202e}c", 20), "a?[2Jb??c");
    assert_eq!(cut("abcdef", 4), "abc…");
    assert_eq!(cut("abcd", 4), "abcd");
    assert_eq!((cut("abc", 1), cut("abc", 0)), ("…".to_owned(), String::new()));
    let rows = [["NAME", "N"], ["a-name-that-is-long", "12"]].map(|row| row.map(str::to_owned).to_vec());
    assert_eq!(
        table(&[Column::Name, Column::Number], &rows, 14),
        ["NAME         N", "a-name-th…  12"]
    );
}

/// Run by the next test, on a terminal of its own; without one it does nothing.
#[test]
#[ignore = "needs a terminal"]
fn panics_on_a_terminal() {
    if terminal::is_there() {
        let _terminal = Terminal::enter().expect("a terminal");
        panic!("on purpose");
    }
}

/// What a panic says is seen, since the terminal is given back before, with every setting as it was.
#[test]
fn a_panic_gives_the_terminal_back() {
    let program = env::current_exe().expect("a path");
    let name = "cli::top::tests::panics_on_a_terminal";
    let run = format!(
        "stty -g; '{}' --exact {name} --ignored --nocapture --test-threads 1; stty -g",
        program.display()
    );
    let mut command = Command::new("script");
    command.args(["-qec", &run, "/dev/null"]).env("TERM", "xterm-256color");
    let output = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: script is not installed");
            return;
        }
        output => output.expect("a program"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let left = text.find("\u{1b}[?1049l").expect("the other screen is left");
    let said = text.find("on purpose").expect("the panic is told");
    assert!(text.contains("\u{1b}[?1049h") && left < said, "{text:?}");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.first(), lines.last(), "{text:?}");
}
