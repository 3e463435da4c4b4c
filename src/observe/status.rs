//! The form of the status, which scripts and dashboards read.

use serde::Deserialize;
use serde::Serialize;

/// The version of the form of [`Status`]. It grows when a key goes or changes its meaning, not when one is added.
pub const SCHEMA: u32 = 1;

/// What a daemon says of itself: the answer of `/status`, and what `beamway status` and `top` show.
///
/// Sizes are in bytes and times in seconds. Counters begin with the daemon, those of peers and circuits with their session or circuit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of the program.
    pub version: String,
    /// The daemon's name.
    pub name: String,
    /// How long it has run.
    pub uptime_seconds: f64,
    /// Whether it has been told to stop.
    pub is_leaving: bool,
    /// The UDP address at which peers dial it.
    pub listen: String,
    /// The lowest and the highest version of the protocol that it speaks.
    pub protocol: Versions,
    /// The number of lanes that it wants in each direction.
    pub lanes: u16,
    /// The congestion controller.
    pub congestion: String,
    /// What is kept for peers.
    pub memory: Used,
    /// Open files of the process.
    pub open_files: Used,
    /// Its own certificate and its authorities.
    pub certificates: Vec<Certificate>,
    /// Connections from peers, and attempts to dial them.
    pub handshakes: Vec<Handshakes>,
    /// Addresses from which handshakes were begun and not completed within the last minute: what this daemon sends does not arrive there,
    /// or somebody only begins.
    #[serde(default)]
    pub unanswered: Vec<String>,
    /// Sessions that have ended.
    pub sessions_ended: u64,
    /// How many connections of nodes the `[[policy]]` of this daemon has denied.
    #[serde(default)]
    pub circuits_denied: u64,
    /// Configuration that was read again.
    pub reloads: Reloads,
    /// Log lines that were not written.
    pub log: LogLines,
    /// Nodes of this host.
    pub nodes: Vec<LocalNode>,
    /// How other peers are found (`[[discover]]`), in the order of the file.
    #[serde(default)]
    pub discover: Vec<Discover>,
    /// Peers: those that are configured, and those with a session. In the order of their names.
    pub peers: Vec<Peer>,
    /// The busiest circuits, at most [`Status::CIRCUITS`]. The others are in `other_circuits`.
    pub circuits: Vec<Circuit>,
    /// The sum of the circuits that are not listed.
    pub other_circuits: OtherCircuits,
    /// What is slow or will fail, and why, one sentence each.
    pub problems: Vec<String>,
}

impl Status {
    /// The maximum number of circuits that are listed: a bound on what monitoring has to store.
    pub const CIRCUITS: usize = 64;
}

/// A range of versions of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The lowest.
    pub min: u32,
    /// The highest.
    pub max: u32,
}

/// How much of a limited thing is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Now.
    pub used: u64,
    /// At most.
    pub limit: u64,
}

/// When a certificate expires.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// `own`, `authority` (the one that expires first) or `peer`.
    pub whose: String,
    /// The name of the daemon; empty for an authority.
    pub name: String,
    /// In seconds since 1970.
    pub expires_timestamp_seconds: f64,
}

/// Handshakes with peers of one kind and outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshakes {
    /// `in`: the peer dialled; `out`: this daemon did.
    pub direction: String,
    /// `accepted`, or why not.
    pub outcome: String,
    /// How many.
    pub count: u64,
}

/// Configuration that was read again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reloads {
    /// How often it was applied.
    pub applied: u64,
    /// How often it had mistakes, and nothing was changed.
    pub refused: u64,
    /// Whether the last one was applied. `true` if there was none.
    pub is_last_applied: bool,
    /// When the settings in use were read, in seconds since 1970.
    pub applied_timestamp_seconds: f64,
    /// The mistakes of the last one.
    pub mistakes: Vec<String>,
    /// Settings that were changed in the file and have no effect before a restart.
    pub needs_restart: Vec<String>,
}

/// Log lines that were not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLines {
    /// Because nobody read them fast enough.
    pub dropped: u64,
    /// Because there were too many of one kind and source.
    pub suppressed: u64,
}

/// A node of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalNode {
    /// The part before the `@`.
    pub name: String,
    /// The host parts by which peers can address it.
    pub hosts: Vec<String>,
    /// Whether it is a hidden node.
    pub is_hidden: bool,
}

/// A way to find peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discover {
    /// `dns NAME`, `srv NAME` or `exchange`.
    pub source: String,
    /// How many addresses or daemons it names now.
    pub found: u64,
    /// Of these, the daemons with a session.
    pub connected: u64,
    /// Why the name service gave no answer last time; empty if it did.
    pub error: String,
}

