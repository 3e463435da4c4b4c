use bytes::Bytes;

use crate::wire::CircuitId;
use crate::wire::Open;

/// What the gateway must hear.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer wants a circuit.
    Opened(Open),
    /// The next handshake message for the local leg.
    Handshake {
        /// The circuit being set up.
        circuit: CircuitId,
        /// The message without its length.
        message: Bytes,
    },
    /// Signals were accepted from the leg, which may read as many more bytes.
    Taken {
        /// The circuit.
        circuit: CircuitId,
        /// Bytes as [`Content::cost`](crate::wire::Content::cost) counts them.
        cost: u64,
    },
    /// Everything that was to be delivered has been: the leg ends.
    Finished {
        /// The circuit; the session has forgotten it.
        circuit: CircuitId,
        /// For logs.
        reason: String,
    },
    /// A circuit is over, whoever ended it.
    Ended {
        /// The circuit.
        circuit: CircuitId,
        /// How many frames each lane has carried towards the peer.
        frames: Vec<u64>,
    },
    /// A node came up at the peer's host.
    NodeUp {
        /// The part before the `@`.
        name: String,
        /// The host parts under which it may be meant.
        hosts: Vec<String>,
        /// Whether it is a hidden node.
        hidden: bool,
    },
    /// A node of the peer's host went down.
    NodeDown {
        /// The part before the `@`.
        name: String,
    },
    /// The peer leaves.
    Goodbye {
        /// For logs.
        reason: String,
    },
}
