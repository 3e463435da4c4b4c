//! How a node reaches others.

use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::hub::io::directory::Request;

/// How a node reaches others.
#[derive(Clone, Debug)]
pub(in crate::node) enum Ways {
    /// Through the port mapper of this host, by plain distribution.
    PortMapper(SocketAddr),
    /// Through the sessions of a daemon in this process.
    Daemon(mpsc::Sender<Request>),
}
