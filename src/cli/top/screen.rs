use super::rates::CircuitRates;
use super::rates::Instant;
use super::rates::Order;
use super::rates::PeerRates;
use super::table::Column;
use super::table::cut;
use super::table::table;
use crate::cli::status::size;
use crate::cli::status::time;

/// The problems that are shown, if there is room for peers and circuits too.
const PROBLEMS: usize = 3;

/// From so many columns on there is room for what is less often wanted.
const WIDE: usize = 100;

/// Peers and circuits that are shown however low the window is.
const ROWS_MIN: usize = 1;

/// The room for the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    /// `None` for what can be scrolled.
    pub(super) rows: Option<usize>,
}

/// What the daemon was when it last answered, and what became of it since.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// `None` before the first answer.
    pub(super) instant: Option<&'a Instant>,
    /// For how many seconds nothing was heard, and why.
    pub(super) silence: Option<(u64, &'a str)>,
    pub(super) order: Order,
    /// Whether there is a keyboard.
    pub(super) has_keys: bool,
}

const KEYS: &str = "q quit  sort: n name  s sent  r received  t round trip  w waits  b blocked";

/// The lines of a screen, none longer than its width and no more than its height.
pub(super) fn lines(view: View<'_>, size: Size) -> Vec<String> {
    let width = size.columns;
    let mut lines = Vec::new();
    if let Some(instant) = view.instant {
        lines.extend(head(instant, view.order).map(|line| cut(&line, width)));
    }
    match view.silence {
        Some((seconds, why)) => lines.push(cut(&format!("! no answer for {seconds} s, asking again: {why}"), width)),
        None if view.instant.is_none() => lines.push(cut("asking the daemon …", width)),
        None => {}
    }
    let keys = view.has_keys.then(|| cut(KEYS, width));
    if let Some(instant) = view.instant {
        lines.extend(problems(instant, width));
        // Two blank lines, two heads and the keys are no rows of a table.
        let taken = lines.len() + 4 + 2 * usize::from(keys.is_some());
        let room = size.rows.map(|rows| rows.saturating_sub(taken).max(2 * ROWS_MIN));
        let (peers, circuits) = share(instant, room);
        lines.push(String::new());
        lines.extend(of_peers(instant, peers, width));
        lines.push(String::new());
        lines.extend(of_circuits(instant, circuits, width));
    }
    if let Some(rows) = size.rows {
        lines.truncate(rows.saturating_sub(usize::from(keys.is_some())));
        if keys.is_some() {
            lines.resize(rows.saturating_sub(1), String::new());
        }
    }
    lines.extend(keys);
    lines
}

/// How many lines peers and circuits get of the room: each what it needs, and half if both need more.
fn share(instant: &Instant, room: Option<usize>) -> (usize, usize) {
    let peers = instant.peers.len().max(1);
    let circuits = (instant.circuits.len() + usize::from(instant.circuits_not_listed > 0)).max(1);
    let Some(room) = room else {
        return (peers, circuits);
    };
    let of_peers = peers.min((room / 2).max(room.saturating_sub(circuits)));
    (of_peers, circuits.min(room - of_peers.min(room)))
}

fn head(instant: &Instant, order: Order) -> [String; 2] {
    let sum = |of: fn(&PeerRates) -> Option<f64>| {
        let known: Vec<f64> = instant.peers.iter().filter_map(of).collect();
        speed((!known.is_empty()).then(|| known.iter().sum()))
    };
    let order = match order {
        Order::Name => "name",
        Order::Sent => "sent",
        Order::Received => "received",
        Order::RoundTrip => "round trip",
        Order::Waiting => "waits",
        Order::Blocked => "blocked",
    };
    [
        format!(
            "{}: beamway {}, up {}, memory {} of {}{}",
            instant.name,
            instant.version,
            time(instant.uptime_seconds),
            size(instant.memory_used_bytes),
            size(instant.memory_limit_bytes),
            if instant.is_leaving { ", stopping" } else { "" },
        ),
        format!(
            "sent {}, received {}, {} nodes, {} peers, {} circuits, by {order}",
            sum(|peer| peer.sent_bytes_per_second),
            sum(|peer| peer.received_bytes_per_second),
            instant.nodes,
            instant.peers.len(),
            instant.circuits.len() as u64 + instant.circuits_not_listed,
        ),
    ]
}

