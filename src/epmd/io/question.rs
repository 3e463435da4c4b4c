//! Questions from the port mapper's connections to the owner of the registrations, on a bounded channel.

use std::net::IpAddr;

use tokio::sync::oneshot;

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
        /// The reply channel.
        answer: oneshot::Sender<Option<u32>>,
    },
    /// The node's connection has ended.
    Unregister {
        /// The part of its name before the `@`.
        name: String,
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
    /// Asks which nodes are registered.
    Names {
        /// The reply channel.
        answer: oneshot::Sender<Vec<Registration>>,
    },
}
