use bytes::Bytes;

use crate::etf::Pid;
use crate::wire::CircuitId;
use crate::wire::KnownPeer;
use crate::wire::Open;

/// An event for the owner of a session.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer requests a circuit.
    Opened(Open),
    /// The peer's policy has denied a connection of one of its nodes.
    Denied {
        /// The node of this daemon that was asked for.
        target: String,
        /// For logs: both nodes, and the rule.
        reason: String,
    },
    /// The next handshake message for the local leg.
    Handshake {
        /// The circuit that is being set up.
        circuit: CircuitId,
        /// The message without its length.
        message: Bytes,
    },
    /// Signals were accepted from the leg, which may read as many bytes again.
    Taken {
        /// The circuit.
        circuit: CircuitId,
        /// The number of bytes, as counted by [`Content::cost`](crate::wire::Content::cost).
        cost: u64,
    },
    /// Everything has been delivered: the leg must end.
    Closed {
        /// The circuit, which the session has removed.
        circuit: CircuitId,
        /// For logs.
        reason: String,
    },
    /// The node at the far end of an established circuit has fallen silent, or speaks again.
    Silence {
        /// The circuit.
        circuit: CircuitId,
        /// Whether it is silent.
        is_silent: bool,
    },
    /// These processes of the local node have most of what is on the way to the far node, and must not send for now. All others
    /// may.
    Suspend {
        /// The circuit.
        circuit: CircuitId,
        /// All that are to be suspended.
        senders: Vec<Pid>,
    },
    /// A circuit was closed, by either side.
    Ended {
        /// The circuit.
        circuit: CircuitId,
        /// The number of frames that each lane has carried to the peer.
        frames: Vec<u64>,
    },
    /// A node on the peer's host is up.
    NodeUp {
        /// The part before the `@`.
        name: String,
        /// The host parts under which the node can be addressed.
        hosts: Vec<String>,
        /// Whether the node is hidden.
        hidden: bool,
    },
    /// A node on the peer's host is down.
    NodeDown {
        /// The part before the `@`.
        name: String,
    },
    /// The peer tells of its peers.
    Peers(Vec<KnownPeer>),
    /// The peer leaves.
    Goodbye {
        /// For logs.
        reason: String,
    },
}
