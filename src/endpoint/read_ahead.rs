//! How far an endpoint may send ahead of what its circuit's credit allows.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Poll;
use std::task::Waker;

/// Bytes that an endpoint may send ahead of what its circuit's credit allows: one long read and a fragment.
pub const READ_AHEAD: u64 = 512 * 1024;

#[derive(Debug, Default)]
struct State {
    sent: u64,
    taken: u64,
    is_over: bool,
    /// Who waits for room.
    waiting: Option<Waker>,
}

impl State {
    const fn has_room(&self) -> bool {
        self.sent < self.taken + READ_AHEAD
    }
}

/// Both ends of one account: what was sent, and what the session has taken of it.
pub fn read_ahead() -> (ReadAhead, Taken) {
    let state = Arc::default();
    (ReadAhead(Arc::clone(&state)), Taken(state))
}

/// The endpoint's end.
#[derive(Debug)]
pub struct ReadAhead(Arc<Mutex<State>>);

/// The session's end; when it is dropped, nothing more will be taken.
#[derive(Debug)]
pub struct Taken(Arc<Mutex<State>>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadAhead {
    /// So many bytes were sent.
    pub fn sent(&self, cost: u64) {
        lock(&self.0).sent += cost;
    }

    /// Whether more may be sent now.
    pub fn has_room(&self) -> bool {
        lock(&self.0).has_room()
    }

    /// Ready once more may be sent, `Ok`, or never again, `Err`. Otherwise `waker` is woken then, from whatever thread the
    /// session runs on; it replaces the one of before.
    pub fn poll_room(&self, waker: &Waker) -> Poll<Result<(), ()>> {
        let mut state = lock(&self.0);
        if state.has_room() {
            return Poll::Ready(Ok(()));
        }
        if state.is_over {
            return Poll::Ready(Err(()));
        }
        match &mut state.waiting {
            Some(waiting) => waiting.clone_from(waker),
            waiting => *waiting = Some(waker.clone()),
        }
        Poll::Pending
    }
}

impl Taken {
    /// The session has taken so many bytes more.
    pub fn add(&self, cost: u64) {
        let mut state = lock(&self.0);
        state.taken += cost;
        let woken = if state.has_room() { state.waiting.take() } else { None };
        // Whoever is woken may ask at once.
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
