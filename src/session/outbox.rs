use std::collections::VecDeque;

use bytes::Bytes;
use bytes::BytesMut;
use rustc_hash::FxHashMap;

use super::assignment::Assignment;
use super::assignment::Key;
use crate::codec::Buffers;
use crate::codec::OWN_BUFFER_MIN;
use crate::order::Placed;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::FrameHead;
use crate::wire::LaneId;
use crate::wire::Mark;
use crate::wire::SMALL;
use crate::wire::TURN;

/// A batch handed to QUIC at once: enough to fill many packets, little enough that lanes take turns.
const BATCH: usize = 128 * 1024;

/// A small frame that comes alone to a lane, while so many bytes are in flight on others, is a call beside bulk.
const BULK: u64 = 64 * 1024;

/// Empty queues kept for the next strand that needs one.
const SPARE: usize = 64;

/// What a circuit may have waiting whatever others have, in bytes: so that bulk of one does not stop another.
const RESERVED: u64 = 64 * 1024;

/// What waits to be written to the lanes, and what was written and the peer may not have.
#[derive(Debug)]
pub(super) struct Outboxes {
    outboxes: Vec<Outbox>,
    assignment: Assignment,
    /// Bytes that wait, in all and for each circuit that has any.
    waiting: u64,
    of_circuit: FxHashMap<CircuitId, u64>,
    /// Whether what was sent is kept until the peer has it.
    keeps: bool,
    /// Bytes kept to be sent again.
    kept: u64,
    /// Bound of both together.
    limit: u64,
    /// Calls beside bulk so far.
    calls: u64,
}

impl Outboxes {
    pub(super) fn new(lanes: usize, limit: u64, keeps: bool) -> Self {
        Self {
            keeps,
            outboxes: (0..lanes).map(|_| Outbox::default()).collect(),
            assignment: Assignment::new(lanes),
            waiting: 0,
            of_circuit: FxHashMap::default(),
            kept: 0,
            limit,
            calls: 0,
        }
    }

    /// Whether one more frame of the circuit may wait.
    pub(super) fn has_room(&self, circuit: CircuitId) -> bool {
        self.waiting + self.kept < self.limit || self.of_circuit.get(&circuit).is_none_or(|waiting| *waiting < RESERVED)
    }

    /// How often something small came to a lane of its own while bulk was under way on others.
    pub(super) const fn calls(&self) -> u64 {
        self.calls
    }

    /// Whether nothing waits for the lane but one of these.
    pub(super) fn has_call(&self, lane: LaneId) -> bool {
        let outbox = self.outboxes.get(usize::from(lane));
        outbox.is_some_and(|outbox| outbox.has_call && outbox.sent_again == outbox.sent.len())
    }

    /// How many frames the peer has of all lanes, and whether it has all that were sent.
    pub(super) fn acknowledged_count(&self) -> (u64, bool) {
        let all = self.outboxes.iter();
        all.fold((0, true), |(count, is_all), outbox| {
            (
                count + outbox.acknowledged,
                is_all && outbox.acknowledged == outbox.number,
            )
        })
    }

    /// How many frames a lane has carried.
    pub(super) fn number(&self, lane: LaneId) -> u64 {
        self.outboxes.get(usize::from(lane)).map_or(0, |outbox| outbox.number)
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.outboxes.iter().map(|outbox| outbox.number).collect()
    }

    /// The peer has everything up to `mark` in memory.
    pub(super) fn acknowledged(&mut self, mark: Mark) {
        if let Some(outbox) = self.outboxes.get_mut(usize::from(mark.lane)) {
            let freed = outbox.acknowledge(mark.number);
            self.kept -= freed;
            self.assignment.free(mark.lane, freed);
            self.assignment.received(mark.lane, mark.number);
        }
    }

    /// The trunk is lost: whatever was given to it may have arrived.
    pub(super) fn cut(&mut self) {
        for outbox in &mut self.outboxes {
            outbox.sent_again = outbox.sent.len();
        }
    }

