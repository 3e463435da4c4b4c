use std::collections::VecDeque;

use bytes::Bytes;
use bytes::BytesMut;
use rustc_hash::FxHashMap;

use super::assignment::Assignment;
use super::assignment::Key;
use super::classes::CLASSES;
use super::classes::Class;
use super::classes::Round;
use super::classes::Shares;
use crate::codec::Buffers;
use crate::codec::OWN_BUFFER_MIN;
use crate::order::Placed;
use crate::router::Priority;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::FrameHead;
use crate::wire::LaneId;
use crate::wire::Mark;
use crate::wire::SMALL;
use crate::wire::TURN;

/// The size of a batch that is handed to QUIC: enough to fill many packets, and small enough that lanes take turns.
const BATCH: usize = 128 * 1024;

/// The minimum amount of bulk data, in bytes. A small frame on an idle lane, while bulk data is in flight on others, is a call.
const BULK: u64 = 64 * 1024;

/// The number of empty queues kept for reuse.
const SPARE: usize = 64;

/// The number of bytes that a circuit may always have waiting, so that bulk data of one circuit does not stop another.
const RESERVED: u64 = 64 * 1024;

/// The data that waits for the lanes, and the data that was sent and that the peer may not have received.
#[derive(Debug)]
pub(super) struct Outboxes {
    outboxes: Vec<Outbox>,
    assignment: Assignment,
    /// The bytes that wait, in total and for each circuit that has any.
    waiting: u64,
    of_circuit: FxHashMap<CircuitId, u64>,
    /// Circuits that have less waiting than is reserved for each, and had more.
    relieved: Vec<CircuitId>,
    /// Whether sent data is kept until the peer has received it.
    keeps: bool,
    /// The bytes kept for retransmission.
    kept: u64,
    /// The limit of both together.
    limit: u64,
    /// The number of calls beside bulk data so far.
    calls: u64,
    /// The priorities of circuits that have another one than usual.
    priorities: FxHashMap<CircuitId, Priority>,
    shares: Shares,
}

impl Outboxes {
    pub(super) fn new(lanes: usize, limit: u64, keeps: bool) -> Self {
        Self {
            keeps,
            outboxes: (0..lanes).map(|_| Outbox::default()).collect(),
            assignment: Assignment::new(lanes),
            waiting: 0,
            of_circuit: FxHashMap::default(),
            relieved: Vec::new(),
            kept: 0,
            limit,
            calls: 0,
            priorities: FxHashMap::default(),
            shares: Shares::default(),
        }
    }

    /// A circuit has this priority from now on, also for what waits.
    pub(super) fn set_priority(&mut self, circuit: CircuitId, priority: Priority) {
        let before = match priority {
            Priority::Normal => self.priorities.remove(&circuit),
            other => self.priorities.insert(circuit, other),
        };
        if before.unwrap_or_default() != priority {
            for outbox in &mut self.outboxes {
                outbox.set_class(circuit, priority as Class, &mut self.shares);
            }
        }
    }

    /// A circuit has ended. What waits keeps its priority.
    pub(super) fn forget_priority(&mut self, circuit: CircuitId) {
        self.priorities.remove(&circuit);
    }

    /// Whether another frame of the circuit may wait.
    pub(super) fn has_room(&self, circuit: CircuitId) -> bool {
        self.has_room_for_all() || self.of_circuit.get(&circuit).is_none_or(|waiting| *waiting < RESERVED)
    }

    /// Whether another frame of any circuit may wait.
    pub(super) const fn has_room_for_all(&self) -> bool {
        self.waiting + self.kept < self.limit
    }

    /// Another limit for what waits and is kept.
    pub(super) const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The bytes that wait for the lanes, and those that the peer may not have received.
    pub(super) const fn waiting_and_kept(&self) -> (u64, u64) {
        (self.waiting, self.kept)
    }

    /// The frames and bytes that the current trunk has yet to be given again.
    pub(super) fn to_send_again(&self) -> (u64, u64) {
        let all = self
            .outboxes
            .iter()
            .flat_map(|outbox| outbox.sent.iter().skip(outbox.sent_again));
        all.fold((0, 0), |(frames, bytes), sent| {
            (frames + sent.frames, bytes + sent.length)
        })
    }

    /// For each lane the bytes that entered it, and those that it has carried.
    pub(super) fn bytes(&self) -> impl Iterator<Item = (u64, u64)> {
        self.outboxes.iter().map(|outbox| (outbox.bytes, outbox.bytes_taken))
    }

    /// The next circuit that has got room since it had as much waiting as is reserved for it.
    pub(super) fn poll_relieved(&mut self) -> Option<CircuitId> {
        self.relieved.pop()
    }

