use std::time::Duration;

use super::Bounds;
use super::Session;
use super::SessionStats;
use super::bucket::Bucket;
use super::circuit::Circuit;
use super::limits::Paced;
use crate::wire::CircuitId;
use crate::wire::Content;

/// What a session tells about itself while it runs.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct Report {
    /// Its counters.
    pub stats: SessionStats,
    /// Its lanes, in their order.
    pub lanes: Vec<LaneReport>,
    /// Its circuits, in no order.
    pub circuits: Vec<CircuitReport>,
    /// The bytes of signals that were sent and received, with those of circuits that have ended.
    pub bytes_sent: u64,
    /// See `bytes_sent`.
    pub bytes_received: u64,
    /// The bytes that wait for the lanes.
    pub waiting: u64,
    /// The bytes that were sent and that the peer has not acknowledged.
    pub unacknowledged: u64,
    /// The bytes that are kept for the peer.
    pub kept: u64,
}

/// What a session tells about one of its lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct LaneReport {
    /// The bytes of frames that entered it.
    pub bytes_sent: u64,
    /// The bytes of them that wait.
    pub waiting: u64,
}

/// What a session tells about one of its circuits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct CircuitReport {
    /// Its number.
    pub id: CircuitId,
    /// Whether the nodes have agreed.
    pub is_established: bool,
    /// Whether the far node is silent.
    pub is_silent: bool,
    /// The bytes of bodies that were sent.
    pub bytes_sent: u64,
    /// The bytes of bodies that have arrived.
    pub bytes_received: u64,
    /// The number of frames sent.
    pub frames_sent: u64,
    /// The number of frames that have arrived.
    pub frames_received: u64,
    /// The number of them that had to wait for others.
    pub frames_fenced: u64,
    /// The bytes that wait for credit, or for room in the lanes.
    pub waiting: u64,
    /// What may still be sent.
    pub credit: u64,
    /// The frames that have arrived and that the local node has not read.
    pub parked_frames: u64,
    /// Their bytes.
    pub parked: u64,
    /// How much the local node may send, in bytes per second; 0: as much as the peer allows.
    pub send_limit: u64,
    /// How much the far node may send; 0: as much as the local node reads.
    pub receive_limit: u64,
    /// How long signals have waited for the limit.
    pub limited: Duration,
}

impl LaneReport {
    const fn new((entered, carried): (u64, u64)) -> Self {
        Self {
            bytes_sent: entered,
            waiting: entered - carried,
        }
    }
}

impl Session {
    /// What the session tells about itself. It looks at all circuits, so it is for people and monitoring, a few times a second.
    pub fn report(&self) -> Report {
        let circuits: Vec<_> = self.circuits.iter().map(|(id, state)| state.report(*id)).collect();
        let sum = |bytes: fn(&CircuitReport) -> u64| circuits.iter().map(bytes).sum::<u64>();
        let (waiting, unacknowledged) = self.outboxes.waiting_and_kept();
        Report {
            stats: self.stats(),
            lanes: self.outboxes.bytes().map(LaneReport::new).collect(),
            bytes_sent: self.stats.bytes_sent + sum(|circuit| circuit.bytes_sent),
            bytes_received: self.stats.bytes_received + sum(|circuit| circuit.bytes_received),
            waiting,
            unacknowledged,
            kept: self.config.memory.account().kept(),
            circuits,
        }
    }

    /// The frames and bytes that will be sent again, since the peer may not have received them from an earlier trunk.
    pub fn to_send_again(&self) -> (u64, u64) {
        self.outboxes.to_send_again()
    }

    /// Other bounds apply from now on. Credit that was granted stays.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        let Bounds {
            circuit_budget,
            backlog,
            close_deadline,
        } = bounds;
        self.config.circuit_budget = circuit_budget;
        self.config.backlog = backlog;
        self.config.close_deadline = close_deadline;
        self.outboxes.set_limit(backlog);
        self.relieve();
    }
}

impl Circuit {
    pub(super) fn report(&self, id: CircuitId) -> CircuitReport {
        let paced = self.paced.as_deref();
        let limit =
            |which: fn(&Paced) -> Option<&Bucket>| paced.and_then(which).map_or(0, |bucket| bucket.rate().bytes);
        let frames_sent = self.carried.iter().sum();
        let (charged_here, charged_there) = (self.inbound.charged(), self.outbound.charged());
        let waiting = self.waiting.iter().map(|intake| intake.content.cost());
        CircuitReport {
            id,
            is_established: self.agreed.is_some(),
            is_silent: self.quiet.is_there,
            bytes_sent: charged_there.saturating_sub(frames_sent * Content::KEEPING),
            bytes_received: charged_here.saturating_sub(self.frames_received * Content::KEEPING),
            frames_sent,
            frames_received: self.frames_received,
            frames_fenced: self.frames_fenced,
            waiting: waiting.sum(),
            credit: self.outbound.credit(),
            parked_frames: self.inbound.parked(),
            parked: self.inbound.kept(),
            send_limit: limit(|paced| paced.sent.as_ref()),
            receive_limit: limit(|paced| paced.received.as_ref()),
            limited: paced.map_or(Duration::ZERO, Paced::waited),
        }
    }
}
