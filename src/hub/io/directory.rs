//! The messages by which the gateway and native nodes attach nodes and look up others, and by which they receive circuits that
//! peers open: plain values on bounded channels.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::endpoint::io::session::SessionHandle;
use crate::epmd::Registration;
use crate::hub::Scope;
use crate::router::Policies;
use crate::router::Policy;
use crate::session::Bounds;
use crate::wire::Open;

/// The capacity of the hub's queue of requests.
pub const REQUESTS: usize = 256;

/// How many circuits may wait until a native node accepts them. Further circuits are refused.
pub const CALLERS: usize = 64;

/// A local node that attaches to the hub.
#[derive(Debug)]
pub struct LocalNode {
    /// The part of its name before the `@`, its type, and the port on which it listens for plain distribution on this host, or
    /// 0 if it does not listen.
    pub registration: Registration,
    /// The host parts by which it can be addressed. They are announced to peers.
    pub hosts: Vec<String>,
    /// More host parts, by which only nodes of this host can address it.
    pub private: Vec<String>,
    /// Receives circuits to the node. When the receiver is dropped, the node counts as gone.
    pub callers: mpsc::Sender<Caller>,
}

/// A circuit that a peer opened to a local node. The node accepts or refuses it.
#[derive(Debug)]
pub struct Caller {
    /// The session with the peer.
    pub session: SessionHandle,
    /// The peer's request.
    pub open: Open,
    /// The nodes for which the peer may speak. The initiator's name has been checked, if it has one yet.
    pub policy: Policy,
}

/// A request to the hub.
#[derive(Debug)]
pub enum Request {
    /// Attaches a node. The answer is its creation, or `None` if it was refused.
    Attach {
        /// The node.
        node: LocalNode,
        /// Where the answer goes.
        answer: oneshot::Sender<Option<u32>>,
    },
    /// Reports that a node has ended.
    Detach {
        /// The part of its name before the `@`.
        name: String,
        /// Its creation, since another node may have taken the name meanwhile.
        creation: u32,
    },
    /// Asks how a node can be reached. Waits for peers that are being dialled.
    Find {
        /// The full name of the node.
        target: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Place>,
    },
    /// Asks which node has a name, for a question to the port mapper.
    LookUp {
        /// A bare or a full name.
        name: String,
        /// The local address on which the question arrived. It determines the host part of a bare name.
        arrived_on: IpAddr,
        /// Whether the question may wait for peers that are being dialled.
        may_wait: bool,
        /// Where the answer goes.
        answer: oneshot::Sender<Found>,
    },
    /// Replaces the host parts of a local node, because this host has other addresses now.
    SetHosts {
        /// The part of its name before the `@`.
        name: String,
        /// The host parts by which it can be addressed.
        hosts: Vec<String>,
        /// More host parts, by which only nodes of this host can address it.
        private: Vec<String>,
    },
    /// Asks about the name that a connection claims to be a local node's.
    FindInitiator {
        /// The claimed full name.
        node: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Initiator>,
    },
    /// Asks which nodes there are.
    Names {
        /// Which of them.
        scope: Scope,
        /// Where the answer goes.
        answer: oneshot::Sender<Vec<Found>>,
    },
    /// The configuration of peers has changed.
    Change {
        /// For which nodes each peer may speak.
        policies: Policies,
        /// The nodes for which peers let this daemon speak by default; `None` if that has not changed.
        own: Option<Policy>,
        /// The bounds of sessions.
        bounds: Bounds,
    },
    /// What is known of nodes and peers.
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    Report {
        /// Where the answer goes.
        answer: oneshot::Sender<HubReport>,
    },
}

/// What a hub knows of nodes and peers.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct HubReport {
    /// The nodes of this daemon, each with its host parts, and whether it is hidden.
    pub local: Vec<(String, Vec<String>, bool)>,
    /// The sessions, each with the nodes that its peer holds, each by one full name.
    pub sessions: Vec<(SessionHandle, Vec<String>)>,
}

/// Whether a connection can be that of a local node with the name that it claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// A local node has registered the name.
    Registered,
    /// Nobody has the name.
    Unregistered,
    /// A peer holds the full name.
    Elsewhere(Arc<str>),
}

/// How a node can be reached.
#[derive(Clone, Debug)]
pub enum Place {
    /// The node is on this host and listens for plain distribution.
    Here {
        /// The port on which it listens.
        port: u16,
    },
    /// The node is at a peer.
    Peer {
        /// The session with the peer.
        session: SessionHandle,
        /// The nodes for which the peer may speak.
        policy: Policy,
    },
    /// There is no such node.
    Unknown {
        /// Some nodes that exist, each with its full names.
        known: Vec<Vec<String>>,
        /// The names of the peers with a session.
        #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "the one-shot commands ask"))]
        peers: Vec<Arc<str>>,
    },
}

/// The answer to a look-up of a name.
#[derive(Clone, Debug)]
pub enum Found {
    /// A local node.
    Local(Registration),
    /// A node of a peer.
    Remote(RemoteNode),
    /// There is no such node.
    Unknown,
    /// The question was a bare name, and several peers have a node with it. These are their descriptions.
    Ambiguous(Vec<String>),
}

/// A node of a peer.
#[derive(Clone, Debug)]
pub struct RemoteNode {
    /// The session with the peer.
    pub session: SessionHandle,
    /// The part of its name before the `@`.
    pub name: String,
    /// The host part of its name.
    pub host: String,
    /// The nodes for which the peer may speak.
    pub policy: Policy,
    /// Cancelled when the peer withdraws the node or is gone.
    pub gone: CancellationToken,
}
