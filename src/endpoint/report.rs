use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::session::Report;
use crate::wire::CircuitId;

/// The two nodes of a circuit, by their full names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct Nodes {
    /// The node at this end.
    pub local: Arc<str>,
    /// The node at the other end.
    pub far: Arc<str>,
}

impl Nodes {
    /// The node at this end, and the other one.
    pub fn new(local: &str, far: &str) -> Self {
        Self {
            local: local.into(),
            far: far.into(),
        }
    }
}

/// What a session tells about itself while it runs.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct SessionReport {
    /// The name and version of the peer's software.
    pub software: String,
    /// The version of the protocol.
    pub version: u32,
    /// What its machine tells.
    pub machine: Report,
    /// The nodes of the circuits on which nodes have agreed, and how long the local one was not read.
    pub nodes: FxHashMap<CircuitId, (Nodes, Duration)>,
    /// How many trunks have carried it.
    pub trunks: u64,
    /// The outages that it survived.
    pub outages: Outages,
    /// Its trunks, all together; the path is that of the last one.
    pub trunk: TrunkReport,
}

/// What QUIC tells about the trunks of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct TrunkReport {
    /// Where the peer is.
    pub remote: Option<SocketAddr>,
    /// The smoothed round-trip time.
    pub round_trip: Duration,
    /// The least one that was seen when it was asked for.
    pub least_round_trip: Option<Duration>,
    /// The congestion window in bytes.
    pub window: u64,
    /// The size of datagrams in bytes.
    pub datagram: u16,
    /// The number of packets sent.
    pub packets_sent: u64,
    /// The number of them that were lost.
    pub packets_lost: u64,
    /// The bytes of datagrams sent.
    pub bytes_sent: u64,
    /// The bytes of datagrams received.
    pub bytes_received: u64,
}

impl TrunkReport {
    /// Another trunk has replaced this one: what that tells, with the counters of both.
    #[must_use]
    pub const fn then(self, next: Self) -> Self {
        Self {
            packets_sent: self.packets_sent + next.packets_sent,
            packets_lost: self.packets_lost + next.packets_lost,
            bytes_sent: self.bytes_sent + next.bytes_sent,
            bytes_received: self.bytes_received + next.bytes_received,
            ..next
        }
    }
}

/// The outages that a session survived, by their length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct Outages {
    /// How many.
    pub count: u64,
    /// All together.
    pub total: Duration,
    /// How many were not longer than each of [`Outages::BOUNDS`], and longer than the one before.
    pub buckets: [u64; Self::BOUNDS.len()],
    /// The frames that were sent again after them.
    pub resent_frames: u64,
    /// The bytes that were sent again after them.
    pub resent_bytes: u64,
}

impl Outages {
    /// From a route that changes to the longest that the default grace allows, and beyond.
    pub const BOUNDS: [Duration; 10] = [
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(15),
        Duration::from_secs(60),
    ];

    /// Another one is over.
    pub fn add(&mut self, length: Duration) {
        self.count += 1;
        self.total += length;
        let fits = Self::BOUNDS.iter().position(|bound| length <= *bound);
        if let Some(count) = fits.and_then(|index| self.buckets.get_mut(index)) {
            *count += 1;
        }
    }
}
