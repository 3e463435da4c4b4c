use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Term;

/// What a process receives: a message, or a notification.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A message.
    Term(Term),
    /// An exit signal, for a process that traps exits: `{'EXIT', From, Reason}`.
    Exit {
        /// The process that ended, or that called `exit/2`.
        from: NodePid,
        /// The exit reason.
        reason: Term,
    },
    /// A monitored process has ended: `{'DOWN', Reference, process, From, Reason}`.
    Down {
        /// The monitor, which no longer exists.
        reference: Box<NodeReference>,
        /// What was monitored.
        from: Watched,
        /// Why it ended; `noproc` if it was not there, `noconnection` if its node cannot be reached.
        reason: Term,
    },
    /// A node has connected: `{nodeup, Node}`. It comes before everything from that node.
    NodeUp {
        /// The node.
        node: Atom,
    },
    /// A node has disconnected: `{nodedown, Node}`. It comes after everything from that node.
    NodeDown {
        /// The node.
        node: Atom,
    },
    /// The answer to a spawn request: `{spawn_reply, Request, ok | error, Result}`.
    SpawnReply {
        /// The request.
        request: Box<NodeReference>,
        /// The new process, or the reason why there is none.
        result: Result<NodePid, Atom>,
    },
}

/// What a monitor watches: a process, or a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Watched {
    /// A process.
    Process(NodePid),
    /// The process that had this name when the monitor signal arrived.
    Name {
        /// The registered name.
        name: Atom,
        /// The node where it is registered.
        node: Atom,
    },
}

impl Message {
    /// The term, if this is a message.
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
    /// The term that an Erlang process finds in its mailbox instead.
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
