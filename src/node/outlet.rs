use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;

use crate::codec::Buffers;
use crate::dist::FRAGMENT_SIZE;
use crate::dist::Format;
use crate::dist::PacketError;
use crate::dist::RUN_MAX;
use crate::dist::StreamEncoder;
use crate::endpoint::packets;
use crate::etf::Atom;
use crate::etf::TermError;
use crate::order::Head;
use crate::wire::Content;

/// Bytes of a packet's length.
const LENGTH: usize = 4;

/// Bytes of a packet before its control term.
pub(super) const HEADER: usize = LENGTH + Format::Header.prefix().len();

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
    /// Signals as packets, one after another, but for the tails of large ones.
    buffer: BytesMut,
    /// All of them, in order.
    runs: Vec<Run>,
    tail_bytes: usize,
    /// Bytes that are made room for at once: as many as were taken lately, so that the buffer need not grow.
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
    /// Below zero for a moment, if a message is received before its connection has been charged for it.
    bytes: isize,
    reader: Option<Waker>,
}

/// Signals that travel together: small messages with the same control term, or a single one.
#[derive(Debug)]
struct Run {
    /// Where they go, if that is known: they are messages then.
    head: Option<Head>,
    /// Bytes of them in the buffer.
    bytes: usize,
    /// Bytes of a message before its payload.
    start: usize,
    is_single: bool,
    /// The end of a large one, which is not copied.
    tail: Option<Bytes>,
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
    bytes: Bytes,
    runs: Vec<Run>,
}

impl State {
    /// Bytes that wait.
    fn waiting(&self) -> usize {
        self.buffer.len() + self.tail_bytes
    }

    /// Whether the signal at the end of the buffer, of `length` bytes, goes with the last run.
    fn continues(&self, length: usize, start: usize) -> bool {
        let Some(run) = self.runs.last() else {
            return false;
        };
        let is_alike = run.head.is_some() && run.tail.is_none() && run.start == start;
        let at = self.buffer.len() - length;
        let control = |at: usize| self.buffer.get(at + LENGTH..at + start);
        is_alike && run.bytes + length <= RUN_MAX && control(at - run.bytes) == control(at)
    }

    /// Takes note of a signal at the end of the buffer.
    fn record(&mut self, head: Option<Head>, length: usize, start: usize, tail: Option<Bytes>) {
        self.tail_bytes += tail.as_ref().map_or(0, Bytes::len);
        let continues = head.is_some() && tail.is_none() && self.continues(length, start);
        match self.runs.last_mut() {
            Some(run) if continues => {
                run.bytes += length;
                run.is_single = false;
            }
            _ => self.runs.push(Run {
                head,
                bytes: length,
                start,
                is_single: true,
                tail,
            }),
        }
    }
}

/// What a packet begins with; its length is put in when that is known.
fn begin(out: &mut BytesMut) {
    out.put_bytes(0, LENGTH);
    out.put_slice(Format::Header.prefix());
}

