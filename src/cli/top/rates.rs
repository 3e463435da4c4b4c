use std::cmp::Ordering;
use std::collections::HashMap;

use clap::ValueEnum;
use serde::Serialize;

use crate::observe::Status;
use crate::observe::status::Circuit;
use crate::observe::status::Peer;

/// What peers and circuits are sorted by: names upwards, numbers downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// By name
    Name,
    /// By bytes sent per second
    #[default]
    Sent,
    /// By bytes received per second
    Received,
    /// By round-trip time
    RoundTrip,
    /// By bytes that wait
    Waiting,
    /// By the part of the time during which a node was not read
    Blocked,
}

/// A daemon at one instant, with what has grown since the one before. Rates are missing where nothing can be compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Instant {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) uptime_seconds: f64,
    pub(super) is_leaving: bool,
    pub(super) memory_used_bytes: u64,
    pub(super) memory_limit_bytes: u64,
    /// How far apart the two answers are, by the daemon's clock; 0 if there is nothing to compare.
    pub(super) interval_seconds: f64,
    pub(super) nodes: u64,
    pub(super) peers: Vec<PeerRates>,
    pub(super) circuits: Vec<CircuitRates>,
    pub(super) circuits_not_listed: u64,
    pub(super) problems: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct PeerRates {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) sent_bytes_per_second: Option<f64>,
    pub(super) received_bytes_per_second: Option<f64>,
    pub(super) round_trip_seconds: Option<f64>,
    /// Of the packets since the last instant, those that were lost.
    pub(super) lost_part: Option<f64>,
    pub(super) waiting_bytes: u64,
    /// Of its circuits, all together.
    pub(super) blocked_part: f64,
    pub(super) nodes: u64,
    pub(super) circuits: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct CircuitRates {
    pub(super) peer: String,
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) state: String,
    pub(super) sent_bytes_per_second: Option<f64>,
    pub(super) received_bytes_per_second: Option<f64>,
    /// Of the peer.
    pub(super) round_trip_seconds: Option<f64>,
    pub(super) waiting_bytes: u64,
    pub(super) unread_bytes: u64,
    pub(super) blocked_seconds: f64,
    /// Of the time since the last instant.
    pub(super) blocked_part: f64,
}

/// What a counter has grown by in a second. One that went back has begun anew.
fn rate(now: u64, before: Option<u64>, seconds: f64) -> Option<f64> {
    let grown = now.checked_sub(before?)?;
    (seconds > 0.0).then(|| grown as f64 / seconds)
}

impl Instant {
    /// Compares an answer with the one before. A daemon that was started again, or another one, is compared with nothing.
    pub(super) fn between(before: Option<&Status>, now: &Status) -> Self {
        let before = before.filter(|before| before.name == now.name && before.uptime_seconds < now.uptime_seconds);
        let seconds = before.map_or(0.0, |before| now.uptime_seconds - before.uptime_seconds);
        let peers_before: HashMap<&str, &Peer> = before
            .iter()
            .flat_map(|status| &status.peers)
            .map(|peer| (peer.name.as_str(), peer))
            .collect();
        let circuits_before: HashMap<(&str, u64), &Circuit> = before
            .iter()
            .flat_map(|status| &status.circuits)
            .map(|circuit| ((circuit.peer.as_str(), circuit.id), circuit))
            .collect();
        let mut peers: Vec<PeerRates> = now
            .peers
            .iter()
            .map(|one| peer(one, peers_before.get(one.name.as_str()).copied(), seconds))
            .collect();
        let of_circuit = |one: &Circuit| {
            let trip = peers.iter().find(|peer| peer.name == one.peer);
            let before = circuits_before.get(&(one.peer.as_str(), one.id)).copied();
            circuit(one, before, seconds, trip.and_then(|peer| peer.round_trip_seconds))
        };
        let circuits: Vec<CircuitRates> = now.circuits.iter().map(of_circuit).collect();
        for peer in &mut peers {
            let own = circuits.iter().filter(|circuit| circuit.peer == peer.name);
            peer.blocked_part = own.map(|circuit| circuit.blocked_part).sum();
        }
        Self {
            name: now.name.clone(),
            version: now.version.clone(),
            uptime_seconds: now.uptime_seconds,
            is_leaving: now.is_leaving,
            memory_used_bytes: now.memory.used,
            memory_limit_bytes: now.memory.limit,
            interval_seconds: seconds,
            nodes: now.nodes.len() as u64,
            peers,
            circuits,
            circuits_not_listed: now.other_circuits.count,
            problems: now.problems.clone(),
        }
    }

