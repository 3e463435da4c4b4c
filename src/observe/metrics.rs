use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric;
use prometheus_client::encoding::MetricEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::status::Circuit;
use super::status::Discover;
use super::status::Peer;
use super::status::Status;

/// The type of the text, as HTTP names it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The states that a peer can have, see [`Peer::state`].
const STATES: [&str; 3] = ["up", "stalled", "down"];

/// The status as metrics, in the text form of OpenMetrics, which Prometheus reads.
pub fn metrics(status: Status) -> String {
    let mut registry = Registry::with_prefix("beamway");
    registry.register_collector(Box::new(Metrics(status)));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Metrics(Status);

/// Names and values of labels.
type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    fn encode(self, value: f64, metric: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Counter => ConstCounter::new(value).encode(metric),
            Self::Gauge => ConstGauge::new(value).encode(metric),
        }
    }
}

use Kind::Counter;
use Kind::Gauge;

/// A metric of each `T`: its name without prefix and suffix, its meaning, its kind and its value.
type Column<T> = (&'static str, &'static str, Kind, fn(&T) -> f64);

/// A metric with its series.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    series: Vec<(Labels, f64)>,
}

const OF_DISCOVER: &[Column<Discover>] = &[
    (
        "discover_found",
        "Addresses or daemons that a [[discover]] names",
        Gauge,
        |d| d.found as f64,
    ),
    (
        "discover_connected",
        "Of the addresses or daemons that a [[discover]] names, those with a session",
        Gauge,
        |d| d.connected as f64,
    ),
    (
        "discover_answered",
        "1 if the name service has answered the last question of a [[discover]]",
        Gauge,
        |d| f64::from(u8::from(d.error.is_empty())),
    ),
];

const OF_PEERS: &[Column<Peer>] = &[
    ("session_trunks", "Trunks that have carried the session", Counter, |p| {
        p.trunks as f64
    }),
    ("session_resumed", "Outages that the session survived", Counter, |p| {
        p.outages.count as f64
    }),
    (
        "session_resent_frames",
        "Frames sent again after outages",
        Counter,
        |p| p.resent_frames as f64,
    ),
    ("session_resent_bytes", "Bytes sent again after outages", Counter, |p| {
        p.resent_bytes as f64
    }),
    ("session_recv_bytes", "Bytes of signals received", Counter, |p| {
        p.bytes_received as f64
    }),
    ("session_send_bytes", "Bytes of signals sent", Counter, |p| {
        p.bytes_sent as f64
    }),
    ("session_send_pend_bytes", "Bytes that wait for the lanes", Gauge, |p| {
        p.waiting_bytes as f64
    }),
    (
        "session_unacked_bytes",
        "Bytes that the peer has not acknowledged",
        Gauge,
        |p| p.unacknowledged_bytes as f64,
    ),
    (
        "session_kept_bytes",
        "Bytes kept for the peer: they have arrived, and no node has read them",
        Gauge,
        |p| p.kept_bytes as f64,
    ),
    ("session_circuits", "Pairs of nodes with a connection", Gauge, |p| {
        p.circuits as f64
    }),
    ("session_protocol_version", "Version of the protocol", Gauge, |p| {
        f64::from(p.protocol)
    }),
    ("trunk_rtt_seconds", "Round-trip time, smoothed", Gauge, |p| {
        p.round_trip_seconds
    }),
    ("trunk_rtt_min_seconds", "Least round-trip time", Gauge, |p| {
        p.least_round_trip_seconds
    }),
    ("trunk_cwnd_bytes", "Congestion window", Gauge, |p| {
        p.congestion_window_bytes as f64
    }),
    ("trunk_mtu_bytes", "Size of datagrams", Gauge, |p| {
        p.datagram_bytes as f64
    }),
    ("trunk_packets_sent", "QUIC packets sent", Counter, |p| {
        p.packets_sent as f64
    }),
    ("trunk_packets_lost", "QUIC packets lost", Counter, |p| {
        p.packets_lost as f64
    }),
    (
        "trunk_udp_recv_bytes",
        "Bytes of UDP datagrams received",
        Counter,
        |p| p.udp_bytes_received as f64,
    ),
    ("trunk_udp_send_bytes", "Bytes of UDP datagrams sent", Counter, |p| {
        p.udp_bytes_sent as f64
    }),
];

