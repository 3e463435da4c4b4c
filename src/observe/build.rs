use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use super::io::reload::Read;
use super::problems::problems;
use super::status::Certificate;
use super::status::Circuit;
use super::status::Discover;
use super::status::Handshakes;
use super::status::Lane;
use super::status::LocalNode;
use super::status::LogLines;
use super::status::OtherCircuits;
use super::status::Outages;
use super::status::Peer;
use super::status::Reloads;
use super::status::SCHEMA;
use super::status::Status;
use super::status::Used;
use super::status::Versions;
use crate::cluster::io::control::FoundReport;
use crate::cluster::io::control::PeerReport;
use crate::endpoint;
use crate::endpoint::SessionReport;
use crate::session::CircuitReport;
use crate::trunk::Direction;
use crate::trunk::TrunkState;
use crate::wire::VERSION;
use crate::wire::VERSION_MIN;

/// What does not change while a daemon runs.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The daemon's name.
    pub name: String,
    /// The UDP address at which peers dial it.
    pub listen: String,
    /// The number of lanes that it wants.
    pub lanes: u16,
    /// The congestion controller.
    pub congestion: String,
}

/// What the parts of a daemon report.
#[derive(Debug)]
pub struct Parts {
    /// The time.
    pub now: SystemTime,
    /// How long it has run, in seconds.
    pub uptime: f64,
    /// Whether it has been told to stop.
    pub is_leaving: bool,
    /// What is kept for peers, and its limit.
    pub memory: (u64, u64),
    /// The number of open files, and its limit.
    pub open_files: (u64, u64),
    /// The connections that were set up, and those that were not.
    pub handshakes: Vec<(Direction, &'static str, u64)>,
    /// Where handshakes were begun and not completed within the last minute.
    pub unanswered: Vec<IpAddr>,
    /// The number of sessions that have ended.
    pub sessions_ended: u64,
    /// The number of connections that the policy has denied.
    pub circuits_denied: u64,
    /// The settings in use.
    pub read: Read,
    /// Log lines that were not written.
    pub log: LogLines,
    /// The nodes of this host: name, host parts, and whether it is hidden.
    pub local: Vec<(String, Vec<String>, bool)>,
    /// How peers are found.
    pub found: Vec<FoundReport>,
    /// The peers.
    pub peers: Vec<PeerReport>,
    /// By the name of the peer in lower case: the nodes that it holds, and what the session tells.
    pub sessions: BTreeMap<String, (Vec<String>, Option<SessionReport>)>,
}

/// The state of a peer, as it is written.
const fn state(state: TrunkState) -> &'static str {
    match state {
        TrunkState::Down => "down",
        // On a trunk without traffic nothing comes for a while.
        TrunkState::Fresh | TrunkState::Up => "up",
        TrunkState::Stalled => "stalled",
    }
}

fn timestamp(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

impl Status {
    /// Puts together what the parts of a daemon report.
    pub fn build(facts: &Facts, parts: Parts) -> Self {
        let own = |whose: &str, name: &str, until: SystemTime| Certificate {
            whose: whose.to_owned(),
            name: name.to_owned(),
            expires_timestamp_seconds: timestamp(until),
        };
        let mut certificates = vec![
            own("own", &facts.name, parts.read.own),
            own("authority", "", parts.read.authorities),
        ];
        let of_peers = parts
            .peers
            .iter()
            .filter_map(|peer| Some((&peer.name, peer.valid_until?)));
        certificates.extend(of_peers.map(|(name, until)| own("peer", name, until)));
        let (mut peers, mut circuits) = (Vec::new(), Vec::new());
        let mut sessions = parts.sessions;
        for report in parts.peers {
            let session = sessions.remove(&report.name.to_ascii_lowercase());
            let (peer, of_peer) = peer(report, session);
            circuits.extend(of_peer);
            peers.push(peer);
        }
        let (circuits, other_circuits) = busiest(circuits);
        let used = |(used, limit)| Used { used, limit };
        let mut status = Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: facts.name.clone(),
            uptime_seconds: parts.uptime,
            is_leaving: parts.is_leaving,
            listen: facts.listen.clone(),
            protocol: Versions {
                min: VERSION_MIN,
                max: VERSION,
            },
            lanes: facts.lanes,
            congestion: facts.congestion.clone(),
            memory: used(parts.memory),
            open_files: used(parts.open_files),
            certificates,
            handshakes: parts.handshakes.into_iter().map(handshakes).collect(),
            unanswered: parts.unanswered.iter().map(ToString::to_string).collect(),
            sessions_ended: parts.sessions_ended,
            circuits_denied: parts.circuits_denied,
            reloads: reloads(parts.read),
            log: parts.log,
            nodes: parts.local.into_iter().map(local).collect(),
            discover: parts.found.into_iter().map(discover).collect(),
            peers,
            circuits,
            other_circuits,
            problems: Vec::new(),
        };
        status.problems = problems(&status, timestamp(parts.now));
        status
    }
}

fn reloads(read: Read) -> Reloads {
    Reloads {
        applied: read.applied,
        refused: read.refused,
        is_last_applied: read.last.mistakes.is_empty(),
        applied_timestamp_seconds: timestamp(read.at),
        mistakes: read.last.mistakes,
        needs_restart: read.last.needs_restart,
    }
}