/// What all messages with this control term begin with.
pub(super) fn start(control: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    begin(&mut out);
    out.put_slice(control);
    out.freeze()
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
        self.append(state, None, begin, |out| write(out).map(|()| None))
    }

    /// Adds a message, if it is taken now: `start` is what [`start`] made of its control term, and `payload` appends the rest,
    /// of which it may give a tail. `head` says where it goes.
    ///
    /// # Errors
    /// If the message cannot be encoded; then nothing is added.
    pub(super) fn offer(
        &self,
        head: Head,
        start: &[u8],
        payload: impl FnOnce(&mut BytesMut) -> Result<Option<Bytes>, TermError>,
    ) -> Result<Offered, TermError> {
        let state = self.state();
        if state.closed.is_some() {
            return Ok(Offered::Closed);
        }
        if state.waiting() >= self.bounds.0 {
            return Ok(Offered::Full);
        }
        self.append(state, Some(head), |out| out.put_slice(start), payload)?;
        Ok(Offered::Taken)
    }

    fn append(
        &self,
        mut state: MutexGuard<'_, State>,
        head: Option<Head>,
        start: impl FnOnce(&mut BytesMut),
        payload: impl FnOnce(&mut BytesMut) -> Result<Option<Bytes>, TermError>,
    ) -> Result<(), TermError> {
        let before = state.buffer.len();
        if before == 0 {
            let usual = state.usual;
            state.buffer.reserve(usual);
        }
        start(&mut state.buffer);
        let start = state.buffer.len() - before;
        let tail = match payload(&mut state.buffer) {
            Ok(tail) => tail,
            Err(error) => {
                state.buffer.truncate(before);
                return Err(error);
            }
        };
        let length = state.buffer.len() - before;
        if let Some(place) = state.buffer.get_mut(before..before + LENGTH) {
            place.copy_from_slice(&((length - LENGTH) as u32).to_be_bytes());
        }
        state.record(head, length, start, tail);
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
        if state.runs.is_empty() {
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
        // The last signal may go beyond what may wait.
        let usual = bytes.len().max(state.usual - state.usual / 8);
        state.usual = usual.min(self.bounds.0.saturating_mul(2));
        let batch = Batch {
            bytes,
            runs: std::mem::take(&mut state.runs),
        };
        let senders = std::mem::take(&mut state.senders);
        drop(state);
        senders.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(batch))
    }

    /// Charges what came for a full mailbox.
    pub(super) fn charge(&self, bytes: usize) {
        self.arrears().bytes += bytes.cast_signed();
    }

    /// What was charged has been received.
    pub(super) fn release(&self, bytes: usize) {
        let mut arrears = self.arrears();
        arrears.bytes -= bytes.cast_signed();
        let reader = if arrears.bytes < self.arrears_max.cast_signed() {
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
        if arrears.bytes < self.arrears_max.cast_signed() {
            return Poll::Ready(());
        }
        arrears.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Run {
    /// Whether its bytes are packets as they are.
    const fn is_whole(&self) -> bool {
        self.tail.is_none() && (!self.is_single || self.bytes <= HEADER + FRAGMENT_SIZE)
    }

    /// A single signal as it travels; `bytes` are its own.
    fn fragments(self, mut bytes: Bytes, messages: &mut u64) -> impl Iterator<Item = Content> {
        bytes.advance(HEADER.min(bytes.len()));
        fragments(bytes, self.tail, messages)
    }
}

impl Batch {
    /// All of it as lanes carry it, and where it goes if that is known. `messages` counts those in fragments on their
    /// connection.
    pub(super) fn contents(mut self, messages: &mut u64) -> Vec<(Option<Head>, Content)> {
        let mut contents = Vec::with_capacity(self.runs.len());
        for run in self.runs {
            let (head, bytes) = (run.head, self.bytes.split_to(run.bytes));
            if run.is_single {
                contents.extend(run.fragments(bytes, messages).map(|content| (head, content)));
            } else {
                contents.push((head, Content::Run(bytes)));
            }
        }
        contents
    }

    /// All of it as packets.
    ///
    /// # Errors
    /// If a signal has more fragments than there may be.
    pub(super) fn packets(mut self, encoder: &mut StreamEncoder, messages: &mut u64) -> Result<Buffers, PacketError> {
        let mut buffers = Buffers::default();
        let mut whole = 0;
        for run in self.runs {
            if run.is_whole() {
                whole += run.bytes;
                continue;
            }
            buffers.add(self.bytes.split_to(std::mem::take(&mut whole)));
            let bytes = self.bytes.split_to(run.bytes);
            for content in run.fragments(bytes, messages) {
                packets::encode(&content, encoder, &mut buffers)?;
            }
        }
        buffers.add(self.bytes);
        Ok(buffers)
    }
}

/// A signal as it travels: cut, if it is longer than a fragment. A tail begins with a fragment of its own.
fn fragments(mut body: Bytes, tail: Option<Bytes>, messages: &mut u64) -> impl Iterator<Item = Content> {
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
