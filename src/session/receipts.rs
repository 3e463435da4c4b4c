use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use super::circuit::Circuit;
use crate::wire::CircuitId;
use crate::wire::LaneId;
use crate::wire::Mark;
use crate::wire::Progress;
use crate::wire::StrandId;

/// What the next receipt reports: the frames that arrived, and the circuits that made progress.
///
/// A receipt restates totals, and it is written only when the control stream accepts it. So a peer that does not read
/// gets one receipt, not thousands.
#[derive(Debug)]
pub(super) struct Receipts {
    delay: Duration,
    /// Per lane: the number of frames that arrived.
    received: Vec<u64>,
    /// Per lane: the next frame on its stream. It is lower than the number of received frames while a trunk
    /// retransmits.
    next: Vec<u64>,
    owing: Vec<CircuitId>,
    due: Option<Instant>,
    is_due: bool,
}

impl Receipts {
    pub(super) fn new(lanes: usize, delay: Duration) -> Self {
        Self {
            delay,
            received: vec![0; lanes],
            next: vec![1; lanes],
            owing: Vec::new(),
            due: None,
            is_due: false,
        }
    }

    /// The stream of a lane begins with frame `first`. Returns `None` if there is no such lane, and `Some(false)` if
    /// frames are missing.
    pub(super) fn begin(&mut self, lane: LaneId, first: u64) -> Option<bool> {
        let next = self.next.get_mut(usize::from(lane))?;
        let received = self.received.get(usize::from(lane))?;
        *next = first;
        Some((1..=received + 1).contains(&first))
    }

    /// A frame has arrived. Returns whether it is new, or `None` if there is no such lane.
    pub(super) fn frame(&mut self, lane: LaneId, now: Instant) -> Option<bool> {
        let received = self.received.get_mut(usize::from(lane))?;
        let next = self.next.get_mut(usize::from(lane))?;
        let number = *next;
        *next += 1;
        let is_new = number > *received;
        *received = number.max(*received);
        self.hurry(now, false);
        Some(is_new)
    }

    pub(super) fn received(&self) -> &[u64] {
        &self.received
    }

    pub(super) fn marks(&self) -> Vec<Mark> {
        let received = (0..).zip(&self.received).filter(|(_, number)| **number > 0);
        received.map(|(lane, number)| Mark { lane, number: *number }).collect()
    }

    /// Makes the next receipt include this circuit.
    pub(super) fn owe(&mut self, circuit: CircuitId, state: &mut Circuit) {
        if !state.owes {
            state.owes = true;
            self.owing.push(circuit);
        }
    }

    /// There is something to report: at once, or after a delay that lets others join.
    pub(super) fn hurry(&mut self, now: Instant, at_once: bool) {
        self.due = Some(match self.due {
            Some(due) if at_once => due.min(now),
            Some(due) => due,
            None if at_once => now,
            None => now + self.delay,
        });
    }

    /// Makes the next receipt due at once, even if there is nothing new.
    pub(super) fn restate(&mut self) {
        self.is_due = true;
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.is_due = true;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The circuits to report, if a receipt is due.
    pub(super) fn take(&mut self) -> Option<Vec<CircuitId>> {
        if !std::mem::take(&mut self.is_due) {
            return None;
        }
        self.due = None;
        Some(std::mem::take(&mut self.owing))
    }
}

/// The strands that receipts have reported on this trunk, until the peer is known to have read those receipts: what must be
/// reported again on the next trunk.
///
/// Receipts have no numbers. But the peer acknowledges other notices, which it reads in the same order. So now and then one is
/// sent that does nothing, a *checkpoint*.
#[derive(Debug)]
pub(super) struct Unread {
    told: VecDeque<(CircuitId, StrandId)>,
    /// There were too many to remember: any strand may have to be reported again.
    is_any: bool,
    checkpoint: Option<Checkpoint>,
    /// The number of strands after which a checkpoint is sent, and the number that is remembered.
    pub(super) limits: (usize, usize),
}

/// A notice that the peer has not acknowledged.
#[derive(Debug)]
struct Checkpoint {
    number: u64,
    /// The number of strands that were reported before it and are remembered.
    told: usize,
    /// Whether everything that is not remembered was reported before it.
    covers_any: bool,
}

impl Default for Unread {
    fn default() -> Self {
        Self {
            told: VecDeque::new(),
            is_any: false,
            checkpoint: None,
            limits: (1024, 32 * 1024),
        }
    }
}

impl Unread {
    /// A receipt reports this.
    pub(super) fn tell(&mut self, progress: &Progress) {
        if self.told.len() + progress.delivered.len() > self.limits.1 {
            self.told.clear();
            self.is_any = true;
            if let Some(checkpoint) = &mut self.checkpoint {
                checkpoint.told = 0;
                checkpoint.covers_any = false;
            }
            return;
        }
        let strands = progress.delivered.iter().map(|frame| (progress.circuit, frame.strand));
        self.told.extend(strands);
    }

    /// Whether a checkpoint is to be sent.
    pub(super) fn wants_checkpoint(&self) -> bool {
        self.checkpoint.is_none() && (self.is_any || self.told.len() >= self.limits.0)
    }

    /// The notice of this number was sent as a checkpoint.
    pub(super) fn sent_checkpoint(&mut self, number: u64) {
        self.checkpoint = Some(Checkpoint {
            number,
            told: self.told.len(),
            covers_any: self.is_any,
        });
    }

    /// The peer has read all notices up to this one.
    pub(super) fn acknowledged(&mut self, number: u64) {
        if let Some(checkpoint) = self.checkpoint.take_if(|checkpoint| checkpoint.number <= number) {
            self.told.drain(..checkpoint.told);
            self.is_any &= !checkpoint.covers_any;
        }
    }

    /// The trunk is lost. Returns the strands that the peer may not have heard of; `None` if these may be any.
    pub(super) fn take(&mut self) -> Option<VecDeque<(CircuitId, StrandId)>> {
        self.checkpoint = None;
        let told = std::mem::take(&mut self.told);
        (!std::mem::take(&mut self.is_any)).then_some(told)
    }
}