/// A peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// `up`; `stalled`: there is a session, but its trunk is lost or silent, and another one is tried; `down`: no session.
    pub state: String,
    /// Whether it has a `[[peer]]`.
    pub is_configured: bool,
    /// Where it is: the address of its trunk, or the configured one.
    pub address: String,
    /// Why the last attempt to reach it failed; empty if there is a session.
    pub error: String,
    /// The name and version of its software.
    pub software: String,
    /// The version of the protocol.
    pub protocol: u32,
    /// The full names of its nodes, at most one for each.
    pub nodes: Vec<String>,
    /// The number of its trunks, with the first one.
    pub trunks: u64,
    /// The outages that the session survived.
    pub outages: Outages,
    /// Frames and bytes that were sent again after them.
    pub resent_frames: u64,
    /// See `resent_frames`.
    pub resent_bytes: u64,
    /// The round-trip time, smoothed.
    pub round_trip_seconds: f64,
    /// The least round-trip time.
    pub least_round_trip_seconds: f64,
    /// How much may be in flight, as congestion control sees it.
    pub congestion_window_bytes: u64,
    /// The size of datagrams.
    pub datagram_bytes: u64,
    /// Packets that were sent, and those of them that were lost.
    pub packets_sent: u64,
    /// See `packets_sent`.
    pub packets_lost: u64,
    /// Bytes of datagrams, each way.
    pub udp_bytes_sent: u64,
    /// See `udp_bytes_sent`.
    pub udp_bytes_received: u64,
    /// Bytes of signals, each way.
    pub bytes_sent: u64,
    /// See `bytes_sent`.
    pub bytes_received: u64,
    /// Bytes that wait for the lanes.
    pub waiting_bytes: u64,
    /// Bytes that the peer has not acknowledged.
    pub unacknowledged_bytes: u64,
    /// Bytes that are kept for it here.
    pub kept_bytes: u64,
    /// The number of circuits.
    pub circuits: u64,
    /// When its certificate expires, in seconds since 1970; 0 without a session.
    pub certificate_expires_timestamp_seconds: f64,
    /// By lane.
    pub lanes: Vec<Lane>,
}

/// Outages that a session survived, by their length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outages {
    /// How many.
    pub count: u64,
    /// All together.
    pub seconds: f64,
    /// How many lasted at most so long: pairs of a bound in seconds and a count. They are not cumulative.
    pub buckets: Vec<(f64, u64)>,
}

/// One lane of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Bytes that entered it.
    pub bytes_sent: u64,
    /// Frames that it has carried.
    pub frames_sent: u64,
    /// Frames that have arrived.
    pub frames_received: u64,
    /// Bytes that wait for it.
    pub waiting_bytes: u64,
}

/// A pair of nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Circuit {
    /// Its number in the session.
    pub id: u64,
    /// The peer.
    pub peer: String,
    /// The node here.
    pub local: String,
    /// The node there.
    pub remote: String,
    /// `open`; `starting`: the nodes have not agreed yet; `blocked`: the local node is not read, since the remote one reads too slowly;
    /// `silent`: nothing is heard of the remote node.
    pub state: String,
    /// Bytes of signals, each way.
    pub bytes_sent: u64,
    /// See `bytes_sent`.
    pub bytes_received: u64,
    /// Frames, each way. Small signals share a frame.
    pub frames_sent: u64,
    /// See `frames_sent`.
    pub frames_received: u64,
    /// Frames that had to wait for others to keep the order, and the fences that they had.
    pub fenced_frames: u64,
    /// Bytes that the local node has sent and that wait for credit or room.
    pub waiting_bytes: u64,
    /// What may still be sent before the remote node reads more.
    pub credit_bytes: u64,
    /// Frames that have arrived and that the local node has not read, and their bytes.
    pub parked_frames: u64,
    /// See `parked_frames`.
    pub parked_bytes: u64,
    /// How long the local node was not read.
    pub blocked_seconds: f64,
    /// How much the local node may send by the `[[policy]]` of this daemon, in bytes per second; 0: no rule says.
    #[serde(default)]
    pub send_limit_bytes_per_second: u64,
    /// How much the remote node may send by it.
    #[serde(default)]
    pub receive_limit_bytes_per_second: u64,
    /// How long signals of the local node have waited for that limit.
    #[serde(default)]
    pub limited_seconds: f64,
}

/// The sum of circuits that are not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OtherCircuits {
    /// How many.
    pub count: u64,
    /// Bytes of signals, each way.
    pub bytes_sent: u64,
    /// See `bytes_sent`.
    pub bytes_received: u64,
    /// See [`Circuit::parked_bytes`].
    pub parked_bytes: u64,
    /// See [`Circuit::blocked_seconds`].
    pub blocked_seconds: f64,
}
