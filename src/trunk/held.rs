use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::wire::SessionId;

/// The sessions that this daemon holds, by peer name. A greeting states the session with that peer.
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

    /// Records that there is a session with a peer, or that it has resumed on another trunk.
    pub fn set(&self, peer: &str, id: SessionId) {
        self.map().insert(peer.to_ascii_lowercase(), id);
    }

    /// Records that a session has ended. A newer session with the same peer is kept.
    pub fn remove(&self, peer: &str, session: u64) {
        let mut map = self.map();
        let peer = peer.to_ascii_lowercase();
        if map.get(&peer).is_some_and(|id| id.session == session) {
            map.remove(&peer);
        }
    }
}
