//! How a node reaches others.

use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::hub::io::directory::Request;

/// How a node reaches others.
#[derive(Clone, Debug)]
pub(in crate::node) enum Ways {
    /// The port mapper of this host, and plain distribution.
    PortMapper(SocketAddr),
    /// A daemon of this process, and its sessions.
    Daemon(mpsc::Sender<Request>),
}
