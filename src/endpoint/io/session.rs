//! The messages between endpoints and the task that owns a session: plain values on bounded channels.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::attachment::Attachment;
use crate::endpoint::Nodes;
use crate::endpoint::SessionReport;
use crate::router::Policy;
use crate::session::Agreed;
use crate::session::Bounds;
use crate::session::Intake;
use crate::wire::CircuitId;
use crate::wire::Open;

/// The capacity of a session's queue of commands. A command holds at most the signals of one read from a node's connection.
pub const COMMANDS: usize = 1024;

/// A command from an endpoint or the hub to a session.
#[derive(Debug)]
pub enum Command {
    /// A local node wants to connect. Its endpoint gets [`EndpointEvent::Opened`](super::attachment::EndpointEvent::Opened).
    Open {
        /// The full name of the target node, `name@host`.
        target: String,
        /// The node's first handshake message, with masked flags.
        send_name: Bytes,
        /// The endpoint.
        attachment: Attachment,
    },
    /// An endpoint accepts a circuit that the peer opened.
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
        /// The message, with masked flags.
        message: Bytes,
    },
    /// The nodes have completed their handshake.
    Established {
        /// The circuit.
        circuit: CircuitId,
        /// What the nodes agreed on.
        agreed: Agreed,
        /// Which nodes these are.
        nodes: Nodes,
    },
    /// Signals of the node.
    Signals {
        /// The circuit.
        circuit: CircuitId,
        /// The signals, in order.
        signals: Vec<Intake>,
    },
    /// A delivery was written to the node.
    Written {
        /// The circuit.
        circuit: CircuitId,
        /// The cost of the delivery.
        cost: u64,
    },
    /// The node has fallen silent, or speaks again.
    Silence {
        /// The circuit.
        circuit: CircuitId,
        /// Whether it is silent.
        is_silent: bool,
    },
    /// The endpoint has ended, or no local node accepts the circuit.
    Close {
        /// The circuit.
        circuit: CircuitId,
        /// The reason, which the peer gets.
        reason: String,
    },
    /// The policy of this daemon has denied a connection of a local node: the peer's log shall have it.
    Deny {
        /// The full name of the node that was asked for.
        target: String,
        /// The reason, which the peer gets.
        reason: String,
    },
    /// Asks for the trunk's round-trip time. The question is dropped if there is no trunk.
    #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "`beamway ping` asks"))]
    RoundTrip {
        /// Where the answer goes.
        answer: oneshot::Sender<Duration>,
    },
    /// A local node came up.
    NodeUp {
        /// The part before the `@`.
        name: String,
        /// The host parts by which it can be addressed.
        hosts: Vec<String>,
        /// Whether it is a hidden node.
        hidden: bool,
    },
    /// A local node went down.
    NodeDown {
        /// The part before the `@`.
        name: String,
    },
    /// The peer may speak for these nodes from now on, and these rules hold between nodes. Circuits that may not be are closed.
    Allow(Policy),
    /// Other bounds apply from now on.
    Bounds(Bounds),
    /// Asks what the session can tell about itself.
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    Report {
        /// Where the answer goes.
        answer: oneshot::Sender<SessionReport>,
    },
}

/// A handle for the task that owns the session with a peer.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    /// The peer's name.
    pub peer: Arc<str>,
    /// Whether the peer can be told that a node is silent: its version of the protocol has a notice for it.
    pub tells_silence: bool,
    /// Whether the peer itself is silent.
    pub peer_silence: PeerSilence,
    commands: mpsc::Sender<Command>,
}

/// Whether nothing is heard of a peer: its trunk is lost, or it acknowledges nothing. The task of the session updates it.
#[derive(Clone, Debug, Default)]
pub struct PeerSilence(Arc<AtomicBool>);

impl PeerSilence {
    /// Updates it.
    pub fn set(&self, is_silent: bool) {
        self.0.store(is_silent, Relaxed);
    }

    /// Whether the peer is silent now.
    #[cfg_attr(not(feature = "internals"), allow(dead_code, reason = "for a carrier inside a VM"))]
    pub fn is_silent(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl SessionHandle {
    /// Creates a handle, and the receiver of its commands.
    pub fn new(peer: Arc<str>) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let handle = Self {
            peer,
            tells_silence: true,
            peer_silence: PeerSilence::default(),
            commands,
        };
        (handle, receiver)
    }

    /// Sends a command, and waits for room in the queue if necessary. Returns `false` if the session has ended.
    pub async fn send(&self, command: Command) -> bool {
        self.commands.send(command).await.is_ok()
    }

    /// Whether the session has ended.
    #[cfg(any(test, feature = "lab"))]
    pub fn is_over(&self) -> bool {
        self.commands.is_closed()
    }

    /// Closes a circuit that the peer opened and no local node accepts.
    pub async fn refuse(&self, circuit: CircuitId, reason: String) {
        self.send(Command::Close { circuit, reason }).await;
    }

    /// Tells the peer that the policy of this daemon has denied a connection to one of its nodes, which hears nothing of it.
    pub async fn deny(&self, target: String, reason: String) {
        self.send(Command::Deny { target, reason }).await;
    }

    pub(super) const fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    /// What the session tells about itself; `None` if it has ended.
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    pub async fn report(&self) -> Option<SessionReport> {
        let (answer, told) = oneshot::channel();
        self.send(Command::Report { answer }).await;
        told.await.ok()
    }

    /// The round-trip time to the peer, as measured by the trunk; `None` if there is no trunk now.
    #[cfg(feature = "daemon")]
    pub async fn round_trip(&self) -> Option<Duration> {
        let (answer, told) = oneshot::channel();
        self.send(Command::RoundTrip { answer }).await;
        told.await.ok()
    }
}

/// An event from a session for the hub.
#[derive(Debug)]
pub enum PeerEvent {
    /// A session with a peer has started.
    Up {
        /// The session.
        session: SessionHandle,
        /// The hosts in the peer's certificate.
        hosts: Arc<[String]>,
    },
    /// The session goes on over a trunk on which the peer presented another certificate.
    Certified {
        /// The peer.
        peer: Arc<str>,
        /// The hosts in the certificate.
        hosts: Arc<[String]>,
    },
    /// A node of the peer came up.
    NodeUp {
        /// The peer.
        peer: Arc<str>,
        /// The part before the `@`.
        name: String,
        /// The host parts by which it can be addressed.
        hosts: Vec<String>,
        /// Whether it is a hidden node.
        #[allow(dead_code, reason = "part of the announcement, but not used yet")]
        hidden: bool,
    },
    /// A node of the peer went down.
    NodeDown {
        /// The peer.
        peer: Arc<str>,
        /// The part before the `@`.
        name: String,
    },
    /// The peer opens a circuit to a local node.
    Opened {
        /// The session with the peer.
        session: SessionHandle,
        /// The peer's request.
        open: Open,
    },
    /// A host was dialled, since a node of it was asked for. What its daemon has announced is known by now.
    HostDialled {
        /// The host and the port.
        address: String,
    },
    /// The session has ended, and all its circuits with it.
    Down {
        /// The peer.
        peer: Arc<str>,
        /// The reason, for logs.
        reason: String,
    },
}
