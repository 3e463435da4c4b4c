use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::VecDeque;

use thiserror::Error;

use super::strands::Strands;
use super::turns::Turns;
use crate::wire::Content;
use crate::wire::FrameId;
use crate::wire::StrandId;

/// The number of empty queues that a circuit keeps for reuse, and the maximum capacity of each in frames.
const SPARE: usize = 16;
const SPARE_FRAMES: usize = 64;

/// Why a frame of the peer was rejected. The circuit is closed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InboundError {
    /// A fence on the frame's own strand, which is unnecessary or can never be satisfied.
    #[error("frame {} of strand {} has a fence on frame {} of its own strand", frame.number, frame.strand, fence.number)]
    Fence {
        /// The frame.
        frame: FrameId,
        /// The fence.
        fence: FrameId,
    },
    /// The peer exceeded its credit by more than one frame.
    #[error("credit exceeded: {charged} bytes sent, {granted} granted")]
    Credit {
        /// The number of bytes that arrived.
        charged: u64,
        /// The number of bytes granted.
        granted: u64,
    },
}

#[derive(Debug)]
struct Parked {
    fences: Vec<FrameId>,
    content: Content,
}

/// The state of one strand. A long-lived circuit has used all strands, and nearly all of them are idle, so this must be
/// small.
#[derive(Debug, Default)]
struct Strand {
    /// The number of frames that were delivered.
    delivered: u64,
    /// The frames that wait, if any.
    queue: Option<Box<Queue>>,
    /// Whether the next grant reports how far the strand was delivered.
    is_news: bool,
}

/// The frames that wait in a strand, and the strands that wait for it.
#[derive(Debug, Default)]
struct Queue {
    parked: VecDeque<Parked>,
    /// Strands whose first frame waits for a frame of this strand, with its number. The lowest number is first: all strands may
    /// wait for one frame that has many others before it.
    waiting: BinaryHeap<Reverse<(u64, StrandId)>>,
}

/// The machine on the side where signals leave: it parks frames, takes turns between strands, and grants credit.
///
/// A lane is never blocked by another circuit or another lane. Frames that must wait are parked here, within the credit
/// granted.
#[derive(Debug)]
pub struct Inbound {
    strands: Strands<Strand>,
    /// The strands whose first frame may be deliverable. Each is listed at most once.
    turns: Turns,
    /// The strands that were delivered further since the last grant.
    news: Vec<StrandId>,
    /// Empty queues with their capacity, for strands that need one next.
    #[expect(clippy::vec_box, reason = "boxes move between a strand and this list unchanged")]
    spare: Vec<Box<Queue>>,
    /// The number of bytes that may be in flight or parked.
    window: u64,
    charged: u64,
    written: u64,
    /// The value of `written` when the window last grew.
    written_at_growth: u64,
    /// The number of frames that wait.
    parked: u64,
    granted: u64,
    /// What may be granted in all, and how much more of it is worth telling, if the sender is limited.
    cap: Option<(u64, u64)>,
    /// The bytes in memory of the fences that wait.
    fence_bytes: u64,
    closing: Option<Vec<FrameId>>,
    /// The number of looks at strands that wait for another one.
    #[cfg(test)]
    pub(super) looks: u64,
}

/// The size of a frame's fences in memory.
const fn fence_bytes(fences: &Vec<FrameId>) -> u64 {
    (fences.capacity() * size_of::<FrameId>()) as u64
}

impl Inbound {
    /// Creates a machine whose sender was granted `window` bytes. It never holds more than that and one frame.
    pub fn new(window: u64) -> Self {
        Self {
            strands: Strands::default(),
            turns: Turns::default(),
            news: Vec::new(),
            spare: Vec::new(),
            window,
            charged: 0,
            written: 0,
            written_at_growth: 0,
            parked: 0,
            granted: window,
            cap: None,
            fence_bytes: 0,
            closing: None,
            #[cfg(test)]
            looks: 0,
        }
    }

