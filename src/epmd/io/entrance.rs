//! The connections to one listener that have not yet got what they came for: limited in number, and the oldest one goes first.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::epmd::Newcomers;

/// Where the connections to one listener enter.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// What the listener serves, for the log.
    serves: Arc<str>,
    newcomers: Arc<Mutex<Newcomers<CancellationToken>>>,
}

/// The place of one connection among the newcomers. Dropping it makes room.
#[derive(Debug)]
pub struct Place {
    entrance: Entrance,
    number: u64,
    evicted: CancellationToken,
}

impl Entrance {
    /// An entrance with room for `max` newcomers.
    pub fn new(serves: &str, max: usize) -> Self {
        Self {
            serves: serves.into(),
            newcomers: Arc::new(Mutex::new(Newcomers::new(max))),
        }
    }

    /// Admits a connection. If there is no room, the oldest newcomer goes.
    pub fn enter(&self) -> Place {
        let evicted = CancellationToken::new();
        let (number, oldest) = self.with(|newcomers| newcomers.enter(evicted.clone()));
        if let Some(oldest) = oldest {
            self.dismiss(&oldest);
        }
        Place {
            entrance: self.clone(),
            number,
            evicted,
        }
    }

    /// Closes the oldest newcomer, for example because there are no file descriptors left.
    pub fn evict(&self) {
        if let Some(oldest) = self.with(Newcomers::evict) {
            self.dismiss(&oldest);
        }
    }

    fn dismiss(&self, oldest: &CancellationToken) {
        oldest.cancel();
        if let Some(closed) = self.with(|newcomers| newcomers.worth_a_line()) {
            warn!(
                listener = &*self.serves,
                closed,
                "too many connections that say nothing: the oldest was closed; some program on this host opens them (`ss -tnp` names it)"
            );
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Newcomers<CancellationToken>) -> T) -> T {
        act(&mut self.newcomers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Place {
    /// Cancelled when the connection must go.
    pub fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.entrance.with(|newcomers| newcomers.leave(self.number));
    }
}
