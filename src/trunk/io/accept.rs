//! Accepts connections from peers that dial this daemon.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use quinn::Connection;
use quinn::Endpoint;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::info;
use tracing::warn;

use super::greet::Greeted;
use super::greet::greet;
use crate::trunk::Counters;
use crate::trunk::Direction;
use crate::trunk::Held;
use crate::trunk::KnownAddresses;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;
use crate::trunk::admission::Admission;
use crate::trunk::admission::Verdict;

/// Deadline for a TLS handshake: three round trips of a satellite link, with a lost packet in each.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// Deadline for a `Hello` after that, from a daemon whose certificate was accepted.
const GREETING_TIME: Duration = Duration::from_secs(5);

/// Connections with an accepted certificate that have not sent a `Hello`: more than there are peers that dial at once.
const GREETINGS: usize = 256;

/// The handshakes in progress, and how to end them.
struct InProgress {
    admission: Mutex<(Admission, BTreeMap<u64, CancellationToken>)>,
}

impl InProgress {
    fn locked(&self) -> MutexGuard<'_, (Admission, BTreeMap<u64, CancellationToken>)> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrive(&self, incoming: &quinn::Incoming, is_known: bool) -> Option<Option<(u64, CancellationToken)>> {
        let (admission, running) = &mut *self.locked();
        let address = incoming.remote_address().ip();
        let now = Instant::now().into_std();
        match admission.arrive(address, is_known, incoming.remote_address_validated(), now) {
            Verdict::Begin { number, ends } => {
                if let Some(displaced) = ends.and_then(|ends| running.remove(&ends)) {
                    displaced.cancel();
                }
                let token = CancellationToken::new();
                running.insert(number, token.clone());
                Some(Some((number, token)))
            }
            Verdict::Prove => Some(None),
            Verdict::Ignore => None,
        }
    }

    fn end(&self, number: u64) {
        let (admission, running) = &mut *self.locked();
        admission.end(number);
        running.remove(&number);
    }
}

/// What answers connections.
struct Door {
    daemon: Arc<LocalDaemon>,
    held: Held,
    known: KnownAddresses,
    handshakes: InProgress,
    counts: Counters,
    greetings: Semaphore,
    greeted: mpsc::Sender<Greeted>,
}

/// Accepts peers until the endpoint is closed. Peers that complete the greeting go to `greeted`.
pub async fn accept(
    endpoint: Endpoint,
    daemon: Arc<LocalDaemon>,
    held: Held,
    known: KnownAddresses,
    counts: Counters,
    greeted: mpsc::Sender<Greeted>,
) {
    let admission = Admission::new(Instant::now().into_std());
    let door = Arc::new(Door {
        daemon,
        held,
        known,
        handshakes: InProgress {
            admission: Mutex::new((admission, BTreeMap::new())),
        },
        counts,
        greetings: Semaphore::new(GREETINGS),
        greeted,
    });
    while let Some(incoming) = endpoint.accept().await {
        let is_known = door.known.contains(incoming.remote_address().ip());
        match door.handshakes.arrive(&incoming, is_known) {
            Some(Some((number, displaced))) => {
                tokio::spawn(answer(Arc::clone(&door), incoming, number, displaced));
            }
            Some(None) => drop(incoming.retry()),
            // A peer sends its first packet again.
            None => incoming.ignore(),
        }
    }
    info!("stopped accepting connections from peers");
}

async fn answer(door: Arc<Door>, incoming: quinn::Incoming, number: u64, displaced: CancellationToken) {
    let from = incoming.remote_address();
    let handshake = timeout(HANDSHAKE_TIME, incoming);
    let connection = displaced.run_until_cancelled(handshake).await;
    door.handshakes.end(number);
    let outcome = match connection {
        Some(Ok(Ok(connection))) => door.greet(connection).await,
        Some(Ok(Err(error))) => Err(error.into()),
        Some(Err(_)) => {
            door.counts.unanswered(from.ip(), Instant::now().into_std());
            Err(TrunkError::Late("complete the TLS handshake"))
        }
        None => Err(TrunkError::Displaced),
    };
    door.counts.count(Direction::In, &outcome);
    match outcome {
        Ok(peer) => {
            debug!(%from, peer = peer.agreement.peer, "accepted a connection from a peer");
            door.known.add(&peer.agreement.peer, from);
            let _ = door.greeted.send(peer).await;
        }
        Err(error) => refused(from, &error),
    }
}

fn refused(from: SocketAddr, error: &TrunkError) {
    match error {
        // A peer begins many connections while the network is down, and keeps one.
        TrunkError::Withdrawn => {
            debug!(%from, %error, "the peer closed a connection that it had dialled and no longer needs");
        }
        // The one that dialled tells.
        TrunkError::Myself => debug!(%from, %error, "a connection was refused"),
        error => warn!(%from, %error, "a connection was refused"),
    }
}

impl Door {
    /// The certificate is one of the cluster: the peer has its time to say who it is.
    async fn greet(&self, connection: Connection) -> Result<Greeted, TrunkError> {
        let Ok(_permit) = self.greetings.try_acquire() else {
            connection.close(TrunkConfig::DROPPED, b"too many peers dial at once");
            return Err(TrunkError::Displaced);
        };
        let greeted = async {
            let (control, receiving) = connection.accept_bi().await?;
            greet(connection, control, receiving, &self.daemon, &self.held, None).await
        };
        timeout(GREETING_TIME, greeted)
            .await
            .unwrap_or(Err(TrunkError::Late("greet")))
    }
}
