//! The port mapper's connections ask the owner of the registrations: a bounded channel of questions with reply channels.

use std::net::IpAddr;

use tokio::sync::oneshot;

use crate::epmd::Registration;

/// Questions that may wait; a node that asks when it is full waits too.
pub const QUESTIONS: usize = 256;

/// What a connection asks.
#[derive(Debug)]
pub enum Question {
    /// May this node register? Answered with its incarnation, or `None` if the name is taken.
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
    /// Where is this node?
    LookUp {
        /// A bare or a full name.
        name: String,
        /// The local address that the question arrived on: it names the host meant.
        arrived_on: IpAddr,
        /// The reply channel.
        answer: oneshot::Sender<Option<Registration>>,
    },
    /// Which nodes are registered?
    Names {
        /// The reply channel.
        answer: oneshot::Sender<Vec<Registration>>,
    },
}
