//! Daemons that dial in from the address of a peer under another name: then the name of the `[[peer]]` is probably mistyped.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use tracing::warn;

use crate::cluster::StaticPeer;

/// Names that are remembered, so that each is told once.
const NAMES: usize = 1024;

/// The peers, and the names that were compared with them.
#[derive(Debug)]
pub(super) struct Unexpected {
    peers: Vec<StaticPeer>,
    seen: BTreeSet<String>,
}

impl Unexpected {
    pub(super) const fn new(peers: Vec<StaticPeer>) -> Self {
        Self {
            peers,
            seen: BTreeSet::new(),
        }
    }

    /// A daemon that is no peer has dialled in. `is_absent` tells which peers have no session. Addresses are resolved in a task of
    /// their own, since that may take long.
    pub(super) fn greet(&mut self, daemon: &str, from: SocketAddr, is_absent: impl Fn(&str) -> bool) {
        if self.seen.len() >= NAMES || !self.seen.insert(daemon.to_ascii_lowercase()) {
            return;
        }
        let absent: Vec<_> = self
            .peers
            .iter()
            .filter(|peer| is_absent(&peer.name))
            .cloned()
            .collect();
        if !absent.is_empty() {
            tokio::spawn(compare(daemon.to_owned(), from, absent));
        }
    }
}

async fn compare(daemon: String, from: SocketAddr, peers: Vec<StaticPeer>) {
    for peer in peers {
        let Ok(mut found) = tokio::net::lookup_host(&peer.address).await else {
            continue;
        };
        if found.any(|address| address.ip().to_canonical() == from.ip().to_canonical() && address.port() == from.port())
        {
            warn!(
                peer = peer.name,
                address = peer.address,
                daemon,
                "the daemon at the address of this [[peer]] has another name in its certificate, so the settings of the [[peer]] \
                 do not apply to it: correct `name` or `address`"
            );
        }
    }
}