fn problems(instant: &Instant, width: usize) -> Vec<String> {
    let all = &instant.problems;
    // A line that says how many more there are tells less than the problem itself.
    let shown = if all.len() > PROBLEMS { PROBLEMS - 1 } else { all.len() };
    let mut lines: Vec<String> = all
        .iter()
        .take(shown)
        .map(|problem| cut(&format!("! {problem}"), width))
        .collect();
    if shown < all.len() {
        lines.push(cut(
            &format!("! and {} more problems: see beamway status", all.len() - shown),
            width,
        ));
    }
    lines
}

/// Bytes in a second.
fn speed(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{}/s", size(rate.round() as u64)))
}

fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "-".to_owned(), |part| format!("{:.1}%", part * 100.0))
}

fn trip(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{:.1}ms", seconds * 1e3))
}

fn of_peers(instant: &Instant, room: usize, width: usize) -> Vec<String> {
    use Column::{Name, Number, Word};
    if instant.peers.is_empty() {
        return vec![cut("no peers: none is configured, and none has dialled in", width)];
    }
    let head = ["PEER", "STATE", "SENT", "RECEIVED", "RTT", "LOSS", "WAITS", "NODES"];
    let row = |peer: &PeerRates| {
        vec![
            peer.name.clone(),
            peer.state.clone(),
            speed(peer.sent_bytes_per_second),
            speed(peer.received_bytes_per_second),
            trip(peer.round_trip_seconds),
            percent(peer.lost_part),
            size(peer.waiting_bytes),
            peer.nodes.to_string(),
        ]
    };
    let shown = shown(instant.peers.len(), room);
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(instant.peers.iter().take(shown).map(row));
    let columns = [Name, Word, Number, Number, Number, Number, Number, Number];
    let mut lines = table(&columns, &rows, width);
    if shown < instant.peers.len() && room > 1 {
        lines.push(cut(&format!("and {} more peers", instant.peers.len() - shown), width));
    }
    lines
}

fn of_circuits(instant: &Instant, room: usize, width: usize) -> Vec<String> {
    use Column::{Name, Number, Word};
    if instant.circuits.is_empty() {
        return vec![cut("no circuits: no node here is connected to a node of a peer", width)];
    }
    let is_wide = width >= WIDE;
    let row = |[local, remote, state, sent, received, waits, unread, blocked]: [String; 8]| {
        let unread = is_wide.then_some(unread);
        let front = [local, remote, state, sent, received, waits];
        front.into_iter().chain(unread).chain([blocked]).collect::<Vec<_>>()
    };
    let cells = |circuit: &CircuitRates| {
        [
            circuit.local.clone(),
            circuit.remote.clone(),
            circuit.state.clone(),
            speed(circuit.sent_bytes_per_second),
            speed(circuit.received_bytes_per_second),
            size(circuit.waiting_bytes),
            size(circuit.unread_bytes),
            format!("{:.0}%", circuit.blocked_part * 100.0),
        ]
    };
    let head = [
        "LOCAL", "REMOTE", "STATE", "SENT", "RECEIVED", "WAITS", "UNREAD", "BLOCKED",
    ];
    let all = instant.circuits.len() + usize::from(instant.circuits_not_listed > 0);
    let shown = shown(all, room);
    let mut rows = vec![row(head.map(str::to_owned))];
    rows.extend(instant.circuits.iter().take(shown).map(cells).map(row));
    let columns = [Name, Name, Word, Number, Number, Number, Number, Number];
    let count = if is_wide { columns.len() } else { columns.len() - 1 };
    let mut lines = table(columns.get(..count).unwrap_or(&columns), &rows, width);
    let more = instant.circuits.len().saturating_sub(shown) as u64 + instant.circuits_not_listed;
    if more > 0 && room > 1 {
        lines.push(cut(&format!("and {more} more circuits"), width));
    }
    lines
}

/// How many of so many rows are shown: all, or one less than there is room for, since the last line says how many more there are.
fn shown(all: usize, room: usize) -> usize {
    match room {
        _ if all <= room => all,
        0 | 1 => room,
        _ => room - 1,
    }
}