const OF_CIRCUITS: &[Column<Circuit>] = &[
    ("circuit_recv_bytes", "Bytes of signals received", Counter, |c| {
        c.bytes_received as f64
    }),
    ("circuit_send_bytes", "Bytes of signals sent", Counter, |c| {
        c.bytes_sent as f64
    }),
    (
        "circuit_recv_frames",
        "Frames received; small signals share one",
        Counter,
        |c| c.frames_received as f64,
    ),
    (
        "circuit_send_frames",
        "Frames sent; small signals share one",
        Counter,
        |c| c.frames_sent as f64,
    ),
    (
        "circuit_fenced_frames",
        "Frames received that had to wait for others to keep the order",
        Counter,
        |c| c.fenced_frames as f64,
    ),
    (
        "circuit_send_pend_bytes",
        "Bytes from the local node that wait for credit or room",
        Gauge,
        |c| c.waiting_bytes as f64,
    ),
    (
        "circuit_credit_bytes",
        "Bytes that may be sent before the remote node reads more",
        Gauge,
        |c| c.credit_bytes as f64,
    ),
    (
        "circuit_parked_frames",
        "Frames that the local node has not read",
        Gauge,
        |c| c.parked_frames as f64,
    ),
    (
        "circuit_parked_bytes",
        "Bytes that the local node has not read",
        Gauge,
        |c| c.parked_bytes as f64,
    ),
    (
        "circuit_backpressure_seconds",
        "Time during which the local node was not read",
        Counter,
        |c| c.blocked_seconds,
    ),
    (
        "circuit_limited_seconds",
        "Time during which signals waited for the rate of a [[policy]]",
        Counter,
        |c| c.limited_seconds,
    ),
];

const OF_OTHERS: &[Column<Status>] = &[
    (
        "other_circuits",
        "Circuits that have no series of their own",
        Gauge,
        |s| s.other_circuits.count as f64,
    ),
    (
        "other_circuits_recv_bytes",
        "Bytes of signals received by these",
        Gauge,
        |s| s.other_circuits.bytes_received as f64,
    ),
    (
        "other_circuits_send_bytes",
        "Bytes of signals sent by these",
        Gauge,
        |s| s.other_circuits.bytes_sent as f64,
    ),
    (
        "other_circuits_parked_bytes",
        "Bytes that local nodes of these have not read",
        Gauge,
        |s| s.other_circuits.parked_bytes as f64,
    ),
    (
        "other_circuits_backpressure_seconds",
        "Time during which local nodes of these were not read",
        Gauge,
        |s| s.other_circuits.blocked_seconds,
    ),
];

const OF_DAEMON: &[Column<Status>] = &[
    ("uptime_seconds", "How long the daemon has run", Gauge, |s| {
        s.uptime_seconds
    }),
    ("memory_kept_bytes", "Bytes kept for all peers", Gauge, |s| {
        s.memory.used as f64
    }),
    (
        "memory_limit_bytes",
        "Bound of memory_kept_bytes: [gateway] memory",
        Gauge,
        |s| s.memory.limit as f64,
    ),
    ("open_fds", "Open file descriptors", Gauge, |s| s.open_files.used as f64),
    ("max_fds", "Maximum number of open file descriptors", Gauge, |s| {
        s.open_files.limit as f64
    }),
    ("local_nodes", "Nodes of this host", Gauge, |s| s.nodes.len() as f64),
    ("sessions_ended", "Sessions that have ended", Counter, |s| {
        s.sessions_ended as f64
    }),
    (
        "circuits_denied",
        "Connections of nodes that the policy has denied",
        Counter,
        |s| s.circuits_denied as f64,
    ),
    (
        "config_reloads",
        "Configurations that were read again and applied",
        Counter,
        |s| s.reloads.applied as f64,
    ),
    (
        "config_reloads_refused",
        "Configurations with mistakes: nothing was changed",
        Counter,
        |s| s.reloads.refused as f64,
    ),
    (
        "config_last_reload_successful",
        "Whether the last reload was applied",
        Gauge,
        |s| f64::from(u8::from(s.reloads.is_last_applied)),
    ),
    (
        "config_last_reload_success_timestamp_seconds",
        "When the settings in use were read",
        Gauge,
        |s| s.reloads.applied_timestamp_seconds,
    ),
    (
        "log_lines_dropped",
        "Log lines lost since nobody read them fast enough",
        Counter,
        |s| s.log.dropped as f64,
    ),
    (
        "log_lines_suppressed",
        "Log lines suppressed since there were too many of one kind and source",
        Counter,
        |s| s.log.suppressed as f64,
    ),
];

fn columns<T>(table: &[Column<T>], of: &[T], labels: fn(&T) -> Labels) -> Vec<Family> {
    let family = |(name, help, kind, value): &Column<T>| Family {
        name,
        help,
        kind: *kind,
        series: of.iter().map(|one| (labels(one), value(one))).collect(),
    };
    table.iter().map(family).collect()
}

