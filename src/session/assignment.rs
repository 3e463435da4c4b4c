use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use crate::order::lane_of;
use crate::wire::CircuitId;
use crate::wire::LaneId;
use crate::wire::StrandId;

/// A strand of the session.
pub(super) type Key = (CircuitId, StrandId);

/// With this many lanes, bulk data leaves the last one to small frames.
const ENOUGH: usize = 4;

/// The maximum number of strands that are remembered as bulk. Strands that are still bulk are added again with their
/// next frame.
const BULK_STRANDS: usize = 128;

/// Assigns strands to lanes. A strand gets the least busy lane when it begins to send, and keeps it until the peer has
/// received everything. So a small call rarely waits for retransmissions of bulk data, however few lanes there are. If
/// there is bulk data for more processes than there are lanes, one lane stays free of it.
#[derive(Debug)]
pub(super) struct Assignment {
    lanes: Vec<Lane>,
    /// The strands of which the peer has not received everything.
    strands: FxHashMap<Key, Assigned>,
    /// The strands that had bulk data recently. A server call begins with a small frame, the monitor, and megabytes may
    /// follow.
    bulk: FxHashSet<Key>,
}

#[derive(Debug, Default)]
struct Lane {
    /// The bytes that wait for the lane, or that the peer may not have received.
    load: u64,
    /// Strands that have nothing more to send, with the number of their last frame on the lane, in that order.
    drained: VecDeque<(u64, Key)>,
}

#[derive(Clone, Copy, Debug)]
struct Assigned {
    lane: LaneId,
    /// The number of the strand's last frame on the lane; `None` while frames wait.
    last: Option<u64>,
}

impl Assignment {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            strands: FxHashMap::default(),
            bulk: FxHashSet::default(),
        }
    }

    /// The lane for the next frame of a strand.
    pub(super) fn lane(&mut self, strand: Key, is_small: bool) -> LaneId {
        if !is_small && self.bulk.insert(strand) && self.bulk.len() > BULK_STRANDS {
            self.bulk.clear();
            self.bulk.insert(strand);
        }
        if let Some(assigned) = self.strands.get_mut(&strand) {
            assigned.last = None;
            return assigned.lane;
        }
        let lane = self.least_busy(strand);
        self.strands.insert(strand, Assigned { lane, last: None });
        lane
    }

    /// Idle strands prefer different lanes, so that they spread.
    fn least_busy(&self, strand: Key) -> LaneId {
        let all = self.lanes.len();
        let is_kept_off = all >= ENOUGH && self.bulk.contains(&strand);
        let count = if is_kept_off { all - 1 } else { all };
        let own = lane_of(strand.1, count as u8);
        let lanes = (0..).zip(self.lanes.iter().take(count));
        let least = lanes.min_by_key(|(lane, state)| (state.load, *lane != own));
        least.map_or(own, |(lane, _)| lane)
    }

    /// Whether nothing is in flight on a lane.
    pub(super) fn is_idle(&self, lane: LaneId) -> bool {
        self.lanes.get(usize::from(lane)).is_none_or(|state| state.load == 0)
    }

    /// Bytes were added to a lane.
    pub(super) fn add(&mut self, lane: LaneId, bytes: u64) {
        if let Some(state) = self.lanes.get_mut(usize::from(lane)) {
            state.load += bytes;
        }
    }

    /// The peer has received bytes of a lane, or they are not tracked.
    pub(super) fn free(&mut self, lane: LaneId, bytes: u64) {
        if let Some(state) = self.lanes.get_mut(usize::from(lane)) {
            state.load -= bytes;
        }
    }

    /// No more frames of the strand wait. Its last frame has this number on its lane.
    pub(super) fn drained(&mut self, strand: Key, number: u64) {
        if let Some(assigned) = self.strands.get_mut(&strand) {
            assigned.last = Some(number);
            if let Some(state) = self.lanes.get_mut(usize::from(assigned.lane)) {
                state.drained.push_back((number, strand));
            }
        }
    }

    /// The peer has received everything of a lane up to the frame with this number.
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

    /// Lets strands change lanes although the peer has not received everything.
    #[cfg(test)]
    pub(super) fn clear(&mut self) {
        self.strands.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn strand(number: StrandId) -> Key {
        (CircuitId(1), number)
    }

    /// Bulk data of strand 3, of which the peer has received nothing.
    fn beside_bulk() -> Assignment {
        let mut assignment = Assignment::new(4);
        let lane = assignment.lane(strand(3), true);
        assignment.lane(strand(3), false);
        assignment.add(lane, 256_000);
        assignment
    }

    #[test]
    fn strands_spread_while_nothing_is_under_way() {
        let mut assignment = Assignment::new(4);
        let lanes: Vec<_> = (0..8).map(|number| assignment.lane(strand(number), true)).collect();
        assert_eq!(lanes, [0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn a_strand_keeps_away_from_bulk() {
        let mut assignment = beside_bulk();
        for number in 0..100 {
            assert_ne!(assignment.lane(strand(4 * number + 7), true), 3);
        }
    }

    #[test]
    fn a_strand_stays_until_the_peer_has_all_of_it() {
        let mut assignment = beside_bulk();
        assignment.drained(strand(3), 9);
        // More frames, before and after what is known to have arrived.
        assignment.received(3, 8);
        assert_eq!(assignment.lane(strand(3), true), 3);
        assignment.received(3, 9);
        assert_eq!(assignment.lane(strand(3), true), 3, "another frame waits");
        assignment.drained(strand(3), 12);
        assignment.received(3, 11);
        assert_eq!(assignment.lane(strand(3), true), 3);
        assignment.drained(strand(3), 13);
        assignment.received(3, 13);
        assert_ne!(
            assignment.lane(strand(3), true),
            3,
            "its former lane has the bulk data of another strand"
        );
    }

    #[test]
    fn nothing_is_kept_of_strands_that_have_arrived() {
        let mut assignment = Assignment::new(2);
        for number in 0..1000 {
            let lane = assignment.lane(strand(number), true);
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

    #[test]
    fn a_lane_is_kept_free_of_bulk() {
        let mut assignment = Assignment::new(16);
        for number in 0..100 {
            let lane = assignment.lane(strand(number), false);
            assert!(lane < 15, "bulk of {number}");
            assignment.add(lane, 256_000);
        }
        assert_eq!(assignment.lane(strand(1000), true), 15);
        // The peer has received everything of one, except what the others have on its lane.
        assignment.drained(strand(7), 1);
        assignment.received(7, 1);
        assert_ne!(
            assignment.lane(strand(7), true),
            15,
            "a small frame may be the start of a call with megabytes"
        );
    }

    #[test]
    fn few_lanes_are_all_for_bulk() {
        let mut assignment = Assignment::new(3);
        let lanes: Vec<_> = (0..3).map(|number| assignment.lane(strand(number), false)).collect();
        assert_eq!(lanes, [0, 1, 2]);
    }

    #[test]
    fn strands_that_had_bulk_are_forgotten_in_time() {
        let mut assignment = Assignment::new(16);
        for number in 0..10_000 {
            assignment.lane(strand(number), false);
            assert!(assignment.bulk.contains(&strand(number)));
            assert!(assignment.bulk.len() <= BULK_STRANDS);
        }
    }
}
