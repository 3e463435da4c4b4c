use bytes::Bytes;
use bytes::BytesMut;

use crate::lanes::Placed;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::Fence;
use crate::wire::FrameHead;
use crate::wire::LaneId;
use crate::wire::Mark;

/// From this size on a body travels as its own buffer; below, copying it beside its neighbours is cheaper than the
/// bookkeeping of one more buffer in QUIC's send queue, which is walked for each packet.
const OWN_BUFFER_MIN: usize = 8 * 1024;

/// A batch handed to QUIC at once: enough to fill many packets, little enough that lanes take turns.
const BATCH: usize = 128 * 1024;

/// What waits to be written to the lanes.
#[derive(Debug)]
pub(super) struct Outboxes {
    outboxes: Vec<Outbox>,
    /// Bytes that wait, and how many may.
    waiting: u64,
    limit: u64,
}

impl Outboxes {
    pub(super) fn new(lanes: usize, limit: u64) -> Self {
        Self {
            outboxes: (0..lanes).map(|_| Outbox::default()).collect(),
            waiting: 0,
            limit,
        }
    }

    /// Whether one more frame may wait.
    pub(super) const fn has_room(&self) -> bool {
        self.waiting < self.limit
    }

    /// The number of a lane's last frame.
    pub(super) fn number(&self, lane: LaneId) -> u64 {
        self.outboxes.get(usize::from(lane)).map_or(0, |outbox| outbox.number)
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.outboxes.iter().map(|outbox| outbox.number).collect()
    }

    /// The peer has everything up to `mark` in memory.
    pub(super) fn acknowledged(&mut self, mark: Mark) {
        if let Some(outbox) = self.outboxes.get_mut(usize::from(mark.lane)) {
            outbox.acknowledged = mark.number.max(outbox.acknowledged);
        }
    }

    /// Appends a frame to its lane; its number is now that of the lane.
    pub(super) fn push(&mut self, placed: &Placed, circuit: CircuitId, content: &Content) {
        if let Some(outbox) = self.outboxes.get_mut(usize::from(placed.lane)) {
            self.waiting += outbox.push(circuit, &placed.fences, content);
        }
    }

    /// Takes a lane's next batch, or `None` when nothing waits.
    pub(super) fn take(&mut self, lane: LaneId) -> Option<Vec<Bytes>> {
        let (batch, length) = self.outboxes.get_mut(usize::from(lane))?.take()?;
        self.waiting -= length;
        Some(batch)
    }
}

/// What waits to be written to one lane.
#[derive(Debug, Default)]
struct Outbox {
    /// The number of the last frame.
    number: u64,
    /// The last number that the peer has in memory.
    acknowledged: u64,
    small: BytesMut,
    ready: std::collections::VecDeque<Bytes>,
}

impl Outbox {
    /// Appends a frame and says how many bytes it took.
    fn push(&mut self, circuit: CircuitId, fences: &[Fence], content: &Content) -> u64 {
        self.number += 1;
        let before = self.small.len();
        let head = FrameHead {
            circuit,
            fences,
            content,
        };
        head.encode(&mut self.small);
        let body = content.body();
        let length = self.small.len() - before + body.len();
        if body.len() < OWN_BUFFER_MIN {
            self.small.extend_from_slice(body);
            if self.small.len() >= BATCH {
                self.seal();
            }
        } else {
            self.seal();
            self.ready.push_back(body.clone());
        }
        length as u64
    }

    fn seal(&mut self) {
        if !self.small.is_empty() {
            self.ready.push_back(self.small.split().freeze());
        }
    }

    /// The next batch and its length in bytes.
    fn take(&mut self) -> Option<(Vec<Bytes>, u64)> {
        if self.ready.is_empty() {
            self.seal();
        }
        let mut batch = Vec::new();
        let mut length = 0;
        while length < BATCH
            && let Some(bytes) = self.ready.pop_front()
        {
            length += bytes.len();
            batch.push(bytes);
            if self.ready.is_empty() {
                self.seal();
            }
        }
        (!batch.is_empty()).then_some((batch, length as u64))
    }
}
