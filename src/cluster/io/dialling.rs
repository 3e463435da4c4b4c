//! Dialling peers: when there is no session, and when the trunk of a session fails.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio::time::sleep;
use tokio::time::timeout;
use tracing::debug;
use tracing::warn;

use crate::cluster::StaticPeer;
use crate::cluster::failure_log::FailureLog;
use crate::trunk::Counters;
use crate::trunk::Dialled;
use crate::trunk::Direction;
use crate::trunk::Held;
use crate::trunk::KnownAddresses;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkError;
use crate::trunk::TrunkState;
use crate::trunk::io::dial::Clients;
use crate::trunk::io::dial::Sockets;
use crate::trunk::io::dial::Target;
use crate::trunk::io::dial::dial;
use crate::trunk::io::greet::Greeted;
use crate::trunk::io::resolve::Resolver;

/// Time-out for the welcome of the other side.
pub(super) const WELCOME_TIME: Duration = Duration::from_secs(5);

/// The first pause between two attempts to reach a peer; it doubles up to [`DIAL_PAUSE_MAX`].
const DIAL_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause: a peer that comes back is reached within this time.
const DIAL_PAUSE_MAX: Duration = Duration::from_secs(3);

/// The daemon with the higher name lets the other one dial first, so that rarely both succeed.
const HEAD_START: Duration = Duration::from_millis(250);

/// Maximum number of simultaneous attempts in a race. More than the number that can start within [`RACE_TIME`] at the default
/// interval.
const RACERS: usize = 32;

/// Time-out of an attempt in a race: more than a round trip around the earth with one lost packet.
const RACE_TIME: Duration = Duration::from_secs(2);

/// What is needed to dial peers.
#[derive(Debug)]
pub(super) struct Dialler {
    pub(super) daemon: Arc<LocalDaemon>,
    pub(super) sockets: Arc<Sockets>,
    pub(super) clients: Mutex<Arc<Clients>>,
    pub(super) held: Held,
    pub(super) known: KnownAddresses,
    /// Interval of attempts to get another trunk while a session has none that works.
    pub(super) race_interval: Duration,
    pub(super) counters: Counters,
}

impl Dialler {
    /// QUIC's settings, which hold this daemon's certificate.
    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other settings from now on.
    pub(super) fn set_clients(&self, clients: Clients) {
        *self.clients.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(clients);
    }

    async fn dial(&self, peer: &StaticPeer, resolver: &Resolver, fresh: bool) -> Result<Greeted, TrunkError> {
        let dialled = self.try_dial(peer, resolver, fresh).await;
        self.counters.count(Direction::Out, &dialled);
        dialled
    }

    async fn try_dial(&self, peer: &StaticPeer, resolver: &Resolver, fresh: bool) -> Result<Greeted, TrunkError> {
        let addresses = resolver.resolve().await?;
        let target = Target {
            who: Dialled::Daemon(&peer.name),
            addresses: &addresses,
            fresh,
        };
        let trunk = dial(&self.sockets, &self.clients(), &self.daemon, &self.held, target).await?;
        self.known.add(&peer.name, trunk.connection.remote_address());
        Ok(trunk)
    }
}

/// Dials the address of a host whose daemon is not known by name. The peer must have a certificate for the host.
pub(super) async fn dial_host(dialler: &Dialler, address: &str) -> Result<(Greeted, StaticPeer), TrunkError> {
    let addresses = Resolver::new(address).resolve().await?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let target = Target {
        who: Dialled::Host(host),
        addresses: &addresses,
        fresh: false,
    };
    let trunk = dial_found(dialler, target).await?;
    let name = trunk.agreement.peer.clone();
    let address = address.to_owned();
    Ok((trunk, StaticPeer { name, address }))
}

/// Dials a peer that no `[[peer]]` names.
pub(super) async fn dial_found(dialler: &Dialler, target: Target<'_>) -> Result<Greeted, TrunkError> {
    let dialled = dial(
        &dialler.sockets,
        &dialler.clients(),
        &dialler.daemon,
        &dialler.held,
        target,
    )
    .await;
    dialler.counters.count(Direction::Out, &dialled);
    let trunk = dialled?;
    let peer = &trunk.agreement.peer;
    dialler.known.add(peer, trunk.connection.remote_address());
    Ok(trunk)
}

