//! Daemons that dial in from the address of a peer under another name: then the name of the `[[peer]]` is probably mistyped.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use tracing::warn;

use crate::cluster::StaticPeer;
use crate::trunk::io::resolve::Resolver;

/// Names that are remembered, so that each is told once.
const NAMES: usize = 1024;

/// A peer, and who resolves its address, for all that need it.
pub(super) type Resolved = (StaticPeer, Arc<Resolver>);

/// The peers, and the names that were compared with them.
#[derive(Debug, Default)]
pub(super) struct Unexpected {
    peers: Vec<Resolved>,
    seen: BTreeSet<String>,
}

impl Unexpected {
    /// Compares with these peers from now on.
    pub(super) fn set(&mut self, peers: Vec<Resolved>) {
        self.peers = peers;
        self.seen.clear();
    }

    /// A daemon that is no peer has dialled in. `is_absent` tells which peers have no session. Addresses are resolved in a task of
    /// their own, since that takes a while.
    pub(super) fn greet(&mut self, daemon: &str, from: SocketAddr, is_absent: impl Fn(&str) -> bool) {
        if self.seen.len() >= NAMES || !self.seen.insert(daemon.to_ascii_lowercase()) {
            return;
        }
        let absent: Vec<_> = self
            .peers
            .iter()
            .filter(|(peer, _)| is_absent(&peer.name))
            .cloned()
            .collect();
        if !absent.is_empty() {
            tokio::spawn(compare(daemon.to_owned(), from, absent));
        }
    }
}

async fn compare(daemon: String, from: SocketAddr, peers: Vec<Resolved>) {
    let is_same =
        |address: SocketAddr| address.ip().to_canonical() == from.ip().to_canonical() && address.port() == from.port();
    for (peer, resolver) in peers {
        let found = resolver.resolve().await.unwrap_or_default();
        if found.into_iter().any(is_same) {
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
