use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::router::DaemonPattern;

/// A configured peer, which is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticPeer {
    /// Its name; its certificate must carry it.
    pub name: String,
    /// `host:port`, resolved at each attempt.
    pub address: String,
}

/// How peers are found that are not configured one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Where their addresses are asked for; `None`: only peers tell.
    pub query: Option<Query>,
    /// Whether peers tell each other of their peers.
    pub exchange: bool,
    /// The names that daemons may have which are found in this way.
    pub names: DaemonPattern,
    /// How long a daemon is dialled that nothing names any more.
    pub forget: Duration,
}

/// A question for the name service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The name.
    pub name: String,
    /// The port at which the daemons listen. `None`: the name has SRV records, which tell it.
    pub port: Option<u16>,
    /// The name server. `None`: those of the system.
    pub server: Option<SocketAddr>,
}

impl fmt::Display for Discovery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.query {
            Some(Query { name, port: None, .. }) => write!(formatter, "srv {name}"),
            Some(Query { name, .. }) => write!(formatter, "dns {name}"),
            None => formatter.write_str("exchange"),
        }
    }
}