    /// Accepts the next frame of `strand`. The frames of a strand must arrive in order.
    ///
    /// # Errors
    /// If the frame can never be delivered or exceeds the credit. The circuit must be closed in that case.
    pub fn accept(&mut self, strand: StrandId, mut fences: Vec<FrameId>, content: Content) -> Result<(), InboundError> {
        if let Some(fence) = fences.iter().find(|fence| fence.strand == strand) {
            let state = self.strands.entry(strand);
            let waiting = state.queue.as_ref().map_or(0, |queue| queue.parked.len());
            let number = state.delivered + waiting as u64 + 1;
            return Err(InboundError::Fence {
                frame: FrameId { strand, number },
                fence: *fence,
            });
        }
        // The sender may overdraw by one frame, and lanes may deliver frames in any order.
        if content.cost() > self.may_arrive() {
            return Err(InboundError::Credit {
                charged: self.charged + content.cost(),
                granted: self.granted,
            });
        }
        self.charged += content.cost();
        self.parked += 1;
        if !fences.is_empty() {
            fences.retain(|fence| !self.is_delivered(fence));
            fences.shrink_to_fit();
            self.fence_bytes += fence_bytes(&fences);
        }
        let state = self.strands.entry(strand);
        let queue = state.queue.get_or_insert_with(|| self.spare.pop().unwrap_or_default());
        if queue.parked.is_empty() {
            self.turns.begin(strand, content.cost());
        }
        queue.parked.push_back(Parked { fences, content });
        Ok(())
    }

    /// The next frame in the order in which the BEAM is to receive them. Call it until it returns `None`. The frame
    /// counts as delivered.
    pub fn poll_deliver(&mut self) -> Option<Content> {
        loop {
            let strand = self.turns.next()?;
            let Some(fence) = self.pass_fences(strand) else {
                return self.take(strand);
            };
            // The strand gets a turn again when the frame it waits for is delivered.
            self.turns.skip();
            let awaited = self.strands.entry(fence.strand);
            let queue = awaited
                .queue
                .get_or_insert_with(|| self.spare.pop().unwrap_or_default());
            queue.waiting.push(Reverse((fence.number, strand)));
        }
    }

