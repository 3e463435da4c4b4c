use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustc_hash::FxHashMap;

use crate::etf::Pid;

/// Which processes of a node wait for room, each in the mailbox of which other one.
///
/// Processes that wait for each other would do so for ever, since none of them receives meanwhile. Whoever would close such a circle
/// is told so instead.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// By the process that waits. It holds no circle, since none is ever closed.
    of: Mutex<FxHashMap<Pid, Pid>>,
}

/// A process waits for room. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    waits: &'a Waits,
    sender: Pid,
}

impl Waits {
    fn of(&self) -> MutexGuard<'_, FxHashMap<Pid, Pid>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `sender` begins to wait for room in the mailbox of `receiver`; `None` if that one waits for `sender`, itself or through
    /// others.
    pub(super) fn begin(&self, sender: Pid, receiver: Pid) -> Option<Waiting<'_>> {
        let mut of = self.of();
        let mut last = receiver;
        while last != sender {
            let Some(next) = of.get(&last) else {
                of.insert(sender, receiver);
                return Some(Waiting { waits: self, sender });
            };
            last = *next;
        }
        None
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waits.of().remove(&self.sender);
    }
}
