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

/// Size of the length field of a packet.
const LENGTH: usize = 4;

/// Bytes of a packet before its control term.
pub(super) const HEADER: usize = LENGTH + Format::Header.prefix().len();

/// A connection to another node, shared by all processes: the signals to write, and the debt for messages received.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: u32,
    pub(super) node: Atom,
    /// Bytes that may wait before senders must wait, and bytes that may wait in any case.
    bounds: (usize, usize),
    arrears_max: usize,
    state: Mutex<State>,
    arrears: Mutex<Arrears>,
}

#[derive(Debug, Default)]
struct State {
    /// Signals as packets, one after another, without the tails of large ones.
    buffer: BytesMut,
    /// The runs in the buffer, in order.
    runs: Vec<Run>,
    tail_bytes: usize,
    /// Bytes to reserve at once: as many as recent batches had, so that the buffer need not grow.
    usual: usize,
    /// The handshake is complete.
    is_up: bool,
    /// No more signals are accepted, for this reason.
    closed: Option<String>,
    writer: Option<Waker>,
    senders: Vec<Waker>,
}

/// Bytes that the other node has sent to mailboxes that were full.
#[derive(Debug, Default)]
struct Arrears {
    /// Negative for a moment, if a message is received before its connection is charged for it.
    bytes: isize,
    reader: Option<Waker>,
}

/// Signals that travel together: small messages with the same control term, or a single signal.
#[derive(Debug)]
struct Run {
    /// Their destination. Known only for messages.
    head: Option<Head>,
    /// Their bytes in the buffer.
    bytes: usize,
    /// Bytes before the payload in each message.
    start: usize,
    is_single: bool,
    /// The end of a large message, which is not copied into the buffer.
    tail: Option<Bytes>,
}

/// The result of [`Connection::offer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It will be written.
    Taken,
    /// Too many bytes are waiting already.
    Full,
    /// The connection has ended.
    Closed,
}

/// Signals taken out of a connection to be written.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Bytes,
    runs: Vec<Run>,
}

impl State {
    fn waiting(&self) -> usize {
        self.buffer.len() + self.tail_bytes
    }

    /// Whether the last signal in the buffer, of `length` bytes, belongs to the last run.
    fn continues(&self, length: usize, start: usize) -> bool {
        let Some(run) = self.runs.last() else {
            return false;
        };
        let is_alike = run.head.is_some() && run.tail.is_none() && run.start == start;
        let at = self.buffer.len() - length;
        let control = |at: usize| self.buffer.get(at + LENGTH..at + start);
        is_alike && run.bytes + length <= RUN_MAX && control(at - run.bytes) == control(at)
    }

    /// Records the last signal in the buffer.
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

/// Writes the start of a packet. Its length is filled in later.
fn begin(out: &mut BytesMut) {
    out.put_bytes(0, LENGTH);
    out.put_slice(Format::Header.prefix());
}

/// The start of all messages with this control term.
pub(super) fn start(control: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    begin(&mut out);
    out.put_slice(control);
    out.freeze()
}

impl Connection {
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
        // If encoding fails, the buffer is restored.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrears(&self) -> MutexGuard<'_, Arrears> {
        self.arrears.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the signal that `write` appends, however many bytes are waiting. Does nothing if the connection has ended.
    ///
    /// # Errors
    /// If the signal cannot be encoded. Nothing is added then.
    pub(super) fn push(&self, write: impl FnOnce(&mut BytesMut) -> Result<(), TermError>) -> Result<(), TermError> {
        let state = self.state();
        if state.closed.is_some() {
            return Ok(());
        }
        self.append(state, None, begin, |out| write(out).map(|()| None))
    }

    /// Adds a message, if there is room. `start` is the result of [`start`] for its control term. `payload` appends the rest,
    /// and may return a tail that is not copied. `head` is the destination.
    ///
    /// # Errors
    /// If the message cannot be encoded. Nothing is added then.
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
            state.closed = Some("the node reads too slowly: NodeConfig::outlet_max is exceeded".to_owned());
        }
        let writer = if state.is_up { state.writer.take() } else { None };
        drop(state);
        if let Some(waker) = writer {
            waker.wake();
        }
        Ok(())
    }

    /// Waits until the connection has room, or has ended.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.closed.is_some() || state.waiting() < self.bounds.0 {
            return Poll::Ready(());
        }
        state.senders.push(context.waker().clone());
        Poll::Pending
    }

    /// The handshake is complete: waiting signals can be written.
    pub(super) fn establish(&self) {
        self.state().is_up = true;
    }

    /// Accepts no more signals. Those already accepted are still written.
    pub(super) fn close(&self, reason: &str) {
        let mut state = self.state();
        state.closed.get_or_insert_with(|| reason.to_owned());
        let (writer, senders) = (state.writer.take(), std::mem::take(&mut state.senders));
        drop(state);
        writer.into_iter().chain(senders).for_each(Waker::wake);
    }

    /// Why it accepts no more signals; `None` while it does.
    pub(super) fn closed(&self) -> Option<String> {
        self.state().closed.clone()
    }

    /// All signals that wait to be written. `Err` with the reason, once the connection has ended and everything was written.
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
        // The last signal may exceed the bound.
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

    /// Charges the connection for messages that went to a full mailbox.
    pub(super) fn charge(&self, bytes: usize) {
        self.arrears().bytes += bytes.cast_signed();
    }

    /// Releases a charge: the messages were received.
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

    /// Waits until more may be read from the connection.
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
    /// Whether its bytes can be sent as packets without a change.
    const fn is_whole(&self) -> bool {
        self.tail.is_none() && (!self.is_single || self.bytes <= HEADER + FRAGMENT_SIZE)
    }

    /// A single signal, fragmented if needed. `bytes` are the bytes of this signal.
    fn fragments(self, mut bytes: Bytes, messages: &mut u64) -> impl Iterator<Item = Content> {
        bytes.advance(HEADER.min(bytes.len()));
        fragments(bytes, self.tail, messages)
    }
}

impl Batch {
    /// The batch in the form that lanes carry, each with its destination if known. `messages` counts the fragmented messages
    /// of the connection.
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

    /// The batch as packets.
    ///
    /// # Errors
    /// If a signal has more fragments than the protocol allows.
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

/// A signal, cut into fragments if it is longer than one. A tail starts with a fragment of its own.
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
