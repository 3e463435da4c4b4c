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
