//! How the cluster hands trunks to the task that owns a session.

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
    /// Cancelled when the session must end, because the peer has started a new one.
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

/// Creates both ends for a new session, which publishes the state of its trunk through `state`.
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