/// All metrics but the histogram.
fn families(status: &Status) -> Vec<Family> {
    let gauge = |name, help, series| Family {
        name,
        help,
        kind: Gauge,
        series,
    };
    let build = vec![
        ("version", status.version.clone()),
        ("name", status.name.clone()),
        ("congestion", status.congestion.clone()),
    ];
    let state = |peer: &Peer| {
        let labelled = STATES.map(|state| {
            let labels = vec![("peer", peer.name.clone()), ("state", state.to_owned())];
            (labels, f64::from(u8::from(peer.state == state)))
        });
        labelled.into_iter()
    };
    let expiry = status.certificates.iter().map(|one| {
        let labels = vec![("whose", one.whose.clone()), ("name", one.name.clone())];
        (labels, one.expires_timestamp_seconds)
    });
    let handshakes = status.handshakes.iter().map(|one| {
        let labels = vec![("direction", one.direction.clone()), ("outcome", one.outcome.clone())];
        (labels, one.count as f64)
    });
    let mut all = vec![
        gauge(
            "build_info",
            "Version, name and congestion control of the daemon",
            vec![(build, 1.0)],
        ),
        gauge(
            "peer_state",
            "1 for the state that the peer has",
            status.peers.iter().flat_map(state).collect(),
        ),
        gauge(
            "certificate_expiry_timestamp_seconds",
            "When a certificate expires",
            expiry.collect(),
        ),
        Family {
            name: "handshakes",
            help: "Connections with peers, by direction and outcome",
            kind: Counter,
            series: handshakes.collect(),
        },
    ];
    all.extend(columns(OF_DAEMON, std::slice::from_ref(status), |_| Vec::new()));
    all.extend(columns(OF_OTHERS, std::slice::from_ref(status), |_| Vec::new()));
    all.extend(columns(OF_DISCOVER, &status.discover, |discover| {
        vec![("source", discover.source.clone())]
    }));
    all.extend(columns(OF_PEERS, &status.peers, |peer| {
        vec![("peer", peer.name.clone())]
    }));
    all.extend(columns(OF_CIRCUITS, &status.circuits, |circuit| {
        vec![
            ("peer", circuit.peer.clone()),
            ("local", circuit.local.clone()),
            ("remote", circuit.remote.clone()),
        ]
    }));
    all.extend(lanes(&status.peers));
    all
}

fn lanes(peers: &[Peer]) -> Vec<Family> {
    let series = |value: fn(&super::status::Lane) -> f64| {
        let of_peer = move |peer: &Peer| {
            let name = peer.name.clone();
            let labels = move |lane: usize| vec![("peer", name.clone()), ("lane", lane.to_string())];
            let lanes = peer.lanes.iter().enumerate();
            lanes.map(|(lane, one)| (labels(lane), value(one))).collect::<Vec<_>>()
        };
        peers.iter().flat_map(of_peer).collect()
    };
    vec![
        Family {
            name: "lane_send_bytes",
            help: "Bytes that entered the lane",
            kind: Counter,
            series: series(|lane| lane.bytes_sent as f64),
        },
        Family {
            name: "lane_send_pend_bytes",
            help: "Bytes that wait for the lane",
            kind: Gauge,
            series: series(|lane| lane.waiting_bytes as f64),
        },
    ]
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Family {
            name,
            help,
            kind,
            series,
        } in families(&self.0)
        {
            let kind_of = match kind {
                Counter => MetricType::Counter,
                Gauge => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(name, help, None, kind_of)?;
            match series.as_slice() {
                [(labels, value)] if labels.is_empty() => kind.encode(*value, metric)?,
                series => {
                    for (labels, value) in series {
                        kind.encode(*value, metric.encode_family(labels)?)?;
                    }
                }
            }
        }
        let help = "Length of the outages that the session survived, in seconds";
        let name = "session_outage_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for peer in &self.0.peers {
            let labels = vec![("peer", peer.name.clone())];
            let mut one = metric.encode_family(&labels)?;
            let outages = &peer.outages;
            let buckets: Vec<(f64, u64)> = outages
                .buckets
                .iter()
                .copied()
                .chain([(f64::INFINITY, rest(outages))])
                .collect();
            one.encode_histogram::<Labels>(outages.seconds, outages.count, &buckets, None)?;
        }
        Ok(())
    }
}

/// How many outages lasted longer than the last bound.
fn rest(outages: &super::status::Outages) -> u64 {
    let bounded: u64 = outages.buckets.iter().map(|(_, count)| count).sum();
    outages.count.saturating_sub(bounded)
}
