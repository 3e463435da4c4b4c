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

/// Greetings in progress at once: handshakes are costly and run under one lock of the endpoint.
const GREETINGS: usize = 32;

/// A connection that has not greeted by then is dropped.
const GREETING_TIME: Duration = Duration::from_secs(10);

/// Accepts peers until the endpoint is closed; those that greet as they should go to `greeted`.
pub async fn accept(endpoint: Endpoint, daemon: Arc<LocalDaemon>, held: Held, greeted: mpsc::Sender<Greeted>) {
    let greetings = Arc::new(Semaphore::new(GREETINGS));
    while let Some(incoming) = endpoint.accept().await {
        // Someone who has not shown that they receive at their address is asked to, once many are underway.
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
                    debug!(%from, peer = peer.agreement.peer, "a peer has dialled");
                    let _ = greeted.send(peer).await;
                }
                // Of many that are begun while a line is dark one is kept.
                Err(error @ TrunkError::Withdrawn) => {
                    debug!(%from, %error, "the peer closed a connection that it had dialled");
                }
                Err(error) => warn!(%from, %error, "a connection was refused"),
            }
        });
    }
    info!("no more peers are accepted");
}

async fn answer(incoming: quinn::Incoming, daemon: &LocalDaemon, held: &Held) -> Result<Greeted, TrunkError> {
    let connection = incoming.await?;
    let (control, receiving) = connection.accept_bi().await?;
    greet(connection, control, receiving, daemon, held, None).await
}
