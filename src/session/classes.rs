use crate::router::Priority;
use crate::wire::TURN;

/// The number of priorities.
pub(super) const CLASSES: usize = Priority::ALL.len();

/// A priority as an index: 0 is the highest.
pub(super) type Class = usize;

/// How many times as much a priority gets as the lowest, where all have something to send.
const WEIGHTS: [usize; CLASSES] = [16, 4, 1];

/// A priority may be ahead of a higher one by this many bytes times the quotient of their weights. It is what a lane is handed at once.
const AHEAD: u64 = 128 * 1024;

/// How much of its share each priority has had of all lanes together.
///
/// Lanes are filled one by one, and QUIC shares the network path among those that have data. So a lane whose data has a lower priority
/// gets nothing more while a higher priority waits on another lane, and has not had its share.
#[derive(Debug, Default)]
pub(super) struct Shares {
    waiting: [u64; CLASSES],
    /// What each has had, in bytes per weight of the lowest.
    had: [u64; CLASSES],
}

impl Shares {
    /// Bytes of a priority wait for the lanes. One that had nothing to send has no claim on what others had meanwhile.
    pub(super) fn wait(&mut self, class: Class, bytes: u64) {
        if self.waiting.get(class) == Some(&0) {
            let others = self.waiting.iter().zip(&self.had);
            let least = others.filter(|(waiting, _)| **waiting > 0).map(|(_, had)| *had).min();
            if let (Some(least), Some(had)) = (least, self.had.get_mut(class)) {
                *had = least.max(*had);
            }
        }
        if let Some(waiting) = self.waiting.get_mut(class) {
            *waiting += bytes;
        }
    }

    /// A lane has taken bytes of a priority.
    pub(super) fn take(&mut self, class: Class, bytes: u64) {
        self.leave(class, bytes);
        if let (Some(had), Some(weight)) = (self.had.get_mut(class), WEIGHTS.get(class)) {
            *had += bytes * WEIGHTS[0] as u64 / *weight as u64;
        }
    }

    /// Bytes that waited have another priority from now on.
    pub(super) fn leave(&mut self, class: Class, bytes: u64) {
        if let Some(waiting) = self.waiting.get_mut(class) {
            *waiting = waiting.saturating_sub(bytes);
        }
    }

    /// Whether lanes must leave out a priority for now.
    pub(super) fn must_wait(&self, class: Class) -> bool {
        let (Some(had), Some(weight)) = (self.had.get(class), WEIGHTS.get(class)) else {
            return false;
        };
        let higher = self.waiting.iter().zip(&self.had).take(class);
        let slack = AHEAD * WEIGHTS[0] as u64 / *weight as u64;
        higher
            .into_iter()
            .any(|(waiting, other)| *waiting > 0 && *had > other + slack)
    }
}

/// Whose turn it is on a lane: the highest priority that has not had its part of the round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// What each may still send in this round, in bytes.
    left: [usize; CLASSES],
}

impl Round {
    /// The next priority among those that `has` something to send.
    pub(super) fn next(&mut self, has: impl Fn(Class) -> bool) -> Option<Class> {
        let first = |left: &[usize; CLASSES]| {
            let left = left.iter().enumerate();
            left.filter(|(class, left)| **left > 0 && has(*class))
                .map(|(class, _)| class)
                .next()
        };
        first(&self.left).or_else(|| {
            self.left = WEIGHTS.map(|weight| weight * TURN);
            first(&self.left)
        })
    }

    /// A priority has sent this many bytes.
    pub(super) fn took(&mut self, class: Class, bytes: usize) {
        if let Some(left) = self.left.get_mut(class) {
            *left = left.saturating_sub(bytes);
        }
    }
}
