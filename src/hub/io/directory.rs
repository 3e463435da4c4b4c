//! How the gateway and native nodes attach their nodes and ask where others are, and how circuits that peers open find
//! them: bounded channels of plain values.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::endpoint::io::session::SessionHandle;
use crate::epmd::Registration;
use crate::router::Policy;
use crate::wire::Open;

/// Requests that may wait for the hub.
pub const REQUESTS: usize = 256;

/// Circuits that may wait for a native node to take them; beyond it they are refused.
pub const CALLERS: usize = 64;

/// A node of this host, as the hub must know it.
#[derive(Debug)]
pub struct LocalNode {
    /// The part of its name before the `@`; its type; and the port where it listens for plain distribution on this host,
    /// 0 if it does not.
    pub registration: Registration,
    /// The host parts under which it may be meant.
    pub hosts: Vec<String>,
    /// Where circuits to it go. The node is gone when the receiver is dropped.
    pub callers: mpsc::Sender<Caller>,
}

/// A circuit that a peer opened to a local node, which takes or refuses it.
#[derive(Debug)]
pub struct Caller {
    /// The session.
    pub session: SessionHandle,
    /// What the peer wants.
    pub open: Open,
    /// Which nodes the peer may speak for. The initiator's was checked if it has said one.
    pub policy: Policy,
}

/// What local nodes ask of the hub.
#[derive(Debug)]
pub enum Request {
    /// May this node be here? Answered with its incarnation, or `None` if its name is taken.
    Attach {
        /// The node.
        node: LocalNode,
        /// The way back.
        answer: oneshot::Sender<Option<u32>>,
    },
    /// The node has ended.
    Detach {
        /// The part of its name before the `@`.
        name: String,
        /// Its incarnation: another node may have taken the name meanwhile.
        creation: u32,
    },
    /// How is this node reached?
    Find {
        /// Its full name.
        target: String,
        /// The way back.
        answer: oneshot::Sender<Place>,
    },
    /// Which node does a name mean that was asked at an address?
    LookUp {
        /// A bare or a full name.
        name: String,
        /// The local address that the question arrived on: it names the host meant.
        arrived_on: IpAddr,
        /// The way back.
        answer: oneshot::Sender<Found>,
    },
    /// Which nodes are attached?
    Names {
        /// The way back.
        answer: oneshot::Sender<Vec<Registration>>,
    },
}

/// How a node is reached.
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
        /// Which nodes the peer may speak for.
        policy: Policy,
    },
    /// Nobody has it.
    Unknown {
        /// The nodes that there are, by their full names, a few of them.
        known: Vec<String>,
        /// The peers that are there.
        #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "the one-shot commands ask"))]
        peers: Vec<Arc<str>>,
    },
}

/// Which node a name means.
#[derive(Clone, Debug)]
pub enum Found {
    /// A node of this host.
    Local(Registration),
    /// A peer's.
    Remote(RemoteNode),
    /// None.
    Unknown,
    /// One of these: a bare name that fits nodes of several peers.
    Ambiguous(Vec<String>),
}

/// A node of a peer.
#[derive(Clone, Debug)]
pub struct RemoteNode {
    /// The session that reaches it.
    pub session: SessionHandle,
    /// The part of its name before the `@`.
    pub name: String,
    /// The host part meant.
    pub host: String,
    /// Which nodes the peer may speak for.
    pub policy: Policy,
    /// Cancelled when the peer withdraws the node or is gone.
    pub gone: CancellationToken,
}
