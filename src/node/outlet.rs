use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Bytes;
use bytes::BytesMut;

use crate::dist::FRAGMENT_SIZE;
use crate::etf::Atom;
use crate::etf::TermError;
use crate::lanes::Head;
use crate::wire::Content;

/// A connection to another node, as all processes share it: what is to be written, and what the node's messages owe.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: u32,
    pub(super) node: Atom,
    /// Bytes that may wait before senders do, and bytes that may wait at all.
    bounds: (usize, usize),
    arrears_max: usize,
    state: Mutex<State>,
    arrears: Mutex<Arrears>,
}

#[derive(Debug, Default)]
struct State {
    /// Signals, one after another.
    buffer: BytesMut,
    lengths: Vec<usize>,
    runs: Vec<Run>,
    /// The ends of large signals, which are not copied: whose each is.
    tails: VecDeque<(usize, Bytes)>,
    tail_bytes: usize,
    /// Bytes that were taken last: as many are made room for at once.
    usual: usize,
    /// The handshake is done.
    is_up: bool,
    /// Nothing more is taken.
    closed: Option<String>,
    writer: Option<Waker>,
    senders: Vec<Waker>,
}

/// What the node has sent to mailboxes that were full, in bytes.
#[derive(Debug, Default)]
struct Arrears {
    bytes: usize,
    reader: Option<Waker>,
}

/// Signals that follow one another.
#[derive(Debug)]
pub(super) struct Run {
    /// Where they go, if that is known: they are messages of one sender to one receiver then.
    pub(super) head: Option<Head>,
    /// How many there are.
    pub(super) signals: usize,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It will be written.
    Taken,
    /// Too much waits already.
    Full,
    /// The connection is over.
    Closed,
}

/// Signals that were taken to be written.
#[derive(Debug)]
pub(super) struct Batch {
    /// One after another.
    pub(super) bytes: Bytes,
    /// Of each.
    pub(super) lengths: Vec<usize>,
    /// All of them, in order.
    pub(super) runs: Vec<Run>,
    /// The ends of some: their numbers among all, and the bytes.
    pub(super) tails: VecDeque<(usize, Bytes)>,
}

impl State {
    /// Bytes that wait.
    fn waiting(&self) -> usize {
        self.buffer.len() + self.tail_bytes
    }
}

impl Connection {
    /// A connection that is being set up.
    pub(super) fn new(id: u32, node: Atom, bounds: (usize, usize), arrears_max: usize) -> Self {
        Self {
            id,
            node,
            bounds,
            arrears_max,
            state: Mutex::default(),
            arrears: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Encoding may fail, but leaves the buffer as it was.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrears(&self) -> MutexGuard<'_, Arrears> {
        self.arrears.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a signal that `write` appends, whatever waits already; nothing if the connection is over.
    ///
    /// # Errors
    /// If the signal cannot be encoded; then nothing is added.
    pub(super) fn push(&self, write: impl FnOnce(&mut BytesMut) -> Result<(), TermError>) -> Result<(), TermError> {
        let state = self.state();
        if state.closed.is_some() {
            return Ok(());
        }
        self.append(state, None, |out| write(out).map(|()| None))
    }

    /// Adds a message that `write` appends, if it is taken now. `head` says where it goes.
    ///
    /// # Errors
    /// If the message cannot be encoded; then nothing is added.
    pub(super) fn offer(
        &self,
        head: Head,
        write: impl FnOnce(&mut BytesMut) -> Result<Option<Bytes>, TermError>,
    ) -> Result<Offered, TermError> {
        let state = self.state();
        if state.closed.is_some() {
            return Ok(Offered::Closed);
        }
        if state.waiting() >= self.bounds.0 {
            return Ok(Offered::Full);
        }
        self.append(state, Some(head), write)?;
        Ok(Offered::Taken)
    }

    fn append(
        &self,
        mut state: MutexGuard<'_, State>,
        head: Option<Head>,
        write: impl FnOnce(&mut BytesMut) -> Result<Option<Bytes>, TermError>,
    ) -> Result<(), TermError> {
        let before = state.buffer.len();
        if before == 0 {
            let usual = state.usual;
            state.buffer.reserve(usual);
        }
        let tail = match write(&mut state.buffer) {
            Ok(tail) => tail,
            Err(error) => {
                state.buffer.truncate(before);
                return Err(error);
            }
        };
        let length = state.buffer.len() - before;
        if let Some(tail) = tail {
            state.tail_bytes += tail.len();
            let signal = state.lengths.len();
            state.tails.push_back((signal, tail));
        }
        state.lengths.push(length);
        match state.runs.last_mut() {
            Some(run) if run.head == head => run.signals += 1,
            _ => state.runs.push(Run { head, signals: 1 }),
        }
        if before > self.bounds.1 {
            state.closed = Some("the node reads too slowly what it makes us answer".to_owned());
        }
        let writer = if state.is_up { state.writer.take() } else { None };
        drop(state);
        if let Some(waker) = writer {
            waker.wake();
        }
        Ok(())
    }

    /// Waits until the connection takes more, or is over.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.closed.is_some() || state.waiting() < self.bounds.0 {
            return Poll::Ready(());
        }
        state.senders.push(context.waker().clone());
        Poll::Pending
    }

