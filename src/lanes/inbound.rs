use std::collections::VecDeque;

use thiserror::Error;

use crate::wire::Content;
use crate::wire::Fence;
use crate::wire::LaneId;
use crate::wire::Mark;

/// Bytes taken from one lane before the next has its turn: a full fragment never makes others wait for a second one.
const QUANTUM: u64 = 16 * 1024;

/// Why a peer's frame is refused; it ends the circuit.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InboundError {
    /// A fence that can never open: on the frame's own lane, or on one that the session does not have.
    #[error("frame {number} of lane {lane} waits for frame {} of lane {}, which cannot come before it", fence.number, fence.lane)]
    Fence {
        /// The frame's lane.
        lane: LaneId,
        /// The frame's number.
        number: u64,
        /// What it waits for.
        fence: Fence,
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
    number: u64,
    fences: Vec<Fence>,
    content: Content,
}

/// The machine of the side where signals go out: parked frames, turns between lanes, credit.
///
/// A lane is never held up by another circuit or another lane: what must wait waits here, within the credit granted.
#[derive(Debug)]
pub struct Inbound {
    queues: Vec<VecDeque<Parked>>,
    /// Bit l: lane l has a frame queued.
    occupied: u64,
    delivered: Vec<u64>,
    turn: LaneId,
    /// Cost of the frames delivered in this turn.
    served: u64,
    /// Bytes that may be underway or kept.
    window: u64,
    charged: u64,
    written: u64,
    /// `written` when the window last grew.
    written_at_growth: u64,
    granted: u64,
    closing: Option<Vec<Mark>>,
}

impl Inbound {
    /// A machine for `lanes` lanes whose sender was granted `window` bytes: never more than that is kept, and one
    /// frame.
    pub fn new(lanes: u8, window: u64) -> Self {
        Self {
            queues: (0..lanes).map(|_| VecDeque::new()).collect(),
            occupied: 0,
            delivered: vec![0; usize::from(lanes)],
            turn: 0,
            served: 0,
            window,
            charged: 0,
            written: 0,
            written_at_growth: 0,
            granted: window,
            closing: None,
        }
    }

    /// Takes in frame `number` of `lane`; frames of a lane come in order.
    ///
    /// # Errors
    /// If the frame can never be delivered or exceeds the credit; the circuit must end then.
    pub fn accept(
        &mut self,
        lane: LaneId,
        number: u64,
        fences: Vec<Fence>,
        content: Content,
    ) -> Result<(), InboundError> {
        let lanes = self.queues.len();
        if let Some(fence) = fences
            .iter()
            .find(|fence| fence.lane == lane || usize::from(fence.lane) >= lanes)
        {
            return Err(InboundError::Fence {
                lane,
                number,
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
        if let Some(queue) = self.queues.get_mut(usize::from(lane)) {
            queue.push_back(Parked {
                number,
                fences,
                content,
            });
            self.occupied |= 1 << lane;
        }
        Ok(())
    }

    /// The next frame in the order in which the BEAM shall see them; call until `None`. A frame taken is delivered.
    pub fn poll_deliver(&mut self) -> Option<(LaneId, Content)> {
        let lanes = self.queues.len() as u8;
        // One more than there are lanes: the first look may only find that the turn is over.
        for _ in 0..=lanes {
            if self.served < QUANTUM
                && let Some(content) = self.take(self.turn)
            {
                self.served += content.cost();
                return Some((self.turn, content));
            }
            self.served = 0;
            self.turn = self.next_occupied()?;
        }
        None
    }

    /// The next lane after the current turn that has a frame queued, the current one last.
    fn next_occupied(&self) -> Option<LaneId> {
        if self.occupied == 0 {
            return None;
        }
        let start = u32::from(self.turn) + 1;
        Some(((self.occupied.rotate_right(start).trailing_zeros() + start) % u64::BITS) as LaneId)
    }

    fn take(&mut self, lane: LaneId) -> Option<Content> {
        let queue = self.queues.get_mut(usize::from(lane))?;
        let delivered = &self.delivered;
        let open = |fence: &Fence| {
            delivered
                .get(usize::from(fence.lane))
                .is_some_and(|number| *number >= fence.number)
        };
        if !queue.front()?.fences.iter().all(open) {
            return None;
        }
        let parked = queue.pop_front()?;
        if queue.is_empty() {
            self.occupied &= !(1 << lane);
        }
        if let Some(number) = self.delivered.get_mut(usize::from(lane)) {
            *number = parked.number;
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

    /// Grants what was written, and says how far each lane of the circuit was delivered.
    ///
    /// The window doubles when a window's worth was written since it last did, up to `most` bytes, and shrinks to `most`:
    /// credit that was given cannot be taken back, so none is given to a BEAM that has not shown that it reads.
    pub fn grant(&mut self, most: u64) -> (u64, Vec<Mark>) {
        if self.written - self.written_at_growth >= self.window {
            self.written_at_growth = self.written;
            self.window = self.window.saturating_mul(2);
        }
        self.window = self.window.min(most);
        self.granted = self.granted.max(self.written + self.window);
        let marks = (0..).zip(&self.delivered).filter(|(_, number)| **number > 0);
        (
            self.granted,
            marks.map(|(lane, number)| Mark { lane, number: *number }).collect(),
        )
    }

    /// Bytes that may be underway or kept.
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// Bytes kept for the BEAM: arrived and not yet written.
    pub const fn kept(&self) -> u64 {
        self.charged - self.written
    }

    /// The peer closed the circuit: everything up to `last` is still to be delivered.
    pub fn close(&mut self, last: Vec<Mark>) {
        self.closing = Some(last);
    }

    /// Whether the circuit was closed and everything that was to be delivered has been.
    pub fn is_finished(&self) -> bool {
        self.closing.as_ref().is_some_and(|last| {
            last.iter().all(|mark| {
                self.delivered
                    .get(usize::from(mark.lane))
                    .is_none_or(|number| *number >= mark.number)
            })
        })
    }
}
