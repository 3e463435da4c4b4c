use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::lanes::lane_of;
use crate::wire::CircuitId;
use crate::wire::LaneId;
use crate::wire::StrandId;

/// A strand of the session.
pub(super) type Key = (CircuitId, StrandId);

/// Which lane carries which strand: the least busy one when it begins to send, and then the same until the peer has all
/// of it. So a small call rarely waits behind bulk for what the network lost of it, however few lanes there are.
#[derive(Debug)]
pub(super) struct Assignment {
    lanes: Vec<Lane>,
    /// The strands of which the peer does not have everything.
    strands: FxHashMap<Key, Assigned>,
}

#[derive(Debug, Default)]
struct Lane {
    /// Bytes that wait for it, or that the peer may not have.
    load: u64,
    /// Strands that had nothing more to send, with the number that their last frame has on the lane; in this order.
    drained: VecDeque<(u64, Key)>,
}

#[derive(Clone, Copy, Debug)]
struct Assigned {
    lane: LaneId,
    /// The number on the lane of its last frame; none while frames wait.
    last: Option<u64>,
}

impl Assignment {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            strands: FxHashMap::default(),
        }
    }

    /// The lane of a strand's next frame.
    pub(super) fn lane(&mut self, strand: Key) -> LaneId {
        if let Some(assigned) = self.strands.get_mut(&strand) {
            assigned.last = None;
            return assigned.lane;
        }
        let lane = self.least_busy(strand.1);
        self.strands.insert(strand, Assigned { lane, last: None });
        lane
    }

    /// Where nothing is under way each strand has a lane of its own, so that they spread.
    fn least_busy(&self, strand: StrandId) -> LaneId {
        let own = lane_of(strand, self.lanes.len() as u8);
        let lanes = (0..).zip(&self.lanes);
        let least = lanes.min_by_key(|(lane, state)| (state.load, *lane != own));
        least.map_or(own, |(lane, _)| lane)
    }

    /// Whether nothing is under way on a lane.
    pub(super) fn is_idle(&self, lane: LaneId) -> bool {
        self.lanes.get(usize::from(lane)).is_none_or(|state| state.load == 0)
    }

    /// Bytes were added to a lane.
    pub(super) fn add(&mut self, lane: LaneId, bytes: u64) {
        if let Some(state) = self.lanes.get_mut(usize::from(lane)) {
            state.load += bytes;
        }
    }

    /// The peer has bytes of a lane, or nobody will know when it does.
    pub(super) fn free(&mut self, lane: LaneId, bytes: u64) {
        if let Some(state) = self.lanes.get_mut(usize::from(lane)) {
            state.load -= bytes;
        }
    }

    /// Nothing of the strand waits any more; the last frame that its lane was given has this number there.
    pub(super) fn drained(&mut self, strand: Key, number: u64) {
        if let Some(assigned) = self.strands.get_mut(&strand) {
            assigned.last = Some(number);
            if let Some(state) = self.lanes.get_mut(usize::from(assigned.lane)) {
                state.drained.push_back((number, strand));
            }
        }
    }

    /// The peer has everything of a lane up to the frame of this number.
    pub(super) fn received(&mut self, lane: LaneId, number: u64) {
        let Some(state) = self.lanes.get_mut(usize::from(lane)) else {
            return;
        };
        while let Some(&(last, strand)) = state.drained.front()
            && last <= number
        {
            state.drained.pop_front();
            let is_all = |assigned: &Assigned| assigned.last == Some(last);
            if self.strands.get(&strand).is_some_and(is_all) {
                self.strands.remove(&strand);
            }
        }
    }

    /// Strands change lanes although the peer does not have all of them.
    #[cfg(test)]
    pub(super) fn forget(&mut self) {
        self.strands.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn strand(number: StrandId) -> Key {
        (CircuitId(1), number)
    }

    /// Bulk of strand 3, of which the peer has nothing.
    fn beside_bulk() -> Assignment {
        let mut assignment = Assignment::new(4);
        let lane = assignment.lane(strand(3));
        assignment.add(lane, 256_000);
        assignment
    }

    #[test]
    fn strands_spread_while_nothing_is_under_way() {
        let mut assignment = Assignment::new(4);
        let lanes: Vec<_> = (0..8).map(|number| assignment.lane(strand(number))).collect();
        assert_eq!(lanes, [0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn a_strand_keeps_away_from_bulk() {
        let mut assignment = beside_bulk();
        for number in 0..100 {
            assert_ne!(assignment.lane(strand(4 * number + 7)), 3);
        }
    }

    #[test]
    fn a_strand_stays_until_the_peer_has_all_of_it() {
        let mut assignment = beside_bulk();
        assignment.drained(strand(3), 9);
        // More of it, before and after what is known to have arrived.
        assignment.received(3, 8);
        assert_eq!(assignment.lane(strand(3)), 3);
        assignment.received(3, 9);
        assert_eq!(assignment.lane(strand(3)), 3, "another frame waits");
        assignment.drained(strand(3), 12);
        assignment.received(3, 11);
        assert_eq!(assignment.lane(strand(3)), 3);
        assignment.drained(strand(3), 13);
        assignment.received(3, 13);
        assert_ne!(assignment.lane(strand(3)), 3, "another strand's bulk is on its lane");
    }

    #[test]
    fn nothing_is_kept_of_strands_that_have_arrived() {
        let mut assignment = Assignment::new(2);
        for number in 0..1000 {
            let lane = assignment.lane(strand(number));
            assignment.add(lane, 10);
            assignment.drained(strand(number), u64::from(number) + 1);
        }
        for lane in 0..2 {
            assignment.received(lane, 1000);
            assignment.free(lane, 5000);
        }
        assert_eq!(assignment.strands.len(), 0);
        assert!(
            assignment
                .lanes
                .iter()
                .all(|lane| lane.drained.is_empty() && lane.load == 0)
        );
    }
}
