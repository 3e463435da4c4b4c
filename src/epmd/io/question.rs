//! Questions from the port mapper's connections to the owner of the registrations, on a bounded channel.

use std::net::IpAddr;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::epmd::Registration;

/// The capacity of the queue of questions. When it is full, connections wait.
pub const QUESTIONS: usize = 256;

/// A question from a connection.
#[derive(Debug)]
pub enum Question {
    /// Registers a node. The answer is its creation, or `None` if it was refused.
    Register {
        /// The node.
        registration: Registration,
        /// Cancelled when the node's connection has ended. The registration then ends too.
        gone: CancellationToken,
        /// The reply channel.
        answer: oneshot::Sender<Option<u32>>,
    },
    /// Asks where a node listens.
    LookUp {
        /// A bare or a full name.
        name: String,
        /// The local address on which the question arrived. It determines the host part of a bare name.
        arrived_on: IpAddr,
        /// The reply channel.
        answer: oneshot::Sender<Option<Registration>>,
    },
    /// Asks which nodes there are.
    Names {
        /// The host part of the nodes; `localhost` means the nodes of this host. `None`: only the address tells, as with stock nodes.
        host: Option<String>,
        /// The local address on which the question arrived.
        arrived_on: IpAddr,
        /// The reply channel.
        answer: oneshot::Sender<Vec<Registration>>,
    },
}