    /// Removes the satisfied fences of a strand's first frame, up to the first one that is not satisfied.
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
        let queue = self.strands.get_mut(strand)?.queue.as_mut()?;
        queue.parked.front_mut()
    }

    fn is_delivered(&self, frame: &FrameId) -> bool {
        let delivered = self.strands.get(frame.strand).map_or(0, |state| state.delivered);
        delivered >= frame.number
    }

    fn take(&mut self, strand: StrandId) -> Option<Content> {
        let state = self.strands.get_mut(strand)?;
        let queue = state.queue.as_mut()?;
        let parked = queue.parked.pop_front()?;
        state.delivered += 1;
        self.parked -= 1;
        self.fence_bytes -= fence_bytes(&parked.fences);
        if !state.is_news {
            state.is_news = true;
            self.news.push(strand);
        }
        let (has_more, delivered) = (!queue.parked.is_empty(), state.delivered);
        self.turns.took(parked.content.cost(), has_more);
        while let Some(&Reverse((number, waiting))) = queue.waiting.peek() {
            #[cfg(test)]
            {
                self.looks += 1;
            }
            if number > delivered {
                break;
            }
            queue.waiting.pop();
            self.turns.wake(waiting);
        }
        if !has_more && queue.waiting.is_empty() {
            let is_wanted = self.spare.len() < SPARE && queue.parked.capacity() <= SPARE_FRAMES;
            self.spare.extend(state.queue.take().filter(|_| is_wanted));
        }
        Some(parked.content)
    }

    /// Bytes, as counted by [`Content::cost`], were written to the BEAM. They can be granted again.
    pub const fn written(&mut self, cost: u64) {
        self.written += cost;
    }

    /// Whether enough was written since the last grant that the sender should be told soon: an eighth of the window. So
    /// the sender does not run out of credit on a healthy network path, and grants are rare.
    pub const fn owes_a_grant(&self) -> bool {
        let fresh = self.grantable().saturating_sub(self.granted);
        let worth = match self.cap {
            Some((_, step)) if step < self.window / 8 => step,
            _ => self.window / 8,
        };
        fresh > 0 && fresh >= worth
    }

    /// What may be granted in all.
    const fn grantable(&self) -> u64 {
        let wanted = self.written + self.window;
        match self.cap {
            Some((most, _)) if most < wanted => most,
            _ => wanted,
        }
    }

    /// Limits what is granted in all to `most` bytes from now on, of which `step` more are worth telling the sender; or no longer.
    pub const fn cap(&mut self, cap: Option<(u64, u64)>) {
        self.cap = cap;
    }

    /// The number of bytes that were granted and have not arrived.
    pub const fn granted_ahead(&self) -> u64 {
        self.granted.saturating_sub(self.charged)
    }

    /// Grants what was written, and reports how far each strand was delivered since the last grant.
    ///
    /// The window doubles each time a full window has been written, up to `most` bytes, and shrinks to `most`. Credit
    /// cannot be revoked, so a BEAM gets more only after it has shown that it reads.
    pub fn grant(&mut self, most: u64) -> (u64, Vec<FrameId>) {
        if self.written - self.written_at_growth >= self.window {
            self.written_at_growth = self.written;
            self.window = self.window.saturating_mul(2);
        }
        self.window = self.window.min(most);
        self.granted = self.granted.max(self.grantable());
        let mut delivered = Vec::with_capacity(self.news.len());
        for strand in self.news.drain(..) {
            if let Some(state) = self.strands.get_mut(strand) {
                state.is_news = false;
                delivered.push(FrameId {
                    strand,
                    number: state.delivered,
                });
            }
        }
        (self.granted, delivered)
    }

    /// Makes the next grant report all strands, because any earlier grant may be lost.
    pub fn restate(&mut self) {
        for (strand, state) in self.strands.iter_mut() {
            if state.delivered > 0 && !state.is_news {
                state.is_news = true;
                self.news.push(strand);
            }
        }
    }

    /// Makes the next grant report a strand, because the one that did may be lost.
    pub fn restate_strand(&mut self, strand: StrandId) {
        if let Some(state) = self.strands.get_mut(strand)
            && !state.is_news
        {
            state.is_news = true;
            self.news.push(strand);
        }
    }

    /// The number of bytes that may be in flight or parked.
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// The number of strands that have waiting frames, or capacity for them.
    #[cfg(test)]
    pub(super) fn queues(&self) -> usize {
        self.strands.iter().filter(|(_, strand)| strand.queue.is_some()).count()
    }

    /// The number of bytes that arrived and have not been written to the BEAM.
    pub const fn kept(&self) -> u64 {
        self.charged - self.written
    }

    /// The number of bytes that have arrived, as counted by [`Content::cost`].
    pub const fn charged(&self) -> u64 {
        self.charged
    }

    /// The number of frames that wait here.
    pub const fn parked(&self) -> u64 {
        self.parked
    }

    /// The number of bytes that may still arrive, as counted by [`Content::cost`].
    pub const fn may_arrive(&self) -> u64 {
        (self.granted + Content::COST_MAX).saturating_sub(self.charged)
    }

    /// The bytes in memory of the fences that wait. No credit is charged for them.
    pub const fn fence_bytes(&self) -> u64 {
        self.fence_bytes
    }

    /// The memory of the table of strands in bytes.
    pub const fn table_bytes(&self) -> u64 {
        self.strands.bytes()
    }

    /// Allows up to `window` bytes in flight or parked, if it is more than now.
    pub fn widen(&mut self, window: u64) {
        self.window = self.window.max(window);
    }

    /// The peer closed the circuit. Everything up to `last` must still be delivered.
    pub fn close(&mut self, last: Vec<FrameId>) {
        self.closing = Some(last);
    }

    /// Whether the circuit was closed and everything has been delivered.
    pub fn is_complete(&self) -> bool {
        self.closing
            .as_ref()
            .is_some_and(|last| last.iter().all(|frame| self.is_delivered(frame)))
    }
}
