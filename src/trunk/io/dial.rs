//! Peers that the daemon dials.

use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Poll;
use std::time;
use std::time::Duration;

use quinn::ConnectionError;
use quinn::Endpoint;
use quinn::crypto::HmacKey;
use tokio::time::Instant;
use tokio::time::timeout;

use super::greet::Greeted;
use super::greet::greet;
use super::udp;
use crate::trunk::Dialled;
use crate::trunk::Held;
use crate::trunk::LocalDaemon;
use crate::trunk::SendErrors;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;

/// An attempt that takes longer fails, and the peer is tried again later.
const DIAL_TIME: Duration = Duration::from_secs(10);

/// How long after one address the next one is tried, while the first has neither answered nor failed (RFC 8305 section 8).
const STAGGER: Duration = Duration::from_millis(250);

/// Attempts within this time share a fresh port.
const FRESH_TIME: Duration = Duration::from_secs(2);

/// The sockets from which peers are dialled.
///
/// Usually it is the one on which the daemon listens, so a firewall needs one rule. But something on the way may remember
/// wrongly where packets of that port belong, and every attempt renews its memory: an address translation that was made
/// before the rule for a service came, for instance. So failed attempts are repeated from a fresh port now and then. So are
/// those to a peer whose address has not the family of the listening one.
pub struct Sockets {
    listening: Endpoint,
    /// What the kernel did not send, from any of them.
    errors: SendErrors,
    /// What it takes to open another one; `None` if only this one may be used.
    settings: Option<(TrunkConfig, Arc<dyn HmacKey>)>,
    /// The last fresh ones, for IPv4 and IPv6, and when they were opened.
    fresh: Mutex<(Option<Fresh>, Option<Fresh>)>,
}

/// A socket, and when it was opened.
type Fresh = (Instant, Endpoint);

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets")
            .field("listening", &self.listening)
            .finish_non_exhaustive()
    }
}

impl Sockets {
    /// Dials from the listening socket only.
    pub fn only(listening: Endpoint) -> Self {
        Self {
            listening,
            errors: SendErrors::default(),
            settings: None,
            fresh: Mutex::default(),
        }
    }

    /// Dials from the listening socket, and from fresh ones with these settings. `errors` is the record of the listening one.
    pub fn new(listening: Endpoint, errors: SendErrors, config: TrunkConfig, reset_key: Arc<dyn HmacKey>) -> Self {
        Self {
            errors,
            settings: Some((config, reset_key)),
            ..Self::only(listening)
        }
    }

    /// Whether an address is the one at which this daemon listens: then packets to it come from the same address.
    pub fn is_own(&self, address: SocketAddr) -> bool {
        let Some(local) = self
            .listening
            .local_addr()
            .ok()
            .filter(|local| local.port() == address.port())
        else {
            return false;
        };
        if !local.ip().is_unspecified() {
            return local.ip().to_canonical() == address.ip().to_canonical();
        }
        let any = if address.is_ipv4() {
            IpAddr::from(Ipv4Addr::UNSPECIFIED)
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let from = || {
            let socket = std::net::UdpSocket::bind((any, 0))?;
            socket.connect(address)?;
            socket.local_addr()
        };
        from().is_ok_and(|from: SocketAddr| from.ip() == address.ip())
    }

    /// A socket for packets to `remote`.
    fn towards(&self, remote: SocketAddr, fresh: bool) -> Result<Endpoint, TrunkError> {
        let local = self.listening.local_addr().ok();
        let is_fit = local.is_some_and(|local| local.is_ipv4() == remote.is_ipv4());
        let Some((config, reset_key)) = &self.settings else {
            return Ok(self.listening.clone());
        };
        if is_fit && !fresh {
            return Ok(self.listening.clone());
        }
        let (four, six) = &mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let last = if remote.is_ipv4() { four } else { six };
        if let Some((opened, endpoint)) = last
            && (!fresh || opened.elapsed() < FRESH_TIME)
        {
            return Ok(endpoint.clone());
        }
        let ip = match local {
            Some(local) if is_fit => local.ip(),
            _ if remote.is_ipv4() => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            _ => Ipv6Addr::UNSPECIFIED.into(),
        };
        let (key, errors) = (Arc::clone(reset_key), self.errors.clone());
        let opened = udp::bind((ip, 0).into(), config, None, key, errors)?.endpoint;
        *last = Some((Instant::now(), opened.clone()));
        Ok(opened)
    }
}

/// QUIC's settings for dialling.
#[derive(Clone, Debug)]
pub struct Clients {
    /// For peers whose names are known.
    pub named: quinn::ClientConfig,
    /// For those that say their names once they are reached.
    pub any: quinn::ClientConfig,
}

/// Whom to dial.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Who must answer.
    pub who: Dialled<'a>,
    /// Where it may be.
    pub addresses: &'a [SocketAddr],
    /// Whether to dial from a fresh port.
    pub fresh: bool,
}

