//! How the gateway's tasks, native nodes and the task that owns a session talk: bounded channels of plain values.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use super::Intake;
use super::Terms;
use crate::router::NodePattern;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::Open;

/// Commands that may wait for the session's task; each is at most one read of a leg.
pub const COMMANDS: usize = 1024;

/// Events that may wait for a leg's task. The session keeps at most two deliveries underway to a leg, so this is only
/// reached by a peer that floods one leg with handshake messages, and costs it the circuit.
pub const LEG_EVENTS: usize = 16;

/// Bytes that a leg may read ahead of what its circuit's credit allows: one long read and a fragment.
pub const READ_AHEAD: u64 = 512 * 1024;

/// What the gateway wants of a session.
#[derive(Debug)]
pub enum Command {
    /// A local BEAM wants to connect; the leg hears [`LegEvent::Opened`].
    Open {
        /// The node wanted, `name@host`.
        target: String,
        /// The BEAM's first handshake message, flags masked.
        send_name: Bytes,
        /// The leg.
        leg: LegSender,
    },
    /// A leg takes a circuit that the peer opened.
    Accept {
        /// The circuit.
        circuit: CircuitId,
        /// The leg.
        leg: LegSender,
    },
    /// The leg's next handshake message.
    Handshake {
        /// The circuit.
        circuit: CircuitId,
        /// The message, flags masked.
        message: Bytes,
    },
    /// The leg speaks packets now.
    Established {
        /// The circuit.
        circuit: CircuitId,
        /// What was agreed.
        terms: Terms,
    },
    /// Signals of the BEAM.
    Signals {
        /// The circuit.
        circuit: CircuitId,
        /// In order.
        signals: Vec<Intake>,
    },
    /// One delivery was written to the BEAM.
    Written {
        /// The circuit.
        circuit: CircuitId,
        /// Its cost.
        cost: u64,
    },
    /// The leg has ended.
    Close {
        /// The circuit.
        circuit: CircuitId,
        /// Why.
        reason: String,
    },
    /// How long is the trunk's round trip? Not answered while there is no trunk.
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

/// What a session tells a leg.
#[derive(Debug)]
pub enum LegEvent {
    /// The circuit that was wanted has this id.
    Opened(CircuitId),
    /// The far side's next handshake message.
    Handshake(Bytes),
    /// Write this to the BEAM, in this order, and answer with one [`Command::Written`].
    Deliver(Vec<Content>),
    /// Nothing more will come: write what is left and end.
    Finished(String),
}

/// The session's end of a leg.
#[derive(Debug)]
pub struct LegSender {
    /// Events for the leg.
    pub events: mpsc::Sender<LegEvent>,
    /// Cost of all signals taken from the leg so far: it reads on while less than [`READ_AHEAD`] is not taken.
    pub taken: watch::Sender<u64>,
}

/// The leg's end.
#[derive(Debug)]
pub struct LegReceiver {
    /// Events from the session.
    pub events: mpsc::Receiver<LegEvent>,
    /// Cost of all signals taken so far.
    pub taken: watch::Receiver<u64>,
}

/// Both ends for a new leg.
pub fn leg() -> (LegSender, LegReceiver) {
    let (events, events_of_leg) = mpsc::channel(LEG_EVENTS);
    let (taken, taken_of_leg) = watch::channel(0);
    let receiver = LegReceiver {
        events: events_of_leg,
        taken: taken_of_leg,
    };
    (LegSender { events, taken }, receiver)
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

    /// The round trip to the peer, as its trunk measures it; `None` if there is none now.
    pub async fn round_trip(&self) -> Option<Duration> {
        let (answer, told) = oneshot::channel();
        self.send(Command::RoundTrip { answer }).await;
        told.await.ok()
    }
}

/// What sessions tell the gateway.
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

/// Questions of native nodes that may wait for the gateway.
pub const REQUESTS: usize = 256;

/// Circuits that may wait for a native node to take them; beyond it they are refused.
pub const CALLERS: usize = 64;

/// A native node, as the gateway must know it.
#[derive(Debug)]
pub struct NativeNode {
    /// The part of its name before the `@`.
    pub name: String,
    /// The part after it.
    pub host: String,
    /// Whether it is a hidden node.
    pub hidden: bool,
    /// Where it listens for plain distribution on this host; 0 if it does not.
    pub port: u16,
    /// Where circuits to it go. The node is gone when the receiver is dropped.
    pub callers: mpsc::Sender<Caller>,
}

/// A circuit that a peer opened to a native node, which answers with [`Command::Accept`] or [`Command::Close`].
#[derive(Debug)]
pub struct Caller {
    /// The session.
    pub session: SessionHandle,
    /// What the peer wants.
    pub open: Open,
    /// Which node names the peer may speak for; any, if there is none. The initiator's was checked if it has said one.
    pub policy: Option<Arc<[NodePattern]>>,
}

/// What a native node asks of the gateway, which knows where nodes are.
#[derive(Debug)]
pub enum Request {
    /// May this node be here? Answered with its incarnation, or `None` if its name is taken.
    Attach {
        /// The node.
        node: NativeNode,
        /// The way back.
        answer: oneshot::Sender<Option<u32>>,
    },
    /// The node has ended.
    Detach {
        /// The part of its name before the `@`.
        name: String,
    },
    /// Where is this node?
    Find {
        /// Its full name.
        target: String,
        /// The way back.
        answer: oneshot::Sender<Place>,
    },
}

/// Where a node is.
#[derive(Clone, Debug)]
pub enum Place {
    /// On this host; it listens for plain distribution on this port.
    Here {
        /// The port.
        port: u16,
    },
    /// A peer has it.
    Peer {
        /// The session that reaches it.
        session: SessionHandle,
        /// Which node names the peer may speak for; any, if there is none.
        policy: Option<Arc<[NodePattern]>>,
    },
    /// Nobody has it.
    Unknown {
        /// The nodes that there are, by their full names, a few of them.
        known: Vec<String>,
        /// The peers that are there.
        peers: Vec<Arc<str>>,
    },
}
