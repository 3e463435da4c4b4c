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

/// The last frame per strand, for the few strands in use.
#[derive(Debug, Default)]
struct Marks(Vec<FrameId>);

impl Marks {
    fn set(&mut self, frame: FrameId) {
        match self.0.iter_mut().find(|mark| mark.strand == frame.strand) {
            Some(mark) => mark.number = frame.number,
            None => self.0.push(frame),
        }
    }

    fn delivered(&mut self, up_to: FrameId) {
        self.0.retain(|mark| !covers(up_to, *mark));
    }
}

fn covers(delivered: FrameId, mark: FrameId) -> bool {
    mark.strand == delivered.strand && mark.number <= delivered.number
}

impl Senders {
    /// A frame of `sender` was placed; one that `opens` a signal stands behind its [`fences`](Self::fences).
    pub(super) fn placed(&mut self, sender: Pid, frame: FrameId, ambiguous: bool, opens: bool) {
        let entry = self.outstanding.entry(sender).or_default();
        if ambiguous && opens {
            // It waits for all the others, so whatever waits for it waits for them too: fences stay few.
            entry.any.0.clear();
            entry.ambiguous.0.clear();
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
            if entry.any.0.is_empty() {
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
        marks.0.iter().copied().filter(|mark| mark.strand != strand).collect()
    }

    /// How many senders have something outstanding.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.outstanding.len()
    }
}
