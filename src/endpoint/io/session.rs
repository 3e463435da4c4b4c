//! How endpoints and the task that owns a session talk: bounded channels of plain values.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::attachment::Attachment;
use crate::session::Agreed;
use crate::session::Intake;
use crate::wire::CircuitId;
use crate::wire::Open;

/// Commands that may wait for the session's task; each is at most what one read of a node's connection brings.
pub const COMMANDS: usize = 1024;

/// What endpoints, and the directory of nodes, want of a session.
#[derive(Debug)]
pub enum Command {
    /// A local node wants to connect; its endpoint hears [`EndpointEvent::Opened`](super::attachment::EndpointEvent::Opened).
    Open {
        /// The node wanted, `name@host`.
        target: String,
        /// The node's first handshake message, flags masked.
        send_name: Bytes,
        /// The endpoint.
        attachment: Attachment,
    },
    /// An endpoint takes a circuit that the peer opened.
    Accept {
        /// The circuit.
        circuit: CircuitId,
        /// The endpoint.
        attachment: Attachment,
    },
    /// The node's next handshake message.
    Handshake {
        /// The circuit.
        circuit: CircuitId,
        /// The message, flags masked.
        message: Bytes,
    },
    /// The nodes have agreed.
    Established {
        /// The circuit.
        circuit: CircuitId,
        /// What was agreed.
        agreed: Agreed,
    },
    /// Signals of the node.
    Signals {
        /// The circuit.
        circuit: CircuitId,
        /// In order.
        signals: Vec<Intake>,
    },
    /// The node has one delivery.
    Written {
        /// The circuit.
        circuit: CircuitId,
        /// Its cost.
        cost: u64,
    },
    /// The endpoint has ended, or nobody takes the circuit.
    Close {
        /// The circuit.
        circuit: CircuitId,
        /// Why.
        reason: String,
    },
    /// How long is the trunk's round trip? Not answered while there is no trunk.
    #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "`beamway ping` asks"))]
    RoundTrip {
        /// The way back.
        answer: oneshot::Sender<Duration>,
    },
    /// A local node came up.
    NodeUp {
        /// The part before the `@`.
        name: String,
        /// The host parts under which it may be meant.
        hosts: Vec<String>,
        /// Whether it is a hidden node.
        hidden: bool,
    },
    /// A local node went down.
    NodeDown {
        /// The part before the `@`.
        name: String,
    },
}

/// The way to the task that owns a session with one peer.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    /// The peer's name.
    pub peer: Arc<str>,
    commands: mpsc::Sender<Command>,
}

impl SessionHandle {
    /// A handle, and where its commands arrive.
    pub fn new(peer: Arc<str>) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        (Self { peer, commands }, receiver)
    }

    /// Hands a command over, waiting for room; `false` when the session is gone.
    pub async fn send(&self, command: Command) -> bool {
        self.commands.send(command).await.is_ok()
    }

    /// Whether the session is gone.
    #[cfg(any(test, feature = "lab"))]
    pub fn is_over(&self) -> bool {
        self.commands.is_closed()
    }

    /// Ends a circuit that the peer opened and nobody takes.
    pub async fn refuse(&self, circuit: CircuitId, reason: String) {
        self.send(Command::Close { circuit, reason }).await;
    }

    pub(super) const fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    /// The round trip to the peer, as its trunk measures it; `None` if there is none now.
    #[cfg(feature = "daemon")]
    pub async fn round_trip(&self) -> Option<Duration> {
        let (answer, told) = oneshot::channel();
        self.send(Command::RoundTrip { answer }).await;
        told.await.ok()
    }
}

/// What sessions tell the directory of nodes.
#[derive(Debug)]
pub enum PeerEvent {
    /// A session with a peer has begun.
    Up(SessionHandle),
    /// A node came up at the peer.
    NodeUp {
        /// The peer.
        peer: Arc<str>,
        /// The part before the `@`.
        name: String,
        /// The host parts under which it may be meant.
        hosts: Vec<String>,
        /// Whether it is a hidden node.
        #[allow(dead_code, reason = "peers say it, and nothing here depends on it yet")]
        hidden: bool,
    },
    /// A node of the peer went down.
    NodeDown {
        /// The peer.
        peer: Arc<str>,
        /// The part before the `@`.
        name: String,
    },
    /// The peer wants a circuit to a local node.
    Opened {
        /// The session.
        session: SessionHandle,
        /// What it wants.
        open: Open,
    },
    /// The session has ended, and all its circuits with it.
    Down {
        /// The peer.
        peer: Arc<str>,
        /// For logs.
        reason: String,
    },
}
