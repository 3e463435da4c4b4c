//! What the cluster is told and asked while it runs.

use std::net::SocketAddr;
use std::time::SystemTime;

use tokio::sync::oneshot;

use crate::cluster::Discovery;
use crate::cluster::StaticPeer;
use crate::session::Bounds;
use crate::tls::Trust;
use crate::trunk::TrunkState;
use crate::trunk::io::dial::Clients;

/// A command or a question.
#[derive(Debug)]
pub enum Control {
    /// The configuration has changed.
    Change(Box<Change>),
    /// Who the peers are.
    Peers {
        /// Where the answer goes.
        answer: oneshot::Sender<Peers>,
    },
}

/// What the configuration says of peers now.
#[derive(Debug)]
pub struct Change {
    /// The peers that are dialled.
    pub peers: Vec<StaticPeer>,
    /// How other peers are found.
    pub discoveries: Vec<Discovery>,
    /// QUIC's settings for dialling.
    pub clients: Clients,
    /// Which certificates are accepted. Sessions with other peers end.
    pub trust: Trust,
    /// Whether this daemon has another certificate: all trunks are replaced, so that peers see it.
    pub is_renewed: bool,
    /// The bounds of sessions.
    pub bounds: Bounds,
    /// Whether sessions end when the certificate of the peer expires.
    pub ends_expired: bool,
}

/// Who the peers are.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct Peers {
    /// Those that are configured, and those with a session.
    pub list: Vec<PeerReport>,
    /// How others are found.
    pub found: Vec<FoundReport>,
}

/// A way to find peers.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct FoundReport {
    /// What it is: `dns NAME`, `srv NAME` or `exchange`.
    pub source: String,
    /// How many addresses or daemons it names now.
    pub found: usize,
    /// Of these, those with a session.
    pub connected: usize,
    /// Why the name service gave no answer last time; empty if it did.
    pub failure: String,
}

/// A peer that is configured, or with which there is a session.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
pub struct PeerReport {
    /// Its name.
    pub name: String,
    /// The state of the session.
    pub state: TrunkState,
    /// The configured address, if it is configured.
    pub configured: Option<String>,
    /// Where its trunk comes from.
    pub remote: Option<SocketAddr>,
    /// Why it was not reached last time; empty if it was.
    pub failure: String,
    /// When its certificate expires.
    pub valid_until: Option<SystemTime>,
}
