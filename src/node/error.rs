use thiserror::Error;

use crate::dist::ControlError;
use crate::dist::HandshakeError;
use crate::dist::PacketError;
use crate::endpoint::Closed;
use crate::etf::Atom;
use crate::etf::Term;
use crate::etf::TermError;

/// Why a connection to another node did not come up, or ended.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// The socket failed.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The other node closed it.
    #[error("connection_closed: the other node closed the connection")]
    Closed,
    /// What came is no handshake message, or not the one that was due.
    #[error("handshake: {0}")]
    Handshake(String),
    /// The other node has another cookie.
    #[error("handshake: the digest of {0} does not fit our cookie; both nodes need the same one")]
    Cookie(String),
    /// The other node did not like our digest, most likely.
    #[error("handshake: {node} did not acknowledge our digest; does it have another cookie? ({by})")]
    Unacknowledged {
        /// The node.
        node: String,
        /// How it showed.
        by: String,
    },
    /// Another node answered than was called.
    #[error("handshake: {found} answered where {wanted} was called")]
    WrongNode {
        /// Who was called.
        wanted: String,
        /// Who answered.
        found: String,
    },
    /// The other node cannot do what a native node needs.
    #[error("handshake: {node} lacks {missing}; OTP 25 or later is needed")]
    Flags {
        /// The node.
        node: String,
        /// What it lacks.
        missing: String,
    },
    /// The other node refused.
    #[error("handshake: {node} answered {status}")]
    Refused {
        /// The node.
        node: String,
        /// Its status.
        status: &'static str,
    },
    /// We refuse the other node.
    #[error("handshake: {node} is refused: {why}")]
    Refusing {
        /// The node.
        node: String,
        /// Why.
        why: &'static str,
    },
    /// What came is no packet.
    #[error("packet: {0}")]
    Packet(String),
    /// What came is no signal.
    #[error("signal: {0}")]
    Control(String),
    /// A signal claims to come from a process of another node.
    #[error("signal: {operation} from a process of {claimed} on the connection of {node}")]
    Impostor {
        /// What it does.
        operation: &'static str,
        /// Whose process it says.
        claimed: Atom,
        /// Whose connection it is.
        node: Atom,
    },
    /// A message was no term.
    #[error("message: {0}")]
    Term(#[from] TermError),
    /// A message was too long.
    #[error("message of more than {0} bytes")]
    Oversized(usize),
    /// Nothing came for too long.
    #[error("net_tick_timeout: nothing came within {0:?}")]
    Silent(std::time::Duration),
    /// It did not come up in time.
    #[error("the connection was not up within {0:?}")]
    Late(std::time::Duration),
    /// The port mapper does not know the node.
    #[error("the port mapper at {0} knows no node {1}")]
    Unknown(String, String),
    /// The peer may not speak for that node.
    #[error("peer {peer} may not speak for node {node}: no pattern of its `allow` fits")]
    Policy {
        /// The peer.
        peer: String,
        /// The node.
        node: String,
    },
    /// Neither the daemon nor its peers have the node.
    #[error("no node {node} here or at a peer; there are: {known}")]
    Nowhere {
        /// The node.
        node: String,
        /// Some of the nodes there are.
        known: String,
    },
    /// The daemon ended the circuit.
    #[error("{0}")]
    CircuitClosed(String),
    /// We closed it.
    #[error("{0}")]
    Local(String),
}

impl From<Closed> for ConnectionError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Circuit(reason) => Self::CircuitClosed(reason),
            Closed::NoSession => Self::Local(closed.to_string()),
        }
    }
}

impl From<HandshakeError> for ConnectionError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error.to_string())
    }
}

impl From<PacketError> for ConnectionError {
    fn from(error: PacketError) -> Self {
        Self::Packet(error.to_string())
    }
}

impl From<ControlError> for ConnectionError {
    fn from(error: ControlError) -> Self {
        Self::Control(error.to_string())
    }
}

/// Why a node could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The name is none.
    #[error("{0}")]
    Name(String),
    /// No listening socket, or no port mapper.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The port mapper refused the name.
    #[error("the name {0} is taken")]
    Taken(String),
    /// The daemon to attach to has ended.
    #[error("the daemon to attach to has ended")]
    NoDaemon,
}

impl From<HandshakeError> for StartError {
    fn from(error: HandshakeError) -> Self {
        Self::Name(error.to_string())
    }
}

/// Why a message was not sent. What is sent to a process or node that is gone is no error: it is lost, as in Erlang.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    /// Nothing is registered here under that name.
    #[error("badarg: nothing is registered as {0}")]
    NotRegistered(Atom),
    /// The term cannot be encoded.
    #[error(transparent)]
    Term(#[from] TermError),
}

/// A process has ended, and why.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("exit: {reason}")]
pub struct Exited {
    /// The exit reason.
    pub reason: Term,
}

/// Why a call got no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CallError {
    /// The request could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// No answer came in time.
    #[error("timeout")]
    Timeout,
    /// The server ended, or was not there: `noproc`, `noconnection`, or its exit reason.
    #[error("the server ended: {0}")]
    Down(Term),
}

/// Why a name was not registered.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RegisterError {
    /// Another process has it, or this one has another name.
    #[error("badarg: the name {0} is taken, or the process has one already")]
    Taken(Atom),
    /// The process has ended, or the name is `undefined`.
    #[error("badarg: no living process, or a name that none may have")]
    NoProcess,
}
