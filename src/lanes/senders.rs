use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::etf::Pid;
use crate::wire::Fence;
use crate::wire::LaneId;

/// The undelivered frames of each sender of one circuit: per lane only the last one matters, since a lane keeps order.
///
/// A sender is forgotten as soon as nothing of it is outstanding, so the table is bounded by the bytes in flight.
#[derive(Debug)]
pub(super) struct Senders {
    outstanding: FxHashMap<Pid, Outstanding>,
    /// Per lane, in order: whose frame it was. A run of frames of one sender is one entry, the last frame's.
    trails: Vec<VecDeque<(u64, Pid)>>,
}

#[derive(Debug, Default)]
struct Outstanding {
    any: Marks,
    ambiguous: Marks,
}

/// The last frame per lane, for the few lanes in use.
#[derive(Debug, Default)]
struct Marks(Vec<Fence>);

impl Marks {
    fn set(&mut self, lane: LaneId, number: u64) {
        match self.0.iter_mut().find(|mark| mark.lane == lane) {
            Some(mark) => mark.number = number,
            None => self.0.push(Fence { lane, number }),
        }
    }

    fn delivered(&mut self, lane: LaneId, number: u64) {
        self.0.retain(|mark| mark.lane != lane || mark.number > number);
    }

    fn except(&self, lane: LaneId) -> impl Iterator<Item = Fence> {
        self.0.iter().copied().filter(move |mark| mark.lane != lane)
    }
}

impl Senders {
    pub(super) fn new(lanes: u8) -> Self {
        Self {
            outstanding: FxHashMap::default(),
            trails: (0..lanes).map(|_| VecDeque::new()).collect(),
        }
    }

    /// A frame of `sender` was placed.
    pub(super) fn placed(&mut self, sender: Pid, lane: LaneId, number: u64, ambiguous: bool) {
        let entry = self.outstanding.entry(sender).or_default();
        entry.any.set(lane, number);
        if ambiguous {
            entry.ambiguous.set(lane, number);
        }
        let Some(trail) = self.trails.get_mut(usize::from(lane)) else {
            return;
        };
        match trail.back_mut() {
            Some((last, owner)) if *owner == sender => *last = number,
            _ => trail.push_back((number, sender)),
        }
    }

    /// Everything on `lane` up to `number` was delivered.
    pub(super) fn delivered(&mut self, lane: LaneId, number: u64) {
        let Some(trail) = self.trails.get_mut(usize::from(lane)) else {
            return;
        };
        while let Some(&(last, sender)) = trail.front() {
            if last > number {
                break;
            }
            trail.pop_front();
            let Some(entry) = self.outstanding.get_mut(&sender) else {
                continue;
            };
            entry.any.delivered(lane, number);
            entry.ambiguous.delivered(lane, number);
            if entry.any.0.is_empty() {
                self.outstanding.remove(&sender);
            }
        }
    }

    /// What a signal of `sender` on `lane` must wait for: all it has outstanding elsewhere when the signal is ambiguous,
    /// otherwise only its ambiguous signals.
    pub(super) fn fences(&self, sender: &Pid, lane: LaneId, ambiguous: bool) -> Vec<Fence> {
        match self.outstanding.get(sender) {
            None => Vec::new(),
            Some(entry) if ambiguous => entry.any.except(lane).collect(),
            Some(entry) => entry.ambiguous.except(lane).collect(),
        }
    }

    /// How many senders have something outstanding.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.outstanding.len()
    }
}