/// Dials a peer at all of its addresses, each a moment after the one before, since one of them may lead nowhere: that of a family that
/// the network does not carry, for instance. The first one that answers counts.
///
/// # Errors
/// If no peer answers there, or the peer that answers has another name: the error of the last attempt.
pub async fn dial(
    sockets: &Sockets,
    clients: &Clients,
    daemon: &LocalDaemon,
    held: &Held,
    target: Target<'_>,
) -> Result<Greeted, TrunkError> {
    let mut last = TrunkError::Withdrawn;
    let mut addresses = target.addresses.iter();
    let mut attempts = Vec::new();
    loop {
        if let Some(&remote) = addresses.next() {
            attempts.push(Box::pin(dial_at(sockets, clients, daemon, held, target, remote)));
        } else if attempts.is_empty() {
            return Err(last);
        }
        let ended = match addresses.len() {
            0 => Ok(first(&mut attempts).await),
            _ => timeout(STAGGER, first(&mut attempts)).await,
        };
        match ended {
            Ok(Ok(greeted)) => return Ok(greeted),
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
    }
}

/// Waits for the first of these that ends, and removes it.
async fn first<F: Future>(attempts: &mut Vec<Pin<Box<F>>>) -> F::Output {
    poll_fn(|context| {
        let ended = attempts
            .iter_mut()
            .enumerate()
            .find_map(|(index, attempt)| match attempt.as_mut().poll(context) {
                Poll::Ready(output) => Some((index, output)),
                Poll::Pending => None,
            });
        match ended {
            Some((index, output)) => {
                drop(attempts.swap_remove(index));
                Poll::Ready(output)
            }
            None => Poll::Pending,
        }
    })
    .await
}

async fn dial_at(
    sockets: &Sockets,
    clients: &Clients,
    daemon: &LocalDaemon,
    held: &Held,
    target: Target<'_>,
    remote: SocketAddr,
) -> Result<Greeted, TrunkError> {
    let began = time::Instant::now();
    let mut is_connected = false;
    let attempt = async {
        let socket = sockets.towards(remote, target.fresh)?;
        let connecting = match target.who.name() {
            Some(name) => socket.connect_with(clients.named.clone(), remote, name),
            None => socket.connect_with(clients.any.clone(), remote, &remote.ip().to_string()),
        };
        let connecting = connecting.map_err(|error| TrunkError::Connection(error.to_string()))?;
        let connection = match connecting.await {
            Err(ConnectionError::TimedOut) => return Ok(None),
            connected => connected?,
        };
        is_connected = true;
        let (control, receiving) = connection.open_bi().await?;
        greet(connection, control, receiving, daemon, held, Some(target.who))
            .await
            .map(Some)
    };
    match timeout(DIAL_TIME, attempt).await.unwrap_or(Ok(None)) {
        Ok(Some(greeted)) => Ok(greeted),
        Ok(None) if is_connected => Err(TrunkError::Late("greet this daemon")),
        Ok(None) => Err(match sockets.errors.since(began, remote) {
            Some(reason) => TrunkError::Unsent {
                address: remote,
                reason,
            },
            None => TrunkError::NoAnswer(remote),
        }),
        Err(error) => Err(error),
    }
}
