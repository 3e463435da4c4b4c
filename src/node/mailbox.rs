use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use super::MailboxBound;
use super::WhenFull;
use super::mail::Mail;
use super::queue::Queue;
use crate::etf::Pid;
use crate::etf::Term;

/// A receiver with this many messages is behind.
const LAG: usize = 64;

/// The mailbox of one process, and the signal that ends the process.
///
/// It is a queue under a lock. The lock is held only to push mail or to take all of it. The mailbox accepts everything:
/// [`Mailbox::poll_room`] makes local senders wait, and [`Mailbox::push`] returns how much a connection owes.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) pid: Pid,
    is_killed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Mail>,
    /// Messages and bytes that have arrived and were not received yet, including those in the receiver's own queue.
    messages: usize,
    bytes: usize,
    /// The receiver, while it waits for a message.
    receiver: Option<Waker>,
    /// The task of the process, woken when it must end.
    task: Option<Waker>,
    /// Local processes that wait for room.
    senders: Vec<Waker>,
    /// The exit reason, once the process must end.
    reason: Option<Box<Term>>,
    /// No more mail is accepted.
    is_closed: bool,
}

impl State {
    fn is_full(&self, bound: &MailboxBound) -> bool {
        self.messages >= bound.messages || self.bytes >= bound.bytes
    }

    /// Adds mail. Returns the bytes that its connection owes for it.
    fn put(&mut self, mut mail: Mail, bound: &MailboxBound) -> usize {
        let is_full = self.is_full(bound);
        if bound.when_full == WhenFull::Drop && mail.is_message() {
            // As many messages of a run are kept as fit.
            if let Mail::Packed(packed) = mail {
                return packed.unpack().map(|mail| self.put(mail, bound)).sum();
            }
            if is_full {
                return 0;
            }
        }
        if self.messages >= LAG {
            mail.detach();
        }
        let owed = if is_full { mail.charge() } else { 0 };
        self.messages += mail.count();
        self.bytes += mail.cost();
        self.queue.push_back(mail);
        owed
    }
}

impl Mailbox {
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            is_killed: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that runs under this lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds mail. If the mailbox was already full, returns the bytes for which the connection is charged until the mail is
    /// received.
    pub(super) fn push(&self, mail: Mail, bound: &MailboxBound) -> usize {
        self.push_all(std::iter::once(mail), bound)
    }

    /// The same for several entries.
    pub(super) fn push_all(&self, mails: impl Iterator<Item = Mail>, bound: &MailboxBound) -> usize {
        let mut state = self.state();
        if state.is_closed {
            return 0;
        }
        let owed = mails.map(|mail| state.put(mail, bound)).sum();
        let receiver = state.receiver.take();
        drop(state);
        if let Some(waker) = receiver {
            waker.wake();
        }
        owed
    }

    /// Waits until there is room, or until waiting makes no sense: the mailbox is closed, or drops messages when full.
    pub(super) fn poll_room(&self, context: &mut Context<'_>, bound: &MailboxBound) -> Poll<()> {
        let mut state = self.state();
        if state.is_closed || bound.when_full == WhenFull::Drop || !state.is_full(bound) {
            return Poll::Ready(());
        }
        state.senders.push(context.waker().clone());
        Poll::Pending
    }

    /// Moves all mail to the receiver's queue, and accounts for what was received from that queue meanwhile.
    pub(super) fn poll_take(&self, context: &mut Context<'_>, taken: &mut Queue) -> Poll<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        let (messages, bytes) = taken.take_received();
        state.messages -= messages;
        // A message that was decoded and left in the queue may count differently than when it arrived.
        state.bytes = state.bytes.saturating_sub(bytes);
        let senders = if messages > 0 {
            std::mem::take(&mut state.senders)
        } else {
            Vec::new()
        };
        let is_there = !state.queue.is_empty();
        taken.append(&mut state.queue);
        if !is_there
            && !state
                .receiver
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            state.receiver = Some(context.waker().clone());
        }
        drop(guard);
        senders.into_iter().for_each(Waker::wake);
        if is_there { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ends the process the next time it waits. The first reason counts.
    pub(super) fn kill(&self, reason: Term) {
        let mut state = self.state();
        state.reason.get_or_insert_with(|| Box::new(reason));
        state.is_closed = true;
        let wakers = [state.task.take(), state.receiver.take()];
        let senders = std::mem::take(&mut state.senders);
        self.is_killed.store(true, Ordering::Release);
        drop(state);
        wakers.into_iter().flatten().chain(senders).for_each(Waker::wake);
    }

    /// The exit reason, if the process must end.
    pub(super) fn killed(&self) -> Option<Term> {
        if !self.is_killed.load(Ordering::Acquire) {
            return None;
        }
        self.state().reason.as_deref().cloned()
    }

    /// Sets the task to wake when the process must end.
    pub(super) fn watch(&self, task: &Waker) {
        self.state().task = Some(task.clone());
        if self.is_killed.load(Ordering::Acquire) {
            task.wake_by_ref();
        }
    }

    /// Accepts no more mail. Returns the mail that was there.
    pub(super) fn close(&self) -> VecDeque<Mail> {
        let mut state = self.state();
        state.is_closed = true;
        let (queue, senders) = (std::mem::take(&mut state.queue), std::mem::take(&mut state.senders));
        drop(state);
        senders.into_iter().for_each(Waker::wake);
        queue
    }

    /// Number of messages that have arrived and were not received yet.
    pub(super) fn len(&self) -> usize {
        self.state().messages
    }
}
