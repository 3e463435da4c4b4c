use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use thiserror::Error;

use super::turns::Turns;
use crate::wire::Content;
use crate::wire::FrameId;
use crate::wire::StrandId;

/// Empty queues that a circuit keeps, and for how many frames they may have room.
const SPARE: usize = 16;
const SPARE_FRAMES: usize = 64;

/// Why a peer's frame is refused; it ends the circuit.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InboundError {
    /// A fence on the frame's own strand can never open, or is needless.
    #[error("frame {} of strand {} waits for frame {} of its own strand", frame.number, frame.strand, fence.number)]
    Fence {
        /// The frame.
        frame: FrameId,
        /// What it waits for.
        fence: FrameId,
    },
    /// More bytes than were granted, even with one frame overdrawn.
    #[error("{charged} bytes sent on a credit of {granted}")]
    Credit {
        /// Bytes that arrived.
        charged: u64,
        /// Bytes that were granted.
        granted: u64,
    },
}

#[derive(Debug)]
struct Parked {
    fences: Vec<FrameId>,
    content: Content,
}

/// What is known of one strand. A circuit that has lived for long has all of them, nearly all idle: those are to be small.
#[derive(Debug, Default)]
struct Strand {
    /// Frames that arrived, and frames that were delivered.
    arrived: u64,
    delivered: u64,
    /// What waits; only where something does.
    queue: Option<Box<Queue>>,
    /// Whether the next grant tells how far it was delivered.
    is_news: bool,
}

/// What waits in a strand, and for it.
#[derive(Debug, Default)]
struct Queue {
    parked: VecDeque<Parked>,
    /// Strands whose first frame waits for one of this strand, with its number.
    waiting: Vec<(u64, StrandId)>,
}

/// The machine of the side where signals go out: parked frames, turns between strands, credit.
///
/// A lane is never held up by another circuit or another lane: what must wait waits here, within the credit granted.
#[derive(Debug)]
pub struct Inbound {
    strands: FxHashMap<StrandId, Strand>,
    /// Of strands whose first frame may be deliverable; each at most once.
    turns: Turns,
    /// Strands that were delivered further since the last grant.
    news: Vec<StrandId>,
    /// Empty queues, with the room that they have, for strands that need one next.
    #[expect(clippy::vec_box, reason = "they go into a strand and back as they are")]
    spare: Vec<Box<Queue>>,
    /// Bytes that may be underway or kept.
    window: u64,
    charged: u64,
    written: u64,
    /// `written` when the window last grew.
    written_at_growth: u64,
    granted: u64,
    closing: Option<Vec<FrameId>>,
}

impl Inbound {
    /// A machine whose sender was granted `window` bytes: never more than that is kept, and one frame.
    pub fn new(window: u64) -> Self {
        Self {
            strands: FxHashMap::default(),
            turns: Turns::default(),
            news: Vec::new(),
            spare: Vec::new(),
            window,
            charged: 0,
            written: 0,
            written_at_growth: 0,
            granted: window,
            closing: None,
        }
    }

    /// Takes in the next frame of `strand`; frames of a strand come in order.
    ///
    /// # Errors
    /// If the frame can never be delivered or exceeds the credit; the circuit must end then.
    pub fn accept(&mut self, strand: StrandId, fences: Vec<FrameId>, content: Content) -> Result<(), InboundError> {
        let state = self.strands.entry(strand).or_default();
        state.arrived += 1;
        if let Some(fence) = fences.iter().find(|fence| fence.strand == strand) {
            let number = state.arrived;
            return Err(InboundError::Fence {
                frame: FrameId { strand, number },
                fence: *fence,
            });
        }
        // The sender may overdraw by one frame, and lanes may bring the frames in any order.
        let charged = self.charged + content.cost();
        if charged > self.granted + Content::COST_MAX {
            return Err(InboundError::Credit {
                charged,
                granted: self.granted,
            });
        }
        self.charged = charged;
        let queue = state.queue.get_or_insert_with(|| self.spare.pop().unwrap_or_default());
        if queue.parked.is_empty() {
            self.turns.begin(strand, content.cost());
        }
        queue.parked.push_back(Parked { fences, content });
        Ok(())
    }

    /// The next frame in the order in which the BEAM shall see them; call until `None`. A frame taken is delivered.
    pub fn poll_deliver(&mut self) -> Option<Content> {
        loop {
            let strand = self.turns.next()?;
            let Some(fence) = self.pass_fences(strand) else {
                return self.take(strand);
            };
            // It has its turn again when the frame it waits for is delivered.
            self.turns.skip();
            let awaited = self.strands.entry(fence.strand).or_default();
            let queue = awaited
                .queue
                .get_or_insert_with(|| self.spare.pop().unwrap_or_default());
            queue.waiting.push((fence.number, strand));
        }
    }

