//! Canaries: idle TCP connections that tell when the process of a peer has ended.
//!
//! When a process ends, however it ends, its kernel closes its TCP connections at once, but says nothing on UDP: a peer would wait for the
//! idle timeout. So beside each trunk there is a TCP connection to the port of the same number. It carries nothing but a token that
//! both sides derive from the TLS secrets of the trunk, by which the side that was dialled knows whose it is.
//!
//! A canary that ends is a hint, not a proof: anything on the way can close it. Then the peer must acknowledge a packet of its trunk; if it
//! does not, its process has ended, and there is nobody to wait for. Without a canary, because a firewall lets no TCP pass for instance,
//! the end is noticed by the idle timeout.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use quinn::Connection;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio::time::timeout;
use tracing::debug;
use tracing::info;

use super::probe::acknowledges;
use crate::epmd::io::entrance::Entrance;
use crate::epmd::io::entrance::Place;

/// The label under which TLS derives the token (RFC 8446, section 7.5).
const LABEL: &[u8] = b"EXPORTER beamway canary";

const TOKEN: usize = 32;

type Token = [u8; TOKEN];

/// Connections that have not told a token yet.
const STRANGERS: usize = 256;

/// How long a connection may take to be made, and to tell a token that is expected.
const SETUP_TIME: Duration = Duration::from_secs(5);

/// A token may come before the session that expects it has begun.
const LOOK: Duration = Duration::from_millis(50);

/// How long a peer may take to acknowledge, besides five round trips, when its canary has ended. A busy host takes that, and the end of a
/// process is still noticed within a second.
const PROBE_TIME: Duration = Duration::from_millis(500);

/// The first pause before another canary is tried, and the longest.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// What is written before a canary is closed that is no longer needed.
const FAREWELL: u8 = 0;

/// A connection that ends with this process. If it ends before, it says so.
#[derive(Debug)]
struct Canary(TcpStream);

impl Canary {
    /// Waits for the end. Returns whether it was a surprise.
    async fn ended(mut self) -> bool {
        let mut byte = [0];
        !matches!(self.0.read(&mut byte).await, Ok(1))
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        // The other side may learn that this trunk is no longer used later than this side has closed the canary.
        let _ = self.0.try_write(&[FAREWELL]);
    }
}

/// The canaries that peers are expected to open.
#[derive(Clone, Debug, Default)]
pub struct Canaries(Arc<Mutex<HashMap<Token, oneshot::Sender<TcpStream>>>>);

impl Canaries {
    fn expected(&self) -> MutexGuard<'_, HashMap<Token, oneshot::Sender<TcpStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The canary with this token, when the peer opens it.
    async fn expect(&self, token: Token) -> Option<Canary> {
        let (sender, receiver) = oneshot::channel();
        self.expected().insert(token, sender);
        let _forget = Forget(self, token);
        receiver.await.ok().map(Canary)
    }
}

/// Takes a token out when nobody waits for it any more.
struct Forget<'a>(&'a Canaries, Token);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.expected().remove(&self.1);
    }
}

/// Accepts canaries until the task is ended.
pub async fn serve(listener: TcpListener, canaries: Canaries) {
    let entrance = Entrance::new("canaries", STRANGERS);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(admit(stream, canaries.clone(), entrance.enter()));
            }
            Err(error) => {
                debug!(%error, "cannot accept a canary");
                entrance.evict();
                sleep(LOOK).await;
            }
        }
    }
}

/// Finds out whose canary it is. Strangers are told nothing.
async fn admit(mut stream: TcpStream, canaries: Canaries, place: Place) {
    let evicted = place.evicted();
    let expected = async {
        let mut token = [0; TOKEN];
        stream.read_exact(&mut token).await.ok()?;
        loop {
            if let Some(expected) = canaries.expected().remove(&token) {
                return Some(expected);
            }
            sleep(LOOK).await;
        }
    };
    let expected = evicted.run_until_cancelled(timeout(SETUP_TIME, expected)).await;
    if let Some(Ok(Some(expected))) = expected {
        let _ = expected.send(stream);
    }
}

/// Watches the process behind a trunk. `is_ours` tells whether this side has dialled, and so opens the canary. Returns when the process
/// has ended, and never if the trunk ends otherwise.
pub async fn watch(connection: Connection, is_ours: bool, canaries: Canaries, probe: Arc<Notify>) {
    let mut token = [0; TOKEN];
    if connection.export_keying_material(&mut token, LABEL, b"").is_err() {
        return std::future::pending::<()>().await;
    }
    let has_ended = async {
        let mut pause = PAUSE;
        loop {
            let canary = if is_ours {
                open(&connection, &token).await
            } else {
                canaries.expect(token).await
            };
            if let Some(canary) = canary {
                pause = PAUSE;
                if !canary.ended().await {
                    // The peer uses another trunk, or is leaving.
                    return false;
                }
                if !acknowledges(&connection, &probe, PROBE_TIME).await {
                    return connection.close_reason().is_none();
                }
                info!(
                    peer = %connection.remote_address(),
                    "a canary has ended, but the peer answers: something on the way closes idle TCP connections"
                );
            }
            if is_ours {
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    };
    tokio::select! {
        has_ended = has_ended => if has_ended { return },
        _ = connection.closed() => {}
    }
    std::future::pending::<()>().await;
}

async fn open(connection: &Connection, token: &Token) -> Option<Canary> {
    let address = connection.remote_address();
    let opened = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(token).await?;
        io::Result::Ok(stream)
    };
    match timeout(SETUP_TIME, opened).await {
        Ok(Ok(stream)) => Some(Canary(stream)),
        Ok(Err(error)) => {
            debug!(%address, %error, "no canary: the end of this peer's process will be noticed by the idle timeout");
            None
        }
        Err(_) => None,
    }
}
