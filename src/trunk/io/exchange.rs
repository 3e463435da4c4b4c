//! Daemons tell each other of their peers, if they are configured to.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::Notify;
use tokio::sync::watch;

use crate::router::daemon_of;
use crate::trunk::Known;
use crate::trunk::told::Told;
use crate::trunk::told::news;
use crate::wire::KnownPeer;

/// What peers are told, and what they tell. All clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Exchange(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_on: AtomicBool,
    told: Mutex<Told>,
    news: Notify,
    known: watch::Sender<Arc<Known>>,
}

impl Exchange {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether peers are told, and listened to, from now on. What they tell meanwhile is kept, since they tell only what is new.
    pub fn set(&self, is_on: bool) {
        self.0.is_on.store(is_on, Relaxed);
        if !is_on {
            self.tell(Known::new());
        }
        self.0.news.notify_one();
    }

    /// Whether peers are told, and listened to.
    pub fn is_on(&self) -> bool {
        self.0.is_on.load(Relaxed)
    }

    /// Tells all peers of these, if they are to be told.
    pub fn tell(&self, known: Known) {
        let known = if self.is_on() { known } else { Known::new() };
        self.0.known.send_if_modified(|before| {
            let is_new = **before != known;
            if is_new {
                *before = Arc::new(known);
            }
            is_new
        });
    }

    /// What the peers have told.
    pub fn all(&self) -> Known {
        if self.is_on() { self.told().all() } else { Known::new() }
    }

    /// Waits until a peer has told something new. The cluster alone waits.
    pub async fn changed(&self) {
        self.0.news.notified().await;
    }

    /// For the session with a peer.
    pub fn with(&self, peer: &str) -> Teller {
        let mut known = self.0.known.subscribe();
        known.mark_changed();
        Teller {
            exchange: self.clone(),
            peer: peer.to_owned(),
            known,
            told: Arc::default(),
        }
    }
}

/// Tells one peer, and takes what it tells.
#[derive(Debug)]
pub struct Teller {
    exchange: Exchange,
    peer: String,
    known: watch::Receiver<Arc<Known>>,
    /// What it was told.
    told: Arc<Known>,
}

impl Teller {
    /// Waits until there is something new to tell.
    pub async fn changed(&mut self) {
        if self.known.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What the peer, which is at `to`, is to be told: the peers in each notice.
    pub fn news(&mut self, to: IpAddr) -> Vec<Vec<KnownPeer>> {
        let now = Arc::clone(&self.known.borrow_and_update());
        let news = news(&self.peer, to, &self.told, &now);
        self.told = now;
        news
    }

    /// The peer, which is at `from`, tells. A temporary daemon knows nobody.
    pub fn take(&self, from: IpAddr, peers: Vec<KnownPeer>) {
        if daemon_of(&self.peer) == self.peer && self.exchange.told().tell(&self.peer, from, peers) {
            self.exchange.0.news.notify_one();
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if self.exchange.told().forget(&self.peer) {
            self.exchange.0.news.notify_one();
        }
    }
}
