use std::fmt::Write;
use std::process::ExitCode;

use super::args::StatusArgs;
use super::client::Client;
use super::output;
use crate::observe::Status;
use crate::observe::status::Circuit;
use crate::observe::status::Peer;

/// The circuits that fit a screen.
const CIRCUITS: usize = 15;

/// `beamway status`: peers, nodes, circuits, and what is slow or will fail, and why. Status 0 if the daemon answers.
pub(super) fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let status: Status = Client::of(&args.config)?.read("/status")?;
    if args.json {
        output::say(&serde_json::to_string_pretty(&status)?);
    } else {
        output::say(text(&status).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}: beamway {}, up {}, QUIC {}, memory {} of {}{}",
        status.name,
        status.version,
        time(status.uptime_seconds),
        status.listen,
        size(status.memory.used),
        size(status.memory.limit),
        if status.is_leaving { ", stopping" } else { "" },
    );
    let nodes: Vec<_> = status
        .nodes
        .iter()
        .map(|node| format!("{}@{}", node.name, node.hosts.join("/")))
        .collect();
    let _ = writeln!(
        text,
        "nodes here: {}",
        if nodes.is_empty() {
            "none".to_owned()
        } else {
            nodes.join(", ")
        }
    );
    for one in &status.discover {
        let _ = writeln!(text, "{}: {} found, {} connected", one.source, one.found, one.connected);
    }
    let mut peers = vec![
        [
            "PEER", "STATE", "ADDRESS", "RTT", "LOSS", "SENT", "RECEIVED", "OUTAGES", "NODES",
        ]
        .map(str::to_owned),
    ];
    peers.extend(status.peers.iter().map(peer));
    text.push_str(&columns(&peers));
    let mut busiest: Vec<&Circuit> = status.circuits.iter().collect();
    busiest.sort_by_key(|circuit| std::cmp::Reverse(circuit.bytes_sent + circuit.bytes_received));
    let more = busiest.len().saturating_sub(CIRCUITS) as u64 + status.other_circuits.count;
    let mut circuits = vec![
        [
            "LOCAL", "REMOTE", "STATE", "SENT", "RECEIVED", "WAITS", "UNREAD", "BLOCKED",
        ]
        .map(str::to_owned),
    ];
    circuits.extend(busiest.into_iter().take(CIRCUITS).map(circuit));
    if circuits.len() > 1 {
        text.push_str(&columns(&circuits));
    }
    if more > 0 {
        let _ = writeln!(text, "and {more} circuits with less traffic");
    }
    for problem in &status.problems {
        let _ = writeln!(text, "! {problem}");
    }
    text
}

fn peer(peer: &Peer) -> [String; 9] {
    let loss = 100.0 * peer.packets_lost as f64 / peer.packets_sent.max(1) as f64;
    let is_up = peer.packets_sent > 0;
    let if_up = |text: String| if is_up { text } else { "-".to_owned() };
    [
        peer.name.clone(),
        peer.state.clone(),
        peer.address.clone(),
        if_up(format!("{:.1}ms", peer.round_trip_seconds * 1e3)),
        if_up(format!("{loss:.1}%")),
        size(peer.bytes_sent),
        size(peer.bytes_received),
        peer.outages.count.to_string(),
        if peer.nodes.is_empty() {
            "-".to_owned()
        } else {
            peer.nodes.join(" ")
        },
    ]
}

fn circuit(circuit: &Circuit) -> [String; 8] {
    [
        circuit.local.clone(),
        circuit.remote.clone(),
        circuit.state.clone(),
        size(circuit.bytes_sent),
        size(circuit.bytes_received),
        size(circuit.waiting_bytes),
        size(circuit.parked_bytes),
        time(circuit.blocked_seconds),
    ]
}

/// Rows as columns, each as wide as it must be.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut text = String::new();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Bytes with three digits at most.
pub(super) fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 999.5 {
            return match unit {
                "B" => format!("{bytes}B"),
                _ if size < 9.95 => format!("{size:.1}{unit}"),
                _ => format!("{size:.0}{unit}"),
            };
        }
        size /= 1000.0;
    }
    format!("{size:.1}TB")
}

/// A length of time with its two largest units.
pub(super) fn time(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0 if seconds < 0.0005 => "0s".to_owned(),
        0 => format!("{:.0}ms", seconds * 1e3),
        1..60 => format!("{seconds:.1}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1.0kB"),
            (9_940, "9.9kB"),
            (999_400, "999kB"),
            (999_600, "1.0MB"),
            (12_345_678_901, "12GB"),
            (5_000_000_000_000, "5.0TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (seconds, text) in [
            (0.0, "0s"),
            (0.012, "12ms"),
            (59.94, "59.9s"),
            (61.0, "1m01s"),
            (3_660.0, "1h01m"),
            (90_000.0, "1d01h"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }

    #[test]
    fn a_status_fits_a_screen_and_says_what_is_wrong() {
        let down = Peer {
            name: "right".into(),
            state: "down".into(),
            address: "127.0.0.1:4472".into(),
            ..Peer::default()
        };
        let circuit = |number: u64| Circuit {
            local: format!("a{number}@h"),
            remote: "b@h".into(),
            state: "open".into(),
            bytes_sent: number,
            ..Circuit::default()
        };
        let status = Status {
            name: "left".into(),
            peers: vec![down],
            circuits: (0..64).map(circuit).collect(),
            problems: vec!["peer right is down".into()],
            ..Status::default()
        };
        let text = text(&status);
        assert!(text.lines().count() <= 24, "{text}");
        assert!(text.contains("a63@h") && !text.contains("a1@h "), "{text}");
        assert!(
            text.ends_with("and 49 circuits with less traffic\n! peer right is down\n"),
            "{text}"
        );
    }
}