    /// Sorts peers and circuits. What is equal stays in the order of its names.
    pub(super) fn sort(&mut self, order: Order) {
        self.peers.sort_by(|one, other| one.name.cmp(&other.name));
        self.circuits
            .sort_by(|one, other| (&one.local, &one.remote).cmp(&(&other.local, &other.remote)));
        let down = |one: f64, other: f64| other.total_cmp(&one);
        let known = |one: Option<f64>| one.unwrap_or(-1.0);
        self.peers.sort_by(|one, other| match order {
            Order::Name => Ordering::Equal,
            Order::Sent => down(known(one.sent_bytes_per_second), known(other.sent_bytes_per_second)),
            Order::Received => down(
                known(one.received_bytes_per_second),
                known(other.received_bytes_per_second),
            ),
            Order::RoundTrip => down(known(one.round_trip_seconds), known(other.round_trip_seconds)),
            Order::Waiting => other.waiting_bytes.cmp(&one.waiting_bytes),
            Order::Blocked => down(one.blocked_part, other.blocked_part),
        });
        self.circuits.sort_by(|one, other| match order {
            Order::Name => Ordering::Equal,
            Order::Sent => down(known(one.sent_bytes_per_second), known(other.sent_bytes_per_second)),
            Order::Received => down(
                known(one.received_bytes_per_second),
                known(other.received_bytes_per_second),
            ),
            Order::RoundTrip => down(known(one.round_trip_seconds), known(other.round_trip_seconds)),
            Order::Waiting => other.waiting_bytes.cmp(&one.waiting_bytes),
            Order::Blocked => down(one.blocked_part, other.blocked_part)
                .then_with(|| down(one.blocked_seconds, other.blocked_seconds)),
        });
    }
}

fn peer(now: &Peer, before: Option<&Peer>, seconds: f64) -> PeerRates {
    // Without a session nothing is measured, and all counters are 0.
    let has_session = now.packets_sent > 0;
    let before = before.filter(|_| has_session);
    let grown = |of: fn(&Peer) -> u64| rate(of(now), before.map(of), seconds);
    let packets = grown(|peer| peer.packets_sent);
    let lost = grown(|peer| peer.packets_lost);
    PeerRates {
        name: now.name.clone(),
        state: now.state.clone(),
        sent_bytes_per_second: grown(|peer| peer.bytes_sent),
        received_bytes_per_second: grown(|peer| peer.bytes_received),
        round_trip_seconds: has_session.then_some(now.round_trip_seconds),
        lost_part: packets
            .zip(lost)
            .map(|(packets, lost)| if packets > 0.0 { (lost / packets).min(1.0) } else { 0.0 }),
        waiting_bytes: now.waiting_bytes,
        blocked_part: 0.0,
        nodes: now.nodes.len() as u64,
        circuits: now.circuits,
    }
}

fn circuit(now: &Circuit, before: Option<&Circuit>, seconds: f64, trip: Option<f64>) -> CircuitRates {
    let grown = |of: fn(&Circuit) -> u64| rate(of(now), before.map(of), seconds);
    let blocked = before.map_or(0.0, |before| now.blocked_seconds - before.blocked_seconds);
    CircuitRates {
        peer: now.peer.clone(),
        local: now.local.clone(),
        remote: now.remote.clone(),
        state: now.state.clone(),
        sent_bytes_per_second: grown(|circuit| circuit.bytes_sent),
        received_bytes_per_second: grown(|circuit| circuit.bytes_received),
        round_trip_seconds: trip,
        waiting_bytes: now.waiting_bytes,
        unread_bytes: now.parked_bytes,
        blocked_seconds: now.blocked_seconds,
        blocked_part: if seconds > 0.0 {
            (blocked / seconds).clamp(0.0, 1.0)
        } else {
            0.0
        },
    }
}
