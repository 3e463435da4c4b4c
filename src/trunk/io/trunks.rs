//! How the cluster and the task that owns a session talk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::accept::Greeted;
use crate::wire::SessionId;

/// New trunks that may wait for a session; they come one at a time.
const TRUNKS: usize = 4;

/// What there is with a peer, as those who dial and choose trunks must know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrunkState {
    /// No session.
    #[default]
    Down,
    /// A session whose present trunk the peer has not been heard on yet.
    Fresh,
    /// A session whose trunk works.
    Up,
    /// A session whose trunk is lost, or the peer acknowledges nothing.
    Stalled,
}

/// The session's end.
#[derive(Debug)]
pub struct TrunkReceiver {
    /// Trunks that carry the session from now on, each instead of the one before.
    pub trunks: mpsc::Receiver<Greeted>,
    /// Tells how the trunk does.
    pub link: watch::Sender<TrunkState>,
    /// Cancelled when the session must end, because the peer has begun another.
    pub over: CancellationToken,
}

/// The cluster's end.
#[derive(Debug)]
pub struct TrunkSender {
    /// Takes new trunks.
    pub trunks: mpsc::Sender<Greeted>,
    /// Cancel it to end the session.
    pub over: CancellationToken,
}

/// Both ends for a new session; `link` is where it tells how its trunk does.
pub fn trunks(link: watch::Sender<TrunkState>) -> (TrunkSender, TrunkReceiver) {
    let (trunks, receiver) = mpsc::channel(TRUNKS);
    let over = CancellationToken::new();
    let sender = TrunkSender {
        trunks,
        over: over.clone(),
    };
    let receiver = TrunkReceiver {
        trunks: receiver,
        link,
        over,
    };
    (sender, receiver)
}

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

    /// A session is over; another with the same peer may have begun.
    pub fn remove(&self, peer: &str, session: u64) {
        let mut map = self.map();
        let peer = peer.to_ascii_lowercase();
        if map.get(&peer).is_some_and(|id| id.session == session) {
            map.remove(&peer);
        }
    }
}

/// The sessions of a daemon that have nodes to listen to, though it leaves: when there are none left, all part at once.
#[derive(Clone, Debug, Default)]
pub struct LeaveBarrier(watch::Sender<usize>);

/// One of these sessions, until it is dropped.
#[derive(Debug)]
pub struct LeaveGuard(watch::Sender<usize>);

impl LeaveBarrier {
    /// One more session.
    pub fn join(&self) -> LeaveGuard {
        self.0.send_modify(|sessions| *sessions += 1);
        LeaveGuard(self.0.clone())
    }

    /// Waits until no session listens any more.
    pub async fn begins(&self) {
        // It fails only without a sender, and this is one.
        let _ = self.0.subscribe().wait_for(|sessions| *sessions == 0).await;
    }
}

impl Drop for LeaveGuard {
    fn drop(&mut self) {
        self.0.send_modify(|sessions| *sessions -= 1);
    }
}