/// Keeps the session with a peer that was found: gets another trunk when one fails, and ends with the session.
pub(super) async fn keep_session(
    dialler: Arc<Dialler>,
    peer: StaticPeer,
    resolver: Arc<Resolver>,
    mut state: watch::Receiver<TrunkState>,
    greeted: mpsc::Sender<Greeted>,
) {
    if dialler.daemon.accepts.is_configured(&peer.name) {
        // It is dialled anyway.
        return;
    }
    if timeout(WELCOME_TIME, until(&mut state, is_there)).await.is_err() {
        return;
    }
    loop {
        match until(&mut state, |state| {
            matches!(state, TrunkState::Down | TrunkState::Stalled)
        })
        .await
        {
            Some(TrunkState::Stalled) => race(&dialler, &peer, &resolver, &mut state, &greeted).await,
            _ => return,
        }
    }
}

/// Whether an attempt is made from a fresh port, after this many that failed: the usual one may be what is in the way.
const fn wants_fresh_port(failures: u32) -> bool {
    failures >= 3 && failures % 2 == 1
}

/// Waits for a state that satisfies `is_such`; `None` if there will be no more states.
async fn until(state: &mut watch::Receiver<TrunkState>, is_such: impl Fn(TrunkState) -> bool) -> Option<TrunkState> {
    state.wait_for(|state| is_such(*state)).await.ok().map(|state| *state)
}

fn is_there(state: TrunkState) -> bool {
    state != TrunkState::Down
}

/// Dials a peer whenever there is no session with it, or the trunk of the session fails.
pub(super) async fn keep_dialling(
    dialler: Arc<Dialler>,
    (peer, resolver): (StaticPeer, Arc<Resolver>),
    mut state: watch::Receiver<TrunkState>,
    greeted: mpsc::Sender<Greeted>,
    failure: watch::Sender<String>,
) {
    let mut pause = DIAL_PAUSE;
    let mut failures: u32 = 0;
    let mut failure_log = FailureLog::default();
    let is_lower = dialler.daemon.is_lower_than(&peer.name);
    loop {
        let Some(wanted) = until(&mut state, |state| {
            matches!(state, TrunkState::Down | TrunkState::Stalled)
        })
        .await
        else {
            return;
        };
        if wanted == TrunkState::Stalled {
            race(&dialler, &peer, &resolver, &mut state, &greeted).await;
            continue;
        }
        if !is_lower && timeout(HEAD_START, until(&mut state, is_there)).await.is_ok() {
            continue;
        }
        let dialled = tokio::select! {
            biased;
            // A session may have begun meanwhile, and may need another trunk before an attempt on a dead path times out.
            _ = until(&mut state, is_there) => continue,
            dialled = dialler.dial(&peer, &resolver, wants_fresh_port(failures)) => dialled,
        };
        match dialled {
            Ok(trunk) => {
                pause = DIAL_PAUSE;
                failures = 0;
                failure_log.reached();
                failure.send_replace(String::new());
                if greeted.send(trunk).await.is_err() {
                    return;
                }
                let _ = timeout(WELCOME_TIME, until(&mut state, is_there)).await;
            }
            Err(error) => {
                failure.send_replace(error.to_string());
                if failure_log.is_news(&error.to_string(), Instant::now()) {
                    warn!(peer = peer.name, address = peer.address, %error, "a peer cannot be reached; retrying");
                } else {
                    debug!(peer = peer.name, address = peer.address, %error, "a peer cannot be reached");
                }
            }
        }
        failures += 1;
        sleep(pause).await;
        pause = (pause * 2).min(DIAL_PAUSE_MAX);
    }
}

/// Starts attempts at a fixed interval, without waiting for earlier ones, until the session has a trunk that works, or ends.
/// When the network is back, the next attempt gets through first, while packets of earlier ones wait for their timers.
async fn race(
    dialler: &Arc<Dialler>,
    peer: &StaticPeer,
    resolver: &Arc<Resolver>,
    state: &mut watch::Receiver<TrunkState>,
    greeted: &mpsc::Sender<Greeted>,
) {
    let mut attempts = JoinSet::new();
    let mut tick = tokio::time::interval(dialler.race_interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut begun: u32 = 0;
    loop {
        tokio::select! {
            biased;
            _ = until(state, |state| state != TrunkState::Stalled) => return,
            Some(Ok(Ok(Ok(trunk)))) = attempts.join_next(), if !attempts.is_empty() => {
                if greeted.send(trunk).await.is_err() {
                    return;
                }
            }
            _ = tick.tick() => {
                if attempts.len() < RACERS {
                    let (dialler, peer, resolver) = (Arc::clone(dialler), peer.clone(), Arc::clone(resolver));
                    let fresh = wants_fresh_port(begun);
                    begun = begun.wrapping_add(1);
                    attempts.spawn(timeout(RACE_TIME, async move { dialler.dial(&peer, &resolver, fresh).await }));
                }
            }
        }
    }
}
