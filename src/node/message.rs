use bytes::Bytes;

use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Term;

/// What a process receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// What somebody sent.
    Term(Term),
    /// An exit signal, to a process that traps exits: `{'EXIT', From, Reason}`.
    Exit {
        /// Who ended, or asked us to.
        from: NodePid,
        /// Why.
        reason: Term,
    },
    /// What was watched has ended: `{'DOWN', Reference, process, From, Reason}`.
    Down {
        /// The monitor, which is gone now.
        reference: Box<NodeReference>,
        /// What was watched.
        from: Watched,
        /// Why it ended; `noproc` if it was not there, `noconnection` if its node cannot be reached.
        reason: Term,
    },
    /// A node is connected: `{nodeup, Node}`. It comes before anything from that node.
    NodeUp {
        /// The node.
        node: Atom,
    },
    /// A node is no longer connected: `{nodedown, Node}`. It comes after everything from that node.
    NodeDown {
        /// The node.
        node: Atom,
    },
    /// The answer to a request to spawn: `{spawn_reply, Request, ok | error, Result}`.
    SpawnReply {
        /// The request.
        request: Box<NodeReference>,
        /// The new process, or why there is none.
        result: Result<NodePid, Atom>,
    },
}

/// What a monitor watches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Watched {
    /// A process.
    Process(NodePid),
    /// Whatever had the name when the monitor arrived.
    Name {
        /// The registered name.
        name: Atom,
        /// The node where it is registered.
        node: Atom,
    },
}

impl Message {
    /// The term, of what somebody sent.
    pub const fn as_term(&self) -> Option<&Term> {
        match self {
            Self::Term(term) => Some(term),
            _ => None,
        }
    }
}

impl From<Watched> for Term {
    fn from(watched: Watched) -> Self {
        match watched {
            Watched::Process(pid) => pid.into(),
            Watched::Name { name, node } => term!({(name), (node)}),
        }
    }
}

impl From<Message> for Term {
    /// The term that Erlang has in its mailbox in this place.
    fn from(message: Message) -> Self {
        match message {
            Message::Term(term) => term,
            Message::Exit { from, reason } => term!({@"EXIT", (from), (reason)}),
            Message::Down {
                reference,
                from,
                reason,
            } => term!({@"DOWN", (*reference), process, (from), (reason)}),
            Message::NodeUp { node } => term!({nodeup, (node)}),
            Message::NodeDown { node } => term!({nodedown, (node)}),
            Message::SpawnReply {
                request,
                result: Ok(pid),
            } => term!({spawn_reply, (*request), ok, (pid)}),
            Message::SpawnReply {
                request,
                result: Err(reason),
            } => term!({spawn_reply, (*request), error, (reason)}),
        }
    }
}

/// A message in a mailbox, small: most mailboxes hold many or none.
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
    /// A term.
    Term(Term),
    /// Anything else.
    Other(Box<Message>),
}

// A mailbox is a row of these.
const _: () = assert!(size_of::<Mail>() <= 48);

impl Mail {
    /// Whether it is what somebody sent, no exit and the like.
    pub(super) const fn is_message(&self) -> bool {
        matches!(self, Self::Encoded { .. } | Self::Term(_))
    }

    /// What it counts in a mailbox, in bytes: those of the wire, or a flat sum for what never was on it.
    pub(super) fn cost(&self) -> usize {
        const KEEPING: usize = size_of::<Mail>();
        match self {
            Self::Encoded { payload, .. } => KEEPING + payload.len(),
            Self::Term(term) => KEEPING + weight(term),
            Self::Other(_) => KEEPING + size_of::<Message>(),
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
