//! How native nodes ask where others are, and how circuits that peers open find them: bounded channels of plain values.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::endpoint::io::session::SessionHandle;
use crate::router::Policy;
use crate::wire::Open;

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
    /// Which nodes the peer may speak for. The initiator's was checked if it has said one.
    pub policy: Policy,
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
