//! How the cluster hands trunks to the task that owns a session.

use std::sync::Arc;
use std::sync::OnceLock;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::greet::Greeted;
use crate::trunk::TrunkState;

/// The capacity of the queue of new trunks. They come one at a time.
const TRUNKS: usize = 4;

/// The session's end.
#[derive(Debug)]
pub struct TrunkReceiver {
    /// New trunks. Each replaces the one before.
    pub trunks: mpsc::Receiver<Greeted>,
    /// Publishes the state of the trunk.
    pub state: watch::Sender<TrunkState>,
    /// Notified when the peer must be sent something that it acknowledges.
    pub probe: Arc<Notify>,
    /// When the session must end, and why.
    pub end: End,
}

/// The cluster's end.
#[derive(Debug)]
pub struct TrunkSender {
    /// Takes new trunks.
    pub trunks: mpsc::Sender<Greeted>,
    /// Notify it to see whether the peer acknowledges.
    pub probe: Arc<Notify>,
    /// Ends the session.
    pub end: End,
}

/// The end of a session that the cluster decides on.
#[derive(Clone, Debug, Default)]
pub struct End {
    token: CancellationToken,
    reason: Arc<OnceLock<String>>,
}

impl End {
    /// Ends the session for this reason. The first one counts.
    pub fn tell(&self, reason: String) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Waits for the reason.
    pub async fn told(&self) -> String {
        self.token.cancelled().await;
        self.reason.get().cloned().unwrap_or_default()
    }
}

/// Creates both ends for a new session, which publishes the state of its trunk through `state`.
pub fn trunks(state: watch::Sender<TrunkState>) -> (TrunkSender, TrunkReceiver) {
    let (trunks, receiver) = mpsc::channel(TRUNKS);
    let end = End::default();
    let probe = Arc::new(Notify::new());
    let sender = TrunkSender {
        trunks,
        probe: Arc::clone(&probe),
        end: end.clone(),
    };
    let receiver = TrunkReceiver {
        trunks: receiver,
        state,
        probe,
        end,
    };
    (sender, receiver)
}