    /// The number of small frames on idle lanes while bulk data was in flight on others.
    pub(super) const fn calls(&self) -> u64 {
        self.calls
    }

    /// Whether such a frame is the only thing that waits for the lane.
    pub(super) fn has_call(&self, lane: LaneId) -> bool {
        let outbox = self.outboxes.get(usize::from(lane));
        outbox.is_some_and(|outbox| outbox.has_call && outbox.sent_again == outbox.sent.len())
    }

    /// The number of frames of all lanes that the peer has received, and whether these are all that were sent.
    pub(super) fn acknowledged_count(&self) -> (u64, bool) {
        let all = self.outboxes.iter();
        all.fold((0, true), |(count, is_all), outbox| {
            (
                count + outbox.acknowledged,
                is_all && outbox.acknowledged == outbox.number,
            )
        })
    }

    /// The number of frames that a lane has carried.
    pub(super) fn number(&self, lane: LaneId) -> u64 {
        self.outboxes.get(usize::from(lane)).map_or(0, |outbox| outbox.number)
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.outboxes.iter().map(|outbox| outbox.number).collect()
    }

    /// The peer has received everything up to `mark`.
    pub(super) fn acknowledged(&mut self, mark: Mark) {
        if let Some(outbox) = self.outboxes.get_mut(usize::from(mark.lane)) {
            let freed = outbox.acknowledge(mark.number);
            self.kept -= freed;
            self.assignment.free(mark.lane, freed);
            self.assignment.received(mark.lane, mark.number);
        }
    }

    /// The trunk is lost: the data given to it may or may not have arrived.
    pub(super) fn cut(&mut self) {
        for outbox in &mut self.outboxes {
            outbox.sent_again = outbox.sent.len();
        }
    }

    /// Restarts all lanes, each with its first kept frame. Returns the numbers of these frames.
    pub(super) fn rewind(&mut self) -> Vec<u64> {
        self.outboxes.iter_mut().map(Outbox::rewind).collect()
    }

    /// Lets the next frame of each strand use any lane.
    #[cfg(test)]
    pub(super) fn change_lanes(&mut self) {
        self.assignment.clear();
    }

    /// Omits the first batch of a retransmission.
    #[cfg(test)]
    pub(super) fn skip_replay(&mut self) {
        for outbox in &mut self.outboxes {
            outbox.sent_again = outbox.sent.len().min(1);
        }
    }

    /// Appends a frame to its strand. Returns the lane that will carry it.
    pub(super) fn push(&mut self, placed: &Placed, circuit: CircuitId, content: &Content) -> LaneId {
        let is_small = content.body().len() <= SMALL;
        let lane = self.assignment.lane((circuit, placed.strand), is_small);
        let class = self.priorities.get(&circuit).copied().unwrap_or_default() as Class;
        if let Some(outbox) = self.outboxes.get_mut(usize::from(lane)) {
            let length = outbox.push(placed, circuit, content, class, &mut self.shares);
            outbox.has_call = is_small && self.waiting + self.kept >= BULK && self.assignment.is_idle(lane);
            self.calls += u64::from(outbox.has_call);
            self.assignment.add(lane, length);
            outbox.bytes += length;
            self.waiting += length;
            *self.of_circuit.entry(circuit).or_default() += length;
        }
        lane
    }

