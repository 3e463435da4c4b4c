use bytes::Bytes;

use super::Message;
use crate::codec::Reader;
use crate::dist::PacketError;
use crate::dist::Run;
use crate::etf::Limits;
use crate::etf::Term;
use crate::etf::TermError;
use crate::wire;

/// One entry of a mailbox: a message, or a run of messages. Kept small, since mailboxes hold either many entries or none.
#[derive(Debug)]
pub(super) enum Mail {
    /// A message from another node that has not been decoded.
    Encoded {
        /// The term, without its version byte.
        payload: Bytes,
        /// The connection on which it arrived. It is closed if the payload is not a valid term.
        connection: u32,
        /// Bytes for which the connection is still charged.
        debt: u32,
    },
    /// A run: several such messages that arrived together.
    Packed(Box<Packed>),
    /// A message from this node.
    Term(Term),
    /// Exit signals and other notifications.
    Other(Box<Message>),
}

// A mailbox is an array of these.
const _: () = assert!(size_of::<Mail>() <= 48);

/// A message, as handed to its receiver.
#[derive(Debug)]
pub(super) enum Letter<'a> {
    /// The bytes of a term that has not been decoded, and the buffer that contains them.
    Encoded(&'a [u8], &'a Bytes),
    /// Any other message.
    Open(Message),
}

/// Decodes a message.
///
/// # Errors
/// If the payload is not a valid term.
pub(super) fn open(letter: Letter<'_>, limits: &Limits) -> Result<Message, TermError> {
    match letter {
        Letter::Encoded(payload, bytes) => {
            Term::read_shared(&mut Reader::new(payload), bytes, limits).map(Message::Term)
        }
        Letter::Open(message) => Ok(message),
    }
}

impl Mail {
    /// The receiver is behind: a small message gets memory of its own, instead of a part of a page.
    pub(super) fn detach(&mut self) {
        if let Self::Encoded { payload, .. } = self {
            wire::detach(payload);
        }
    }

    /// Whether it is a message that a process sent, not a notification.
    pub(super) const fn is_message(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// How many messages it holds.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.messages,
            _ => 1,
        }
    }

    /// The bytes that it counts for in a mailbox: the size on the wire, or an estimate for an entry from this node.
    pub(super) fn cost(&self) -> usize {
        const KEEPING: usize = size_of::<Mail>();
        match self {
            Self::Encoded { payload, .. } => KEEPING + payload.len(),
            Self::Packed(packed) => packed.cost(),
            Self::Term(term) => KEEPING + weight(term),
            Self::Other(_) => KEEPING + size_of::<Message>(),
        }
    }

    /// Charges the connection on which it arrived, if there is one. Returns the bytes.
    pub(super) fn charge(&mut self) -> usize {
        let cost = self.cost();
        match self {
            Self::Encoded { debt, .. } => *debt = cost as u32,
            Self::Packed(packed) => packed.debt = cost as u32,
            Self::Term(_) | Self::Other(_) => return 0,
        }
        cost
    }

    /// The connection on which it arrived; 0 for an entry from this node.
    pub(super) fn connection(&self) -> u32 {
        match self {
            Self::Encoded { connection, .. } => *connection,
            Self::Packed(packed) => packed.connection,
            Self::Term(_) | Self::Other(_) => 0,
        }
    }

    /// Ends the charge of its connection. Returns the bytes.
    pub(super) fn settle(&mut self) -> u32 {
        match self {
            Self::Encoded { debt, .. } => std::mem::take(debt),
            Self::Packed(packed) => std::mem::take(&mut packed.debt),
            Self::Term(_) | Self::Other(_) => 0,
        }
    }

    /// Bytes of the messages that remain after one was taken out.
    pub(super) fn left(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.cost(),
            _ => 0,
        }
    }

    /// Takes out the next message.
    pub(super) fn next(&mut self) -> Option<Letter<'_>> {
        match self {
            Self::Encoded { payload, .. } => Some(Letter::Encoded(payload, payload)),
            Self::Packed(packed) => packed.next(),
            Self::Term(term) => Some(Letter::Open(Message::Term(std::mem::take(term)))),
            Self::Other(message) => Some(Letter::Open(std::mem::replace(message, Message::Term(Term::NIL)))),
        }
    }
}

impl From<Message> for Mail {
    fn from(message: Message) -> Self {
        match message {
            Message::Term(term) => Self::Term(term),
            other => Self::Other(Box::new(other)),
        }
    }
}

/// The approximate heap size of a term: the elements of its outermost container, and their bytes.
fn weight(term: &Term) -> usize {
    let flat = |term: &Term| match term {
        Term::Binary(bytes) => bytes.len(),
        Term::Tuple(items) => size_of_val(items.as_slice()),
        Term::List(list) => list.as_bytes().map_or(list.len() * size_of::<Term>(), Bytes::len),
        Term::Map(map) => 2 * size_of::<Term>() * map.len(),
        _ => 0,
    };
    match term {
        Term::Tuple(items) => flat(term) + items.iter().map(flat).sum::<usize>(),
        Term::List(list) if list.as_bytes().is_none() => flat(term) + list.iter().map(flat).sum::<usize>(),
        other => flat(other),
    }
}

/// A run, as it arrived. Its receiver takes out one message after another.
///
/// Its bytes are one allocation that lives until the last message is taken. Its connection is charged for all of it until
/// then, so the memory bound is the same as with single messages.
#[derive(Debug)]
pub(super) struct Packed {
    /// Packets that all have the same control term, which was checked.
    packets: Bytes,
    /// Offset of the next packet.
    at: usize,
    /// Bytes before the payload in each packet, including the length.
    start: usize,
    messages: usize,
    connection: u32,
    debt: u32,
}

impl Packed {
    /// A run of which no message was taken yet, received on `connection`.
    ///
    /// # Errors
    /// If not all packets are messages with the same control term.
    pub(super) fn new(run: Run<'_>, packets: &Bytes, connection: u32) -> Result<Self, PacketError> {
        Ok(Self {
            packets: packets.clone(),
            at: 0,
            start: run.start(),
            messages: run.count()?,
            connection,
            debt: 0,
        })
    }

    /// Bytes of the remaining messages.
    pub(super) const fn cost(&self) -> usize {
        self.packets.len() - self.at
    }

    fn next(&mut self) -> Option<Letter<'_>> {
        let mut reader = Reader::new(self.packets.get(self.at..)?);
        let before = reader.len();
        let length = reader.u32("length").ok()?;
        reader.take(length as usize, "packet").ok()?;
        let end = self.at + before - reader.len();
        let payload = self.packets.get(self.at + self.start..end)?;
        self.at = end;
        self.messages -= 1;
        Some(Letter::Encoded(payload, &self.packets))
    }

    /// The remaining messages, one by one. The debt of the run is divided among them.
    pub(super) fn unpack(mut self) -> impl Iterator<Item = Mail> {
        let mut end = 0;
        std::iter::from_fn(move || {
            let Letter::Encoded(payload, packets) = self.next()? else {
                return None;
            };
            let payload = packets.slice_ref(payload);
            let debt = self.debt.min((self.at - end) as u32);
            end = self.at;
            Some(Mail::Encoded {
                payload,
                connection: self.connection,
                debt,
            })
        })
    }
}
