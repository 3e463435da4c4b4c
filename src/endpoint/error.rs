use std::fmt::Write;
use std::net::IpAddr;

use thiserror::Error;

/// Why nothing more can be received from a circuit or sent on it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Closed {
    /// The circuit was closed by the far side, or because the session ended. The text is the reason. All signals that arrived
    /// before have been delivered.
    #[error("{0}")]
    Circuit(String),
    /// The session has ended.
    #[error("the session with the peer has ended")]
    NoSession,
}

/// A node of this host listens on none of the addresses where it was looked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "node {node} does not accept connections on port {port}, tried at {}; if it listens elsewhere, set the kernel parameter \
     inet_dist_use_interface of the node to one of these addresses",
    .tried.iter().fold(String::new(), shown)
)]
pub struct NotFound {
    /// The full name of the node.
    pub node: String,
    /// The port that it registered.
    pub port: u16,
    /// The addresses of this host that were tried, and what happened there.
    pub tried: Vec<(IpAddr, String)>,
}

fn shown(mut text: String, (ip, error): &(IpAddr, String)) -> String {
    let comma = if text.is_empty() { "" } else { ", " };
    let _ = write!(text, "{comma}{ip} ({error})");
    text
}

/// Why signals were not accepted. Each variant returns them.
#[derive(Debug)]
pub enum TrySendError<T> {
    /// There is no room now. [`poll_ready`](super::io::endpoint::SignalSender::poll_ready) tells when to try again.
    Full(T),
    /// The session has ended.
    NoSession(T),
}
