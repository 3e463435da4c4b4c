use thiserror::Error;

use crate::dist::ControlError;
use crate::dist::HandshakeError;
use crate::dist::PacketError;
use crate::endpoint::Closed;
use crate::etf::Atom;
use crate::etf::Term;
use crate::etf::TermError;

/// Why a connection to another node could not be established, or why it ended.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// The socket failed.
    #[error("connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The other node closed the connection.
    #[error("connection_closed: the other node closed the connection")]
    Closed,
    /// The other node sent a malformed or unexpected handshake message.
    #[error("handshake: {0}")]
    Handshake(String),
    /// The other node has a different cookie.
    #[error("handshake: the digest of {0} does not match our cookie; both nodes need the same cookie")]
    Cookie(String),
    /// The connection ended when the other node's acknowledgement was due. Most likely it has a different cookie.
    #[error("handshake: {node} did not acknowledge our digest; does it have another cookie? ({by})")]
    Unacknowledged {
        /// The other node.
        node: String,
        /// How the connection ended.
        by: String,
    },
    /// The address that was dialled belongs to another node.
    #[error("handshake: the node that was called {wanted} has another name, {found}: use that one")]
    WrongNode {
        /// The node that was dialled.
        wanted: String,
        /// The node that answered.
        found: String,
    },
    /// The other node lacks distribution flags that a native node requires.
    #[error("handshake: {node} lacks {missing}; OTP 25 or later is required")]
    Flags {
        /// The other node.
        node: String,
        /// The missing flags.
        missing: String,
    },
    /// The other node refused the connection.
    #[error("handshake: {node} refused the connection: {status}")]
    Refused {
        /// The other node.
        node: String,
        /// The handshake status it sent, or what that means.
        status: &'static str,
    },
    /// This node refused the connection.
    #[error("handshake: {node} was refused: {why}")]
    Refusing {
        /// The other node.
        node: String,
        /// The reason.
        why: &'static str,
    },
    /// The other node sent a malformed packet.
    #[error("packet: {0}")]
    Packet(String),
    /// The other node sent a malformed signal.
    #[error("signal: {0}")]
    Control(String),
    /// A signal claims a sender on a node other than the one at the end of this connection.
    #[error("signal: {operation} claims to come from a process of {claimed}, but arrived from {node}")]
    Impostor {
        /// The operation of the signal, such as `LINK`.
        operation: &'static str,
        /// The node of the claimed sender.
        claimed: Atom,
        /// The node at the other end of the connection.
        node: Atom,
    },
    /// The payload of a message is not a valid term.
    #[error("message: {0}")]
    Term(#[from] TermError),
    /// A message, or all partly received messages together, exceed [`NodeConfig::message`](super::NodeConfig::message) bytes.
    #[error("message of more than {0} bytes (limit: NodeConfig::message)")]
    Oversized(usize),
    /// The other node was silent for [`NodeConfig::net_ticktime`](super::NodeConfig::net_ticktime).
    #[error("net_tick_timeout: nothing was received for {0:?}")]
    Silent(std::time::Duration),
    /// The connection was not established in time.
    #[error("the connection was not established within {0:?}")]
    Late(std::time::Duration),
    /// The node is not registered with the port mapper. The fields are the address of the port mapper and the name of the
    /// node.
    #[error("node {1} is not registered with the port mapper at {0}")]
    Unknown(String, String),
    /// The policy does not let the peer speak for the node.
    #[error("peer {peer} may not speak for node {node}: {reason}")]
    Policy {
        /// The peer.
        peer: String,
        /// The node.
        node: String,
        /// What does not fit, and what would.
        reason: String,
    },
    /// The node is neither local nor announced by a peer.
    #[error("node {node} is neither local nor announced by a peer{hint}; known nodes: {known}")]
    Nowhere {
        /// The node.
        node: String,
        /// A similar name, as text, or nothing.
        hint: String,
        /// Some of the known nodes, separated by commas.
        known: String,
    },
    /// The circuit was closed, with this reason.
    #[error("{0}")]
    CircuitClosed(String),
    /// This node, its daemon or its session ended the connection, with this reason.
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
    /// The node name is not valid.
    #[error("{0}")]
    Name(String),
    /// The node cannot listen, or cannot register with the port mapper.
    #[error("{what}: {source}")]
    Io {
        /// What failed.
        what: String,
        /// The error that the system reports.
        source: std::io::Error,
    },
    /// Another node has the name.
    #[error("the node name {0} is taken")]
    Taken(String),
    /// The daemon to attach to has stopped.
    #[error("the daemon to attach to has stopped")]
    NoDaemon,
}

impl From<HandshakeError> for StartError {
    fn from(error: HandshakeError) -> Self {
        Self::Name(error.to_string())
    }
}

/// Why a message was not sent. A message to a process or node that is gone is not an error: it is lost, as in Erlang.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    /// No process of this node is registered under that name.
    #[error("badarg: no process is registered as {0}")]
    NotRegistered(Atom),
    /// The mailbox of the receiver, a process of this node, is full many times over, and to wait for room would be to wait for ever:
    /// the receiver is this process, or waits for room in this process's mailbox. Receive something, and send again.
    #[error("system_limit: the mailbox of the receiver is full, and the receiver waits until this process receives")]
    Deadlock,
    /// The term cannot be encoded.
    #[error(transparent)]
    Term(#[from] TermError),
}

/// A process has ended, for this reason.
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
    /// The server has ended or was not there. Holds `noproc`, `noconnection`, or the exit reason of the server.
    #[error("the server ended: {0}")]
    Down(Term),
}

/// Why a name was not registered.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RegisterError {
    /// Another process has this name, or this process already has another one.
    #[error("badarg: the name {0} is taken, or the process has one already")]
    Taken(Atom),
    /// The process is not alive on this node, or the name is `undefined`, which is reserved.
    #[error("badarg: the process is not alive on this node, or the name is reserved (undefined)")]
    NoProcess,
}
