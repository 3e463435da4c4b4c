//! A limit on how far an endpoint may send ahead of its circuit's credit.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

/// The number of bytes that an endpoint may send ahead of its circuit's credit: one long read and a fragment.
pub const READ_AHEAD: u64 = 512 * 1024;

#[derive(Debug, Default)]
struct State {
    sent: u64,
    taken: u64,
    is_over: bool,
    /// Woken when there is room.
    waiting: Option<Waker>,
    /// Since when the endpoint waits for room, and how long it had waited before.
    blocked: (Option<Instant>, Duration),
}

impl State {
    const fn has_room(&self) -> bool {
        self.sent < self.taken + READ_AHEAD
    }
}

/// Creates both ends of an account: the bytes that were sent, and those that the session has taken.
pub fn read_ahead() -> (ReadAhead, Taken) {
    let state = Arc::default();
    (ReadAhead(Arc::clone(&state)), Taken(state))
}

/// The end that the endpoint holds.
#[derive(Debug)]
pub struct ReadAhead(Arc<Mutex<State>>);

/// The end that the session holds. After it is dropped, nothing more is taken.
#[derive(Debug)]
pub struct Taken(Arc<Mutex<State>>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadAhead {
    /// Records that `cost` bytes were sent.
    pub fn sent(&self, cost: u64) {
        lock(&self.0).sent += cost;
    }

    /// Whether more may be sent now.
    pub fn has_room(&self) -> bool {
        lock(&self.0).has_room()
    }

    /// Ready with `Ok` if more may be sent, and with `Err` if the session has ended. If pending, `waker` replaces the previous
    /// waker and is woken on that change, on the thread of the session. `now` tells the time.
    pub fn poll_room(&self, waker: &Waker, now: impl FnOnce() -> Instant) -> Poll<Result<(), ()>> {
        let mut state = lock(&self.0);
        if state.has_room() {
            return Poll::Ready(Ok(()));
        }
        if state.is_over {
            return Poll::Ready(Err(()));
        }
        if state.blocked.0.is_none() {
            state.blocked.0 = Some(now());
        }
        match &mut state.waiting {
            Some(waiting) => waiting.clone_from(waker),
            waiting => *waiting = Some(waker.clone()),
        }
        Poll::Pending
    }
}

impl Taken {
    /// How long the endpoint has waited for room, until `now`.
    pub fn blocked(&self, now: Instant) -> Duration {
        let (since, before) = lock(&self.0).blocked;
        before + since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Records that the session has taken another `cost` bytes. `now` tells the time.
    pub fn add(&self, cost: u64, now: impl FnOnce() -> Instant) {
        let mut state = lock(&self.0);
        state.taken += cost;
        if state.has_room()
            && let Some(since) = state.blocked.0.take()
        {
            state.blocked.1 += now().saturating_duration_since(since);
        }
        let woken = if state.has_room() { state.waiting.take() } else { None };
        // The woken code may poll at once, so the lock must be free.
        drop(state);
        if let Some(waker) = woken {
            waker.wake();
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.is_over = true;
        let woken = state.waiting.take();
        drop(state);
        if let Some(waker) = woken {
            waker.wake();
        }
    }
}
