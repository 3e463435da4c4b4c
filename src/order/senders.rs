use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::etf::Pid;
use crate::wire::FrameId;
use crate::wire::StrandId;

/// The undelivered frames of each sender of one circuit. Per strand only the last one matters, since a strand keeps its
/// order.
///
/// A sender is removed when all its frames are delivered, so the table is bounded by the bytes in flight.
#[derive(Debug, Default)]
pub(super) struct Senders {
    outstanding: FxHashMap<Pid, Outstanding>,
    /// Per strand, in order: the sender of each frame. Consecutive frames of one sender are one entry, with the last
    /// frame's number.
    trails: FxHashMap<StrandId, VecDeque<(u64, Pid)>>,
}

#[derive(Debug, Default)]
struct Outstanding {
    /// The frames that an ambiguous frame must wait for.
    any: Marks,
    /// The frames that any other frame must wait for.
    ambiguous: Marks,
}

/// The last frame per strand. A list as long as there are few, as with most senders.
#[derive(Debug)]
enum Marks {
    Few(Vec<FrameId>),
    Many(FxHashMap<StrandId, u64>),
}

impl Default for Marks {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Marks {
    /// Beyond this length, searching a list takes longer than searching a table.
    const FEW: usize = 16;

    fn set(&mut self, frame: FrameId) {
        let few = match self {
            Self::Many(many) => {
                many.insert(frame.strand, frame.number);
                return;
            }
            Self::Few(few) => few,
        };
        if let Some(mark) = few.iter_mut().find(|mark| mark.strand == frame.strand) {
            mark.number = frame.number;
        } else if few.len() < Self::FEW {
            few.push(frame);
        } else {
            let all = few.iter().chain([&frame]);
            *self = Self::Many(all.map(|mark| (mark.strand, mark.number)).collect());
        }
    }

    fn delivered(&mut self, up_to: FrameId) {
        let is_covered = |number: u64| number <= up_to.number;
        match self {
            Self::Few(few) => few.retain(|mark| mark.strand != up_to.strand || !is_covered(mark.number)),
            Self::Many(many) => {
                if many.get(&up_to.strand).copied().is_some_and(is_covered) {
                    many.remove(&up_to.strand);
                }
            }
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Few(few) => few.clear(),
            Self::Many(_) => *self = Self::default(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    /// The frames of all strands but one.
    fn fences(&self, except: StrandId) -> Vec<FrameId> {
        let is_other = |mark: &FrameId| mark.strand != except;
        match self {
            Self::Few(few) => few.iter().copied().filter(is_other).collect(),
            Self::Many(many) => {
                let marks = many.iter().map(|(&strand, &number)| FrameId { strand, number });
                marks.filter(is_other).collect()
            }
        }
    }
}

impl Senders {
    /// Records a frame of `sender`. A frame that `opens` a signal carries the [`fences`](Self::fences) of the sender.
    pub(super) fn placed(&mut self, sender: Pid, frame: FrameId, ambiguous: bool, opens: bool) {
        let entry = self.outstanding.entry(sender).or_default();
        if ambiguous && opens {
            // The frame waits for all others, so a fence on it implies theirs. This keeps fences few.
            entry.any.clear();
            entry.ambiguous.clear();
        }
        entry.any.set(frame);
        if ambiguous {
            entry.ambiguous.set(frame);
        }
        let trail = self.trails.entry(frame.strand).or_default();
        match trail.back_mut() {
            Some((last, owner)) if *owner == sender => *last = frame.number,
            _ => trail.push_back((frame.number, sender)),
        }
    }

    /// Everything up to a frame of its strand was delivered.
    pub(super) fn delivered(&mut self, up_to: FrameId) {
        let Some(trail) = self.trails.get_mut(&up_to.strand) else {
            return;
        };
        while let Some(&(last, sender)) = trail.front() {
            if last > up_to.number {
                return;
            }
            trail.pop_front();
            let Some(entry) = self.outstanding.get_mut(&sender) else {
                continue;
            };
            entry.any.delivered(up_to);
            entry.ambiguous.delivered(up_to);
            if entry.any.is_empty() {
                self.outstanding.remove(&sender);
            }
        }
        self.trails.remove(&up_to.strand);
    }

    /// The frames that a signal of `sender` on `strand` must wait for: all undelivered frames of the sender on other
    /// strands if the signal is ambiguous, otherwise only the ambiguous ones.
    pub(super) fn fences(&self, sender: &Pid, strand: StrandId, ambiguous: bool) -> Vec<FrameId> {
        let Some(entry) = self.outstanding.get(sender) else {
            return Vec::new();
        };
        let marks = if ambiguous { &entry.any } else { &entry.ambiguous };
        marks.fences(strand)
    }

    /// The number of senders with undelivered frames.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.outstanding.len()
    }
}
