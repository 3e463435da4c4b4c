use bytes::Bytes;

use super::Message;
use crate::codec::Reader;
use crate::dist::PacketError;
use crate::dist::Run;
use crate::etf::Limits;
use crate::etf::Term;
use crate::etf::TermError;

/// What has one place in a mailbox: a message, or a run of them. Small, since most mailboxes hold many or none.
#[derive(Debug)]
pub(super) enum Mail {
    /// A term that has not been decoded.
    Encoded {
        /// The term, without version byte.
        payload: Bytes,
        /// The connection that brought it, which ends if it is no term.
        connection: u32,
        /// What its connection is still charged for it, in bytes.
        debt: u32,
    },
    /// Several such that came together.
    Packed(Box<Packed>),
    /// A term.
    Term(Term),
    /// Anything else.
    Other(Box<Message>),
}

// A mailbox is a row of these.
const _: () = assert!(size_of::<Mail>() <= 48);

/// A message as its receiver finds it.
#[derive(Debug)]
pub(super) enum Letter<'a> {
    /// A term that has not been decoded, and the bytes in which it stands.
    Encoded(&'a [u8], &'a Bytes),
    /// Any other.
    Open(Message),
}

/// The message of a letter.
///
/// # Errors
/// If it is no term.
pub(super) fn open(letter: Letter<'_>, limits: &Limits) -> Result<Message, TermError> {
    match letter {
        Letter::Encoded(payload, bytes) => {
            Term::read_shared(&mut Reader::new(payload), bytes, limits).map(Message::Term)
        }
        Letter::Open(message) => Ok(message),
    }
}

impl Mail {
    /// Whether it is what somebody sent, no exit and the like.
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

    /// What it counts in a mailbox, in bytes: those of the wire, or a flat sum for what never was on it.
    pub(super) fn cost(&self) -> usize {
        const KEEPING: usize = size_of::<Mail>();
        match self {
            Self::Encoded { payload, .. } => KEEPING + payload.len(),
            Self::Packed(packed) => packed.cost(),
            Self::Term(term) => KEEPING + weight(term),
            Self::Other(_) => KEEPING + size_of::<Message>(),
        }
    }

    /// Charges its connection for it, if one has brought it. Gives the bytes.
    pub(super) fn charge(&mut self) -> usize {
        let cost = self.cost();
        match self {
            Self::Encoded { debt, .. } => *debt = cost as u32,
            Self::Packed(packed) => packed.debt = cost as u32,
            Self::Term(_) | Self::Other(_) => return 0,
        }
        cost
    }

    /// The connection that has brought it, 0 if none has.
    pub(super) fn connection(&self) -> u32 {
        match self {
            Self::Encoded { connection, .. } => *connection,
            Self::Packed(packed) => packed.connection,
            Self::Term(_) | Self::Other(_) => 0,
        }
    }

    /// Takes off what its connection is charged, in bytes.
    pub(super) fn settle(&mut self) -> u32 {
        match self {
            Self::Encoded { debt, .. } => std::mem::take(debt),
            Self::Packed(packed) => std::mem::take(&mut packed.debt),
            Self::Term(_) | Self::Other(_) => 0,
        }
    }

    /// Bytes of the messages that are left in it when one was taken out.
    pub(super) fn left(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.cost(),
            _ => 0,
        }
    }

    /// The next message in it, which is not in it any more.
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

/// What a term holds in memory beside itself, roughly: the elements of its outermost container, and their bytes.
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

/// A run as it came: its receiver takes one message after another out of it.
///
/// Its bytes are one piece of memory, which is there until the last message is gone. So its connection is charged for all
/// of it until then, and memory stays within the same bound as with single messages.
#[derive(Debug)]
pub(super) struct Packed {
    /// Packets of one control term, that were found to be so.
    packets: Bytes,
    /// Where the next one begins.
    at: usize,
    /// Bytes of each before its payload, its length among them.
    start: usize,
    messages: usize,
    connection: u32,
    debt: u32,
}

impl Packed {
    /// The `packets` of a run of which nothing was read yet, brought by `connection`.
    ///
    /// # Errors
    /// If not all of them are messages with the same control term.
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

    /// Bytes of the messages in it.
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

    /// All messages that are left, each by itself; together they owe what the run does.
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
