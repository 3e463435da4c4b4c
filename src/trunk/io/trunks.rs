//! How the cluster hands trunks to the task that owns a session.

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::greet::Greeted;
use crate::trunk::TrunkState;

/// New trunks that may wait for a session; they come one at a time.
const TRUNKS: usize = 4;

/// The session's end.
#[derive(Debug)]
pub struct TrunkReceiver {
    /// Trunks that carry the session from now on, each instead of the one before.
    pub trunks: mpsc::Receiver<Greeted>,
    /// Tells how the trunk does.
    pub state: watch::Sender<TrunkState>,
    /// Cancelled when the session must end, because the peer has begun another.
    pub end: CancellationToken,
}

/// The cluster's end.
#[derive(Debug)]
pub struct TrunkSender {
    /// Takes new trunks.
    pub trunks: mpsc::Sender<Greeted>,
    /// Cancel it to end the session.
    pub end: CancellationToken,
}

/// Both ends for a new session; `state` is where it tells how its trunk does.
pub fn trunks(state: watch::Sender<TrunkState>) -> (TrunkSender, TrunkReceiver) {
    let (trunks, receiver) = mpsc::channel(TRUNKS);
    let end = CancellationToken::new();
    let sender = TrunkSender {
        trunks,
        end: end.clone(),
    };
    let receiver = TrunkReceiver {
        trunks: receiver,
        state,
        end,
    };
    (sender, receiver)
}
