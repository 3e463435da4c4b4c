//! The peers of the configuration, which are dialled until they answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::dialling::Dialler;
use super::dialling::keep_dialling;
use super::unexpected::Resolved;
use crate::cluster::StaticPeer;
use crate::trunk::TrunkState;
use crate::trunk::io::greet::Greeted;
use crate::trunk::io::resolve::Resolver;

/// The peers, by their names in lower case.
#[derive(Debug)]
pub(super) struct Configured {
    dialler: Arc<Dialler>,
    greeted: mpsc::Sender<Greeted>,
    peers: BTreeMap<String, Peer>,
}

#[derive(Debug)]
struct Peer {
    resolved: Resolved,
    failure: watch::Receiver<String>,
    /// Dials as long as it is kept.
    _task: AbortOnDropHandle<()>,
}

impl Configured {
    pub(super) fn new(dialler: Arc<Dialler>, greeted: mpsc::Sender<Greeted>) -> Self {
        Self {
            dialler,
            greeted,
            peers: BTreeMap::new(),
        }
    }

    /// Dials these peers from now on, and no others. A peer that is the same as before is left alone. `state` is the state of a peer's
    /// trunk.
    pub(super) fn set(&mut self, peers: Vec<StaticPeer>, mut state: impl FnMut(&str) -> watch::Receiver<TrunkState>) {
        let mut before = std::mem::take(&mut self.peers);
        for peer in peers {
            let key = peer.name.to_ascii_lowercase();
            let same = before.remove(&key).filter(|kept| kept.resolved.0 == peer);
            let kept = same.unwrap_or_else(|| self.dial(peer, state(&key)));
            self.peers.insert(key, kept);
        }
    }

    fn dial(&self, peer: StaticPeer, state: watch::Receiver<TrunkState>) -> Peer {
        let resolver = Arc::new(Resolver::new(&peer.address));
        let resolved = (peer, resolver);
        let (failure_in, failure) = watch::channel(String::new());
        let dialling = keep_dialling(
            Arc::clone(&self.dialler),
            resolved.clone(),
            state,
            self.greeted.clone(),
            failure_in,
        );
        Peer {
            resolved,
            failure,
            _task: AbortOnDropHandle::new(tokio::spawn(dialling)),
        }
    }

    /// The peers, and who resolves their addresses.
    pub(super) fn resolved(&self) -> Vec<Resolved> {
        self.peers.values().map(|peer| peer.resolved.clone()).collect()
    }

    /// The peers, and why each was not reached last time.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&StaticPeer, String)> {
        let peers = self.peers.values();
        peers.map(|peer| (&peer.resolved.0, peer.failure.borrow().clone()))
    }
}