fn handshakes((direction, outcome, count): (Direction, &'static str, u64)) -> Handshakes {
    Handshakes {
        direction: direction.as_str().to_owned(),
        outcome: outcome.to_owned(),
        count,
    }
}

fn discover(report: FoundReport) -> Discover {
    let FoundReport {
        source,
        found,
        connected,
        failure,
    } = report;
    Discover {
        source,
        found: found as u64,
        connected: connected as u64,
        error: failure,
    }
}

fn local((name, hosts, is_hidden): (String, Vec<String>, bool)) -> LocalNode {
    LocalNode { name, hosts, is_hidden }
}

fn peer(report: PeerReport, session: Option<(Vec<String>, Option<SessionReport>)>) -> (Peer, Vec<Circuit>) {
    let (nodes, session) = session.unwrap_or_default();
    let remote = report.remote.map(|remote| remote.to_string());
    let is_down = report.state == TrunkState::Down;
    let peer = Peer {
        name: report.name,
        state: state(report.state).to_owned(),
        is_configured: report.configured.is_some(),
        address: remote.or(report.configured).unwrap_or_default(),
        error: if is_down { report.failure } else { String::new() },
        nodes,
        certificate_expires_timestamp_seconds: report.valid_until.map_or(0.0, timestamp),
        ..Peer::default()
    };
    match session {
        Some(session) => with_session(peer, session),
        None => (peer, Vec::new()),
    }
}

fn with_session(peer: Peer, session: SessionReport) -> (Peer, Vec<Circuit>) {
    let SessionReport {
        software,
        version,
        machine,
        mut nodes,
        trunks,
        outages,
        trunk,
    } = session;
    let of_lanes = machine
        .lanes
        .iter()
        .zip(&machine.stats.frames_sent)
        .zip(&machine.stats.frames_received);
    let lanes = of_lanes.map(|((lane, sent), received)| Lane {
        bytes_sent: lane.bytes_sent,
        frames_sent: *sent,
        frames_received: *received,
        waiting_bytes: lane.waiting,
    });
    let circuits = machine.circuits.iter().map(|circuit| {
        let (between, blocked) = nodes.remove(&circuit.id).unzip();
        let of_nodes = between.map(|nodes| (nodes.local.to_string(), nodes.far.to_string()));
        self::circuit(&peer.name, circuit, of_nodes, blocked.unwrap_or_default().as_secs_f64())
    });
    let circuits: Vec<_> = circuits.collect();
    let peer = Peer {
        software,
        protocol: version,
        trunks,
        resent_frames: outages.resent_frames,
        resent_bytes: outages.resent_bytes,
        outages: self::outages(&outages),
        round_trip_seconds: trunk.round_trip.as_secs_f64(),
        least_round_trip_seconds: trunk.least_round_trip.unwrap_or(trunk.round_trip).as_secs_f64(),
        congestion_window_bytes: trunk.window,
        datagram_bytes: u64::from(trunk.datagram),
        packets_sent: trunk.packets_sent,
        packets_lost: trunk.packets_lost,
        udp_bytes_sent: trunk.bytes_sent,
        udp_bytes_received: trunk.bytes_received,
        bytes_sent: machine.bytes_sent,
        bytes_received: machine.bytes_received,
        waiting_bytes: machine.waiting,
        unacknowledged_bytes: machine.unacknowledged,
        kept_bytes: machine.kept,
        circuits: circuits.len() as u64,
        lanes: lanes.collect(),
        ..peer
    };
    (peer, circuits)
}

fn outages(outages: &endpoint::Outages) -> Outages {
    let bounds = endpoint::Outages::BOUNDS.iter().map(std::time::Duration::as_secs_f64);
    Outages {
        count: outages.count,
        seconds: outages.total.as_secs_f64(),
        buckets: bounds.zip(outages.buckets).collect(),
    }
}

fn circuit(peer: &str, circuit: &CircuitReport, nodes: Option<(String, String)>, blocked: f64) -> Circuit {
    let (local, remote) = nodes.unwrap_or_default();
    let state = match () {
        () if !circuit.is_established => "starting",
        () if circuit.is_silent => "silent",
        () if circuit.waiting > 0 && circuit.credit == 0 => "blocked",
        () => "open",
    };
    Circuit {
        id: circuit.id.0,
        peer: peer.to_owned(),
        local,
        remote,
        state: state.to_owned(),
        bytes_sent: circuit.bytes_sent,
        bytes_received: circuit.bytes_received,
        frames_sent: circuit.frames_sent,
        frames_received: circuit.frames_received,
        fenced_frames: circuit.frames_fenced,
        waiting_bytes: circuit.waiting,
        credit_bytes: circuit.credit,
        parked_frames: circuit.parked_frames,
        parked_bytes: circuit.parked,
        blocked_seconds: blocked,
        send_limit_bytes_per_second: circuit.send_limit,
        receive_limit_bytes_per_second: circuit.receive_limit,
        limited_seconds: circuit.limited.as_secs_f64(),
    }
}

/// The busiest circuits, in the order of their peers and nodes, and the sum of the others.
fn busiest(mut circuits: Vec<Circuit>) -> (Vec<Circuit>, OtherCircuits) {
    circuits.sort_by_key(|circuit| std::cmp::Reverse(circuit.bytes_sent + circuit.bytes_received));
    let others = circuits.split_off(circuits.len().min(Status::CIRCUITS));
    let mut sum = OtherCircuits::default();
    for circuit in others {
        sum.count += 1;
        sum.bytes_sent += circuit.bytes_sent;
        sum.bytes_received += circuit.bytes_received;
        sum.parked_bytes += circuit.parked_bytes;
        sum.blocked_seconds += circuit.blocked_seconds;
    }
    circuits
        .sort_by(|one, other| (&one.peer, &one.local, &one.remote).cmp(&(&other.peer, &other.local, &other.remote)));
    (circuits, sum)
}