    /// All lanes begin anew, each with the first frame that is kept; the numbers of these frames.
    pub(super) fn rewind(&mut self) -> Vec<u64> {
        self.outboxes.iter_mut().map(Outbox::rewind).collect()
    }

    /// The next frame of each strand may go on any lane.
    #[cfg(test)]
    pub(super) fn change_lanes(&mut self) {
        self.assignment.forget();
    }

    /// Leaves out the first batch of what is to be sent again.
    #[cfg(test)]
    pub(super) fn skip_replay(&mut self) {
        for outbox in &mut self.outboxes {
            outbox.sent_again = outbox.sent.len().min(1);
        }
    }

    /// Appends a frame to its strand, and says which lane will carry it.
    pub(super) fn push(&mut self, placed: &Placed, circuit: CircuitId, content: &Content) -> LaneId {
        let is_small = content.body().len() <= SMALL;
        let lane = self.assignment.lane((circuit, placed.strand), is_small);
        if let Some(outbox) = self.outboxes.get_mut(usize::from(lane)) {
            let length = outbox.push(placed, circuit, content);
            outbox.has_call = is_small && self.waiting + self.kept >= BULK && self.assignment.is_idle(lane);
            self.calls += u64::from(outbox.has_call);
            self.assignment.add(lane, length);
            self.waiting += length;
            *self.of_circuit.entry(circuit).or_default() += length;
        }
        lane
    }

    /// Takes a lane's next batch, or `None` when nothing waits.
    pub(super) fn take(&mut self, lane: LaneId) -> Option<Vec<Bytes>> {
        let outbox = self.outboxes.get_mut(usize::from(lane))?;
        if let Some(again) = outbox.sent.get(outbox.sent_again) {
            outbox.sent_again += 1;
            return Some(again.buffers.clone());
        }
        // What the peer does not acknowledge is not without end.
        if self.kept >= self.limit {
            return None;
        }
        let before = outbox.number;
        outbox.has_call = false;
        let mut batch = Batch::default();
        while batch.length < BATCH
            && let Some(taken) = outbox.take(&mut batch)
        {
            let ((circuit, _), length) = (taken.strand, taken.length as u64);
            if taken.is_last {
                self.assignment.drained(taken.strand, outbox.number);
            }
            self.waiting -= length;
            if let Some(waiting) = self.of_circuit.get_mut(&circuit) {
                *waiting -= length;
                if *waiting == 0 {
                    self.of_circuit.remove(&circuit);
                }
            }
        }
        let length = batch.length as u64;
        if length == 0 {
            return None;
        }
        let buffers = batch.buffers.finish();
        if self.keeps {
            self.kept += length;
            outbox.keep(Sent {
                frames: outbox.number - before,
                length,
                buffers: buffers.clone(),
            });
        } else {
            self.assignment.free(lane, length);
        }
        Some(buffers)
    }
}

/// What a strand gave to a batch.
struct Taken {
    strand: Key,
    length: usize,
    /// Whether nothing of the strand is left.
    is_last: bool,
}

/// A batch that the peer may not have.
#[derive(Debug)]
struct Sent {
    frames: u64,
    length: u64,
    buffers: Vec<Bytes>,
}

/// What waits to be written to one lane: strands of many circuits, which take turns.
#[derive(Debug, Default)]
struct Outbox {
    /// How many frames the lane has carried.
    number: u64,
    /// The last of them that the peer has in memory.
    acknowledged: u64,
    strands: FxHashMap<Key, Queue>,
    /// Those with something to send; the first one has its turn.
    turns: VecDeque<Key>,
    /// Bytes sent in this turn.
    served: usize,
    spare: Vec<Queue>,
    /// The last frame was small and came to an idle lane beside bulk.
    has_call: bool,
    /// Batches kept to be sent again, the oldest first.
    sent: VecDeque<Sent>,
    /// Frames in them.
    sent_frames: u64,
    /// How many of the batches the present trunk was given; all, unless it is new.
    sent_again: usize,
}

