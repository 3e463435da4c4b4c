use std::collections::VecDeque;

use crate::wire;
use crate::wire::StrandId;

/// The number of bytes that a strand may send in one turn.
const TURN: u64 = wire::TURN as u64;

/// A frame of at most this cost may overtake other strands if no frame of its own strand waits.
const SMALL: u64 = wire::SMALL as u64;

/// Schedules the strands of a circuit that have frames: round robin, with small frames of otherwise idle strands first.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Strands that were idle and now have a small frame. One frame of each goes first, up to [`TURN`] bytes for
    /// each frame of the others, so that a constant stream of calls does not stop bulk transfers.
    ahead: VecDeque<StrandId>,
    others: VecDeque<StrandId>,
    /// The cost of the frames that went first since the last frame of another strand.
    passed: u64,
    /// The cost of the frames of the first other strand in its current turn.
    served: u64,
}

impl Turns {
    /// An idle strand has a frame of this cost.
    pub(super) fn begin(&mut self, strand: StrandId, cost: u64) {
        let turns = if cost <= SMALL {
            &mut self.ahead
        } else {
            &mut self.others
        };
        turns.push_back(strand);
    }

    /// A strand may take turns again: the frame it waited for was delivered.
    pub(super) fn wake(&mut self, strand: StrandId) {
        self.others.push_back(strand);
    }

    /// The strand whose turn it is, until [`Turns::took`] or [`Turns::skip`].
    pub(super) fn next(&self) -> Option<StrandId> {
        let turns = if self.goes_ahead() { &self.ahead } else { &self.others };
        turns.front().copied()
    }

    fn goes_ahead(&self) -> bool {
        !self.ahead.is_empty() && (self.passed < TURN || self.others.is_empty())
    }

    /// The first frame of the current strand was taken, and had this cost.
    pub(super) fn took(&mut self, cost: u64, has_more: bool) {
        if self.goes_ahead() {
            self.passed += cost;
            let strand = self.ahead.pop_front();
            self.others.extend(strand.filter(|_| has_more));
            return;
        }
        self.passed = 0;
        self.served += cost;
        if !has_more || self.served >= TURN {
            self.served = 0;
            let strand = self.others.pop_front();
            self.others.extend(strand.filter(|_| has_more));
        }
    }

    /// The current strand must wait for another one. It gets no turn until it is woken.
    pub(super) fn skip(&mut self) {
        if self.goes_ahead() {
            self.ahead.pop_front();
        } else {
            self.served = 0;
            self.others.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BULK: u64 = 64 * 1024;

    /// The next `count` turns if every strand has more of what it started with.
    fn order(turns: &mut Turns, count: usize, cost: impl Fn(StrandId) -> u64) -> Vec<StrandId> {
        (0..count)
            .map(|_| {
                let strand = turns.next().unwrap();
                turns.took(cost(strand), true);
                strand
            })
            .collect()
    }

    #[test]
    fn strands_take_turns() {
        let mut turns = Turns::default();
        turns.begin(1, BULK);
        turns.begin(2, TURN / 2);
        turns.begin(3, BULK);
        let cost = |strand| if strand == 2 { TURN / 2 } else { BULK };
        assert_eq!(order(&mut turns, 8, cost), [1, 2, 2, 3, 1, 2, 2, 3]);
    }

    #[test]
    fn what_is_small_and_alone_goes_ahead_once() {
        let mut turns = Turns::default();
        turns.begin(1, BULK);
        turns.begin(2, BULK);
        turns.begin(3, SMALL);
        turns.begin(4, SMALL + 1);
        assert_eq!(order(&mut turns, 6, |_| BULK), [3, 1, 2, 4, 3, 1]);
        turns.begin(5, 100);
        turns.skip();
        assert_eq!(order(&mut turns, 2, |_| BULK), [2, 4], "5 waits for another");
        turns.wake(5);
        assert_eq!(order(&mut turns, 4, |_| BULK), [3, 1, 2, 4]);
        assert_eq!(turns.next(), Some(5));
    }

    #[test]
    fn calls_without_end_do_not_stop_bulk() {
        let mut turns = Turns::default();
        turns.begin(1, BULK);
        let mut frames = 0;
        for call in 2..102 {
            turns.begin(call, SMALL);
            let is_bulk = turns.next() == Some(1);
            frames += u64::from(is_bulk);
            turns.took(if is_bulk { BULK } else { SMALL }, is_bulk);
        }
        assert_eq!(frames, 100 / (TURN / SMALL + 1));
        assert_eq!(Turns::default().next(), None);
    }
}