    /// The handshake is done: what waits can be written.
    pub(super) fn establish(&self) {
        self.state().is_up = true;
    }

    /// Takes no more signals. Those that are there are still written.
    pub(super) fn close(&self, reason: &str) {
        let mut state = self.state();
        state.closed.get_or_insert_with(|| reason.to_owned());
        let (writer, senders) = (state.writer.take(), std::mem::take(&mut state.senders));
        drop(state);
        writer.into_iter().chain(senders).for_each(Waker::wake);
    }

    /// Why it takes no more signals, if it does not.
    pub(super) fn closed(&self) -> Option<String> {
        self.state().closed.clone()
    }

    /// All that is to be written now; `Err` with the reason when the connection is over and everything was written.
    pub(super) fn poll_batch(&self, context: &mut Context<'_>) -> Poll<Result<Batch, String>> {
        let mut state = self.state();
        if state.lengths.is_empty() {
            if let Some(reason) = &state.closed {
                return Poll::Ready(Err(reason.clone()));
            }
            if !state
                .writer
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
            {
                state.writer = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        let bytes = std::mem::take(&mut state.buffer).freeze();
        state.tail_bytes = 0;
        state.usual = bytes.len().min(self.bounds.0);
        let batch = Batch {
            bytes,
            lengths: std::mem::take(&mut state.lengths),
            runs: std::mem::take(&mut state.runs),
            tails: std::mem::take(&mut state.tails),
        };
        let senders = std::mem::take(&mut state.senders);
        drop(state);
        senders.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(batch))
    }

    /// Charges what came for a full mailbox.
    pub(super) fn charge(&self, bytes: usize) {
        self.arrears().bytes += bytes;
    }

    /// What was charged has been received.
    pub(super) fn release(&self, bytes: usize) {
        let mut arrears = self.arrears();
        arrears.bytes -= bytes;
        let reader = if arrears.bytes < self.arrears_max {
            arrears.reader.take()
        } else {
            None
        };
        drop(arrears);
        if let Some(waker) = reader {
            waker.wake();
        }
    }

    /// Waits until more may be read.
    pub(super) fn poll_arrears(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut arrears = self.arrears();
        if arrears.bytes < self.arrears_max {
            return Poll::Ready(());
        }
        arrears.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Batch {
    /// The signals as they travel. `messages` counts those in fragments on their connection.
    pub(super) fn contents(mut self, messages: &mut u64) -> Vec<Content> {
        let mut contents = Vec::with_capacity(self.lengths.len());
        for (signal, length) in self.lengths.iter().enumerate() {
            let body = self.bytes.split_to(*length.min(&self.bytes.len()));
            let tail = take_tail(&mut self.tails, signal);
            contents.extend(fragments(body, tail, messages));
        }
        contents
    }
}

/// The end of a signal, if it was kept apart; signals are asked for in their order.
pub(super) fn take_tail(tails: &mut VecDeque<(usize, Bytes)>, signal: usize) -> Option<Bytes> {
    let (of, _) = tails.front()?;
    if *of != signal {
        return None;
    }
    tails.pop_front().map(|(_, tail)| tail)
}

/// A signal as it travels: cut, if it is longer than a fragment. A tail begins with a fragment of its own.
pub(super) fn fragments(mut body: Bytes, tail: Option<Bytes>, messages: &mut u64) -> impl Iterator<Item = Content> {
    let mut tail = tail.unwrap_or_default();
    let count = (body.len().div_ceil(FRAGMENT_SIZE).max(1) + tail.len().div_ceil(FRAGMENT_SIZE)) as u64;
    *messages += u64::from(count > 1);
    let message = *messages;
    (0..count).map(move |index| {
        let from = if index == 0 || !body.is_empty() {
            &mut body
        } else {
            &mut tail
        };
        let part = from.split_to(FRAGMENT_SIZE.min(from.len()));
        match (index, count) {
            (0, 1) => Content::Signal(part),
            (0, fragments) => Content::First {
                message,
                fragments,
                body: part,
            },
            _ => Content::Next {
                message,
                remaining: count - index,
                body: part,
            },
        }
    })
}