    /// Takes away the fences of a strand's first frame that are open, up to the first one that is not.
    fn pass_fences(&mut self, strand: StrandId) -> Option<FrameId> {
        let mut fences = std::mem::take(&mut self.first_of(strand)?.fences);
        while fences.last().is_some_and(|fence| self.is_delivered(fence)) {
            fences.pop();
        }
        let closed = *fences.last()?;
        self.first_of(strand)?.fences = fences;
        Some(closed)
    }

    fn first_of(&mut self, strand: StrandId) -> Option<&mut Parked> {
        let queue = self.strands.get_mut(&strand)?.queue.as_mut()?;
        queue.parked.front_mut()
    }

    fn is_delivered(&self, frame: &FrameId) -> bool {
        let delivered = self.strands.get(&frame.strand).map_or(0, |state| state.delivered);
        delivered >= frame.number
    }

    fn take(&mut self, strand: StrandId) -> Option<Content> {
        let state = self.strands.get_mut(&strand)?;
        let queue = state.queue.as_mut()?;
        let parked = queue.parked.pop_front()?;
        state.delivered += 1;
        if !state.is_news {
            state.is_news = true;
            self.news.push(strand);
        }
        let (has_more, delivered) = (!queue.parked.is_empty(), state.delivered);
        self.turns.took(parked.content.cost(), has_more);
        queue.waiting.retain(|(number, waiting)| {
            let is_over = *number <= delivered;
            if is_over {
                self.turns.wake(*waiting);
            }
            !is_over
        });
        if !has_more && queue.waiting.is_empty() {
            let is_wanted = self.spare.len() < SPARE && queue.parked.capacity() <= SPARE_FRAMES;
            self.spare.extend(state.queue.take().filter(|_| is_wanted));
        }
        Some(parked.content)
    }

    /// Bytes, as [`Content::cost`] counts them, were written to the BEAM: they may be charged anew.
    pub const fn written(&mut self, cost: u64) {
        self.written += cost;
    }

    /// Whether so much was written since the last grant that the sender should hear of it soon: an eighth of the window,
    /// so that it never runs dry on a healthy line and hears seldom enough.
    pub const fn owes_a_grant(&self) -> bool {
        let fresh = (self.written + self.window).saturating_sub(self.granted);
        fresh > 0 && fresh >= self.window / 8
    }

    /// Grants what was written, and says which strands were delivered how far since the last grant.
    ///
    /// The window doubles when a window's worth was written since it last did, up to `most` bytes, and shrinks to `most`:
    /// credit that was given cannot be taken back, so none is given to a BEAM that has not shown that it reads.
    pub fn grant(&mut self, most: u64) -> (u64, Vec<FrameId>) {
        if self.written - self.written_at_growth >= self.window {
            self.written_at_growth = self.written;
            self.window = self.window.saturating_mul(2);
        }
        self.window = self.window.min(most);
        self.granted = self.granted.max(self.written + self.window);
        let mut delivered = Vec::with_capacity(self.news.len());
        for strand in self.news.drain(..) {
            if let Some(state) = self.strands.get_mut(&strand) {
                state.is_news = false;
                delivered.push(FrameId {
                    strand,
                    number: state.delivered,
                });
            }
        }
        (self.granted, delivered)
    }

    /// The next grant tells of every strand: earlier ones may be lost.
    pub fn restate(&mut self) {
        for (strand, state) in &mut self.strands {
            if state.delivered > 0 && !state.is_news {
                state.is_news = true;
                self.news.push(*strand);
            }
        }
    }

    /// Bytes that may be underway or kept.
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// How many strands have something that waits, or room for it.
    #[cfg(test)]
    pub(super) fn queues(&self) -> usize {
        self.strands.values().filter(|strand| strand.queue.is_some()).count()
    }

    /// Bytes kept for the BEAM: arrived and not yet written.
    pub const fn kept(&self) -> u64 {
        self.charged - self.written
    }

    /// The peer closed the circuit: everything up to `last` is still to be delivered.
    pub fn close(&mut self, last: Vec<FrameId>) {
        self.closing = Some(last);
    }

    /// Whether the circuit was closed and everything that was to be delivered has been.
    pub fn is_finished(&self) -> bool {
        self.closing
            .as_ref()
            .is_some_and(|last| last.iter().all(|frame| self.is_delivered(frame)))
    }
}