impl Outbox {
    /// Appends a frame and says how many bytes it takes.
    fn push(&mut self, placed: &Placed, circuit: CircuitId, content: &Content) -> u64 {
        let key = (circuit, placed.strand);
        let queue = self.strands.entry(key).or_insert_with(|| {
            self.turns.push_back(key);
            self.spare.pop().unwrap_or_default()
        });
        queue.push(&FrameHead {
            circuit,
            strand: placed.strand,
            fences: &placed.fences,
            content,
        })
    }

    fn keep(&mut self, sent: Sent) {
        self.sent_frames += sent.frames;
        self.sent.push_back(sent);
        self.sent_again = self.sent.len();
    }

    /// The peer has everything up to a frame: whole batches need not be kept, but for those that the trunk is still to be
    /// given, whose numbers are promised. Gives their bytes.
    fn acknowledge(&mut self, number: u64) -> u64 {
        self.acknowledged = number.max(self.acknowledged);
        let mut freed = 0;
        while self.sent_again > 0
            && let Some(oldest) = self.sent.front()
            && self.number - self.sent_frames + oldest.frames <= self.acknowledged
        {
            self.sent_frames -= oldest.frames;
            freed += oldest.length;
            self.sent.pop_front();
            self.sent_again -= 1;
        }
        freed
    }

    fn rewind(&mut self) -> u64 {
        self.sent_again = 0;
        self.number - self.sent_frames + 1
    }

    /// Moves the next piece into the batch.
    fn take(&mut self, batch: &mut Batch) -> Option<Taken> {
        let key = *self.turns.front()?;
        let queue = self.strands.get_mut(&key)?;
        let (frames, length) = queue.take(batch);
        self.number += frames;
        self.served += length;
        let is_last = queue.is_empty();
        if is_last || self.served >= TURN {
            self.served = 0;
            self.turns.pop_front();
            if !is_last {
                self.turns.push_back(key);
            } else if let Some(queue) = self.strands.remove(&key)
                && self.spare.len() < SPARE
            {
                self.spare.push(queue);
            }
        }
        Some(Taken {
            strand: key,
            length,
            is_last,
        })
    }
}

/// Frames of one strand that wait, as pieces that end where a frame ends.
#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    small: BytesMut,
    small_frames: u64,
}

#[derive(Debug)]
struct Piece {
    small: Bytes,
    /// The body of its last frame, if that is large.
    large: Option<Bytes>,
    frames: u64,
}

impl Queue {
    fn push(&mut self, head: &FrameHead<'_>) -> u64 {
        let before = self.small.len();
        let body = head.content.body();
        head.encode(&mut self.small);
        self.small_frames += 1;
        let length = self.small.len() - before + body.len();
        if body.len() >= OWN_BUFFER_MIN {
            self.seal(Some(body.clone()));
        } else {
            self.small.extend_from_slice(body);
            if self.small.len() >= TURN {
                self.seal(None);
            }
        }
        length as u64
    }

    fn seal(&mut self, large: Option<Bytes>) {
        self.pieces.push_back(Piece {
            small: self.small.split().freeze(),
            large,
            frames: std::mem::take(&mut self.small_frames),
        });
    }

    fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.small.is_empty()
    }

    /// Moves the first piece into the batch; its frames and its length.
    fn take(&mut self, batch: &mut Batch) -> (u64, usize) {
        let Some(piece) = self.pieces.pop_front() else {
            let length = self.small.len();
            batch.copy(&self.small);
            self.small.clear();
            return (std::mem::take(&mut self.small_frames), length);
        };
        let length = piece.small.len() + piece.large.as_ref().map_or(0, Bytes::len);
        batch.add(piece.small);
        if let Some(large) = piece.large {
            batch.add(large);
        }
        (piece.frames, length)
    }
}

/// What a lane hands to QUIC.
#[derive(Debug, Default)]
struct Batch {
    buffers: Buffers,
    length: usize,
}

impl Batch {
    fn copy(&mut self, bytes: &[u8]) {
        self.buffers.small().extend_from_slice(bytes);
        self.length += bytes.len();
    }

    fn add(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        self.buffers.add(bytes);
    }
}
