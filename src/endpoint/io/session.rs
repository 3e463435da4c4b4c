//! How endpoints and the task that owns a session talk: bounded channels of plain values.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::session::Agreed;
use crate::session::Intake;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::Open;

/// Commands that may wait for the session's task; each is at most one read of a leg.
pub const COMMANDS: usize = 1024;

/// Events that may wait for a leg's task. The session keeps at most two deliveries underway to a leg, so this is only
/// reached by a peer that floods one leg with handshake messages, and costs it the circuit.
pub const ENDPOINT_EVENTS: usize = 16;

/// Bytes that a leg may read ahead of what its circuit's credit allows: one long read and a fragment.
pub const READ_AHEAD: u64 = 512 * 1024;

/// What the gateway wants of a session.
#[derive(Debug)]
pub enum Command {
    /// A local BEAM wants to connect; the leg hears [`EndpointEvent::Opened`].
    Open {
        /// The node wanted, `name@host`.
        target: String,
        /// The BEAM's first handshake message, flags masked.
        send_name: Bytes,
        /// The leg.
        leg: EndpointSender,
    },
    /// A leg takes a circuit that the peer opened.
    Accept {
        /// The circuit.
        circuit: CircuitId,
        /// The leg.
        leg: EndpointSender,
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
        terms: Agreed,
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

/// What a session tells a leg.
#[derive(Debug)]
pub enum EndpointEvent {
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
pub struct EndpointSender {
    /// Events for the leg.
    pub events: mpsc::Sender<EndpointEvent>,
    /// Cost of all signals taken from the leg so far: it reads on while less than [`READ_AHEAD`] is not taken.
    pub taken: watch::Sender<u64>,
}

/// The leg's end.
#[derive(Debug)]
pub struct EndpointReceiver {
    /// Events from the session.
    pub events: mpsc::Receiver<EndpointEvent>,
    /// Cost of all signals taken so far.
    pub taken: watch::Receiver<u64>,
}

/// Both ends for a new leg.
pub fn leg() -> (EndpointSender, EndpointReceiver) {
    let (events, events_of_leg) = mpsc::channel(ENDPOINT_EVENTS);
    let (taken, taken_of_leg) = watch::channel(0);
    let receiver = EndpointReceiver {
        events: events_of_leg,
        taken: taken_of_leg,
    };
    (EndpointSender { events, taken }, receiver)
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
    #[cfg(feature = "daemon")]
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
