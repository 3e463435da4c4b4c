//! Peers that dial this daemon.

use std::sync::Arc;
use std::time::Duration;

use quinn::Endpoint;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;
use tracing::info;
use tracing::warn;

use super::greet::Greeted;
use super::greet::greet;
use crate::trunk::Held;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkError;

/// The maximum number of greetings in progress: handshakes are expensive and run under one lock of the endpoint.
const GREETINGS: usize = 32;

/// A connection whose greeting is not complete within this time is dropped.
const GREETING_TIME: Duration = Duration::from_secs(10);

/// Accepts peers until the endpoint is closed. Peers with a valid greeting are passed to `greeted`.
pub async fn accept(endpoint: Endpoint, daemon: Arc<LocalDaemon>, held: Held, greeted: mpsc::Sender<Greeted>) {
    let greetings = Arc::new(Semaphore::new(GREETINGS));
    while let Some(incoming) = endpoint.accept().await {
        // When many greetings are in progress, a client must first prove that it receives at its address (QUIC Retry).
        if greetings.available_permits() < GREETINGS / 2 && !incoming.remote_address_validated() {
            let _ = incoming.retry();
            continue;
        }
        let Ok(permit) = Arc::clone(&greetings).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let (daemon, held, greeted) = (Arc::clone(&daemon), held.clone(), greeted.clone());
        tokio::spawn(async move {
            let from = incoming.remote_address();
            let welcomed = timeout(GREETING_TIME, answer(incoming, &daemon, &held)).await;
            drop(permit);
            match welcomed.unwrap_or(Err(TrunkError::Late("greet"))) {
                Ok(peer) => {
                    debug!(%from, peer = peer.agreement.peer, "accepted a connection from a peer");
                    let _ = greeted.send(peer).await;
                }
                // During a network outage a peer dials many times, and keeps only one of the connections.
                Err(error @ TrunkError::Withdrawn) => {
                    debug!(%from, %error, "the peer closed a connection that it had dialled and no longer needs");
                }
                Err(error) => warn!(%from, %error, "a connection was refused"),
            }
        });
    }
    info!("stopped accepting connections from peers");
}

async fn answer(incoming: quinn::Incoming, daemon: &LocalDaemon, held: &Held) -> Result<Greeted, TrunkError> {
    let connection = incoming.await?;
    let (control, receiving) = connection.accept_bi().await?;
    greet(connection, control, receiving, daemon, held, None).await
}
