use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::etf::Pid;
use crate::wire::FrameId;
use crate::wire::StrandId;

/// The undelivered frames of each sender of one circuit: per strand only the last one matters, since a strand keeps order.
///
/// A sender is forgotten as soon as nothing of it is outstanding, so the table is bounded by the bytes in flight.
#[derive(Debug, Default)]
pub(super) struct Senders {
    outstanding: FxHashMap<Pid, Outstanding>,
    /// Per strand, in order: whose frame it was. A run of frames of one sender is one entry, the last frame's.
    trails: FxHashMap<StrandId, VecDeque<(u64, Pid)>>,
}

#[derive(Debug, Default)]
struct Outstanding {
    /// What an ambiguous frame must wait for.
    any: Marks,
    /// What any other must wait for.
    ambiguous: Marks,
}

/// The last frame per strand: in a list as long as they are few, which most senders keep to.
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
    /// A longer list takes longer to look through than a table.
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

    /// Those of all strands but one.
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
    /// A frame of `sender` was placed; one that `opens` a signal stands behind its [`fences`](Self::fences).
    pub(super) fn placed(&mut self, sender: Pid, frame: FrameId, ambiguous: bool, opens: bool) {
        let entry = self.outstanding.entry(sender).or_default();
        if ambiguous && opens {
            // It waits for all the others, so whatever waits for it waits for them too: fences stay few.
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

    /// What a signal of `sender` on `strand` must wait for: all it has outstanding elsewhere when the signal is ambiguous,
    /// otherwise only its ambiguous signals.
    pub(super) fn fences(&self, sender: &Pid, strand: StrandId, ambiguous: bool) -> Vec<FrameId> {
        let Some(entry) = self.outstanding.get(sender) else {
            return Vec::new();
        };
        let marks = if ambiguous { &entry.any } else { &entry.ambiguous };
        marks.fences(strand)
    }

    /// How many senders have something outstanding.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.outstanding.len()
    }
}