    /// Takes the next batch of a lane; `None` if nothing waits.
    pub(super) fn take(&mut self, lane: LaneId) -> Option<Vec<Bytes>> {
        let outbox = self.outboxes.get_mut(usize::from(lane))?;
        if let Some(again) = outbox.sent.get(outbox.sent_again) {
            outbox.sent_again += 1;
            return Some(again.buffers.clone());
        }
        // The data that the peer has not acknowledged is limited.
        if self.kept >= self.limit {
            return None;
        }
        let before = outbox.number;
        outbox.has_call = false;
        let mut batch = Batch::default();
        while batch.length < BATCH
            && let Some(taken) = outbox.take(&mut batch, &mut self.shares)
        {
            let ((circuit, _), length) = (taken.strand, taken.length as u64);
            if taken.is_last {
                self.assignment.drained(taken.strand, outbox.number);
            }
            self.waiting -= length;
            outbox.bytes_taken += length;
            if let Some(waiting) = self.of_circuit.get_mut(&circuit) {
                let had_room = *waiting < RESERVED;
                *waiting -= length;
                if !had_room && *waiting < RESERVED {
                    self.relieved.push(circuit);
                }
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

/// The part of a batch that comes from one strand.
struct Taken {
    strand: Key,
    length: usize,
    /// Whether the strand has nothing left.
    is_last: bool,
}

/// A batch that the peer may not have received.
#[derive(Debug)]
struct Sent {
    frames: u64,
    length: u64,
    buffers: Vec<Bytes>,
}

/// The data that waits for one lane: strands of many circuits, which take turns.
#[derive(Debug, Default)]
struct Outbox {
    /// The number of frames that the lane has carried.
    number: u64,
    /// The last of these frames that the peer has received.
    acknowledged: u64,
    /// The bytes that have entered, and those that the lane has carried.
    bytes: u64,
    bytes_taken: u64,
    strands: FxHashMap<Key, Queue>,
    /// The strands with something to send, by priority. It is the turn of the first one.
    turns: [VecDeque<Key>; CLASSES],
    round: Round,
    /// The priority that has its turn, and the bytes sent in this turn.
    turn: Option<(Class, usize)>,
    spare: Vec<Queue>,
    /// Whether the last frame was a call: small, on an idle lane, beside bulk data.
    has_call: bool,
    /// The batches kept for retransmission, the oldest first.
    sent: VecDeque<Sent>,
    /// The number of frames in these batches.
    sent_frames: u64,
    /// The number of these batches that the current trunk was given: all, unless it is new.
    sent_again: usize,
}

impl Outbox {
    /// Appends a frame. Returns its length in bytes.
    fn push(
        &mut self,
        placed: &Placed,
        circuit: CircuitId,
        content: &Content,
        class: Class,
        shares: &mut Shares,
    ) -> u64 {
        let key = (circuit, placed.strand);
        let queue = self.strands.entry(key).or_insert_with(|| {
            if let Some(turns) = self.turns.get_mut(class) {
                turns.push_back(key);
            }
            let mut queue = self.spare.pop().unwrap_or_default();
            queue.class = class;
            queue
        });
        let length = queue.push(&FrameHead {
            circuit,
            strand: placed.strand,
            fences: &placed.fences,
            content,
        });
        queue.bytes += length;
        shares.wait(queue.class, length);
        length
    }

    /// The strands of a circuit have this priority from now on.
    fn set_class(&mut self, circuit: CircuitId, class: Class, shares: &mut Shares) {
        self.turn = None;
        let moved = self.strands.iter_mut().filter(|(key, _)| key.0 == circuit);
        for (_, queue) in moved {
            shares.leave(queue.class, queue.bytes);
            shares.wait(class, queue.bytes);
            queue.class = class;
        }
        let mut keys: Vec<Key> = Vec::new();
        for turns in &mut self.turns {
            keys.extend(turns.iter().filter(|key| key.0 == circuit));
            turns.retain(|key| key.0 != circuit);
        }
        if let Some(turns) = self.turns.get_mut(class) {
            turns.extend(keys);
        }
    }

    fn keep(&mut self, sent: Sent) {
        self.sent_frames += sent.frames;
        self.sent.push_back(sent);
        self.sent_again = self.sent.len();
    }

    /// The peer has received everything up to a frame. Removes whole batches, except those that the current trunk has
    /// yet to be given, whose numbers were announced. Returns the number of bytes removed.
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
    fn take(&mut self, batch: &mut Batch, shares: &mut Shares) -> Option<Taken> {
        let turns = &self.turns;
        let has = |class: Class| turns.get(class).is_some_and(|turns| !turns.is_empty()) && !shares.must_wait(class);
        let (class, served) = match self.turn.take().filter(|(class, _)| has(*class)) {
            Some(turn) => turn,
            None => (self.round.next(has)?, 0),
        };
        let turns = self.turns.get_mut(class)?;
        let key = *turns.front()?;
        let queue = self.strands.get_mut(&key)?;
        let (frames, length) = queue.take(batch);
        queue.bytes = queue.bytes.saturating_sub(length as u64);
        shares.take(class, length as u64);
        self.round.took(class, length);
        self.number += frames;
        let is_last = queue.is_empty();
        if !is_last && served + length < TURN {
            self.turn = Some((class, served + length));
        } else {
            turns.pop_front();
            if !is_last {
                turns.push_back(key);
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

/// The waiting frames of one strand, in pieces that end at the end of a frame.
#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    small: BytesMut,
    small_frames: u64,
    /// The priority of the strand, and what waits in bytes.
    class: Class,
    bytes: u64,
}

#[derive(Debug)]
struct Piece {
    small: Bytes,
    /// The body of the last frame, if it is large.
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

    /// Moves the first piece into the batch. Returns its number of frames and its length.
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

/// A batch of a lane for QUIC.
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
