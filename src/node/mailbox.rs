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

/// What waits for one process, and its end of life.
///
/// It is a queue under a lock that is held for a push or for taking all there is, never while anything else happens. It
/// takes whatever comes: who must slow down is told by [`Mailbox::poll_room`], or by what [`Mailbox::push`] says is owed.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) pid: Pid,
    is_killed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Mail>,
    /// Messages and bytes that have come and were not received, those that the process has taken aside among them.
    messages: usize,
    bytes: usize,
    /// The process waits for a message.
    receiver: Option<Waker>,
    /// The task of the process, to be woken when it must end.
    task: Option<Waker>,
    /// Local processes that wait for room.
    senders: Vec<Waker>,
    /// Why the process must end.
    reason: Option<Box<Term>>,
    /// Nothing is taken any more.
    is_closed: bool,
}

impl State {
    fn is_full(&self, bound: &MailboxBound) -> bool {
        self.messages >= bound.messages || self.bytes >= bound.bytes
    }

    /// Puts mail in; gives what its connection owes for it.
    fn put(&mut self, mut mail: Mail, bound: &MailboxBound) -> usize {
        let is_full = self.is_full(bound);
        if bound.when_full == WhenFull::Drop && mail.is_message() {
            // Of a run as many are kept as fit.
            if let Mail::Packed(packed) = mail {
                return packed.unpack().map(|mail| self.put(mail, bound)).sum();
            }
            if is_full {
                return 0;
            }
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
        // Nothing in here can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts mail in. If the mailbox was full already, says how many bytes its connection is to be charged until it is
    /// received.
    pub(super) fn push(&self, mail: Mail, bound: &MailboxBound) -> usize {
        self.push_all(std::iter::once(mail), bound)
    }

    /// The same for several at once.
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

    /// Waits until there is room, or until there is nobody for whom room would matter.
    pub(super) fn poll_room(&self, context: &mut Context<'_>, bound: &MailboxBound) -> Poll<()> {
        let mut state = self.state();
        if state.is_closed || bound.when_full == WhenFull::Drop || !state.is_full(bound) {
            return Poll::Ready(());
        }
        state.senders.push(context.waker().clone());
        Poll::Pending
    }

    /// Moves all that has come behind what the receiver has taken before, of which some was received meanwhile.
    pub(super) fn poll_take(&self, context: &mut Context<'_>, taken: &mut Queue) -> Poll<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        let (messages, bytes) = taken.take_received();
        state.messages -= messages;
        // A message that was looked at and left may count otherwise than when it came.
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

    /// Ends the process when it next comes to rest; the first reason counts.
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

    /// Why the process must end, if it must.
    pub(super) fn killed(&self) -> Option<Term> {
        if !self.is_killed.load(Ordering::Acquire) {
            return None;
        }
        self.state().reason.as_deref().cloned()
    }

    /// Who is to be woken when the process must end.
    pub(super) fn watch(&self, task: &Waker) {
        self.state().task = Some(task.clone());
        if self.is_killed.load(Ordering::Acquire) {
            task.wake_by_ref();
        }
    }

    /// Takes nothing more; gives back what was there.
    pub(super) fn close(&self) -> VecDeque<Mail> {
        let mut state = self.state();
        state.is_closed = true;
        let (queue, senders) = (std::mem::take(&mut state.queue), std::mem::take(&mut state.senders));
        drop(state);
        senders.into_iter().for_each(Waker::wake);
        queue
    }

    /// Messages that have come and were not received.
    pub(super) fn len(&self) -> usize {
        self.state().messages
    }
}
