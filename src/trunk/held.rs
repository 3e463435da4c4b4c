use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::wire::SessionId;

/// The sessions this daemon has, by the peers' names: what it tells when it greets.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<BTreeMap<String, SessionId>>>);

impl Held {
    fn map(&self) -> MutexGuard<'_, BTreeMap<String, SessionId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session with a peer.
    pub fn get(&self, peer: &str) -> Option<SessionId> {
        self.map().get(&peer.to_ascii_lowercase()).copied()
    }

    /// There is a session with a peer, or it goes on over another trunk.
    pub fn set(&self, peer: &str, id: SessionId) {
        self.map().insert(peer.to_ascii_lowercase(), id);
    }

    /// A session has ended; another with the same peer may have begun.
    pub fn remove(&self, peer: &str, session: u64) {
        let mut map = self.map();
        let peer = peer.to_ascii_lowercase();
        if map.get(&peer).is_some_and(|id| id.session == session) {
            map.remove(&peer);
        }
    }
}
