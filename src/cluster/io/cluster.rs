//! The task that dials peers, chooses trunks, and starts the task of each session.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;

use bytes::BytesMut;
use quinn::Endpoint;
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::info;
use tracing::warn;

use super::configured::Configured;
use super::control::Change;
use super::control::Control;
use super::control::PeerReport;
use super::control::Peers;
use super::dialling::Dialler;
use super::dialling::keep_session;
use super::finding::Finding;
use super::hosts::Dialled;
use super::hosts::HostDials;
use super::sessions::Active;
use super::sessions::Sessions;
use super::sessions::Shown;
use super::sessions::is_temporary;
use super::sessions::key;
use super::steps::Step;
use super::steps::await_welcome;
use super::steps::find_alone;
use super::unexpected::Unexpected;
use crate::cluster::Discovery;
use crate::cluster::StaticPeer;
use crate::cluster::choice::Choice;
use crate::cluster::choice::Offer;
use crate::cluster::choice::choose;
use crate::endpoint::io::session::PeerEvent;
use crate::router::daemon_of;
use crate::session::Memory;
use crate::session::SessionConfig;
use crate::trunk::Counters;
use crate::trunk::Held;
use crate::trunk::KnownAddresses;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkState;
use crate::trunk::io::busy_wait::BusyWait;
use crate::trunk::io::canary::Canaries;
use crate::trunk::io::dial::Clients;
use crate::trunk::io::dial::Sockets;
use crate::trunk::io::exchange::Exchange;
use crate::trunk::io::greet::Greeted;
use crate::trunk::io::resolve::Resolver;
use crate::trunk::io::session;
use crate::trunk::io::session::SessionSettings;
use crate::trunk::io::trunks::trunks;
use crate::wire::Notice;
use crate::wire::SessionId;
use crate::wire::VERSION;
use crate::wire::VERSION_MIN;

/// How often certificates of peers are compared with the time.
const EXPIRY_TIME: Duration = Duration::from_secs(2);

/// Greeted connections that may wait for a decision.
const GREETED: usize = 256;

/// The settings and handles needed to create trunks and sessions.
#[derive(Debug)]
pub struct Cluster {
    /// This daemon.
    pub daemon: Arc<LocalDaemon>,
    /// The UDP endpoint that listens.
    pub endpoint: Endpoint,
    /// The sockets from which peers are dialled.
    pub sockets: Arc<Sockets>,
    /// QUIC's settings for dialling.
    pub clients: Clients,
    /// Settings of sessions. Lanes, rank and memory are set for each peer.
    pub session: SessionConfig,
    /// What is kept for all peers.
    pub memory: Memory,
    /// Interval of attempts to get another trunk while a session has none that works.
    pub race_interval: Duration,
    /// Interval of QUIC's keep-alives.
    pub keep_alive: Duration,
    /// The existing sessions, as announced in greetings.
    pub held: Held,
    /// Where peers were reached, for those who let newcomers in.
    pub known: KnownAddresses,
    /// What daemons tell each other of their peers.
    pub exchange: Exchange,
    /// Counts the connections that are set up, and the sessions that end.
    pub counters: Counters,
    /// Whether sessions end when the certificate of the peer expires.
    pub ends_expired: bool,
    /// The channel to the hub for events of peers.
    pub hub: mpsc::Sender<PeerEvent>,
    /// The canaries of peers; `None`: there are none.
    pub canaries: Option<Canaries>,
    /// Is notified of frames that arrive for sessions.
    pub busy_wait: BusyWait,
    /// Cancelled when the daemon stops.
    pub leave: CancellationToken,
    /// The seed for session numbers, drawn at random when the daemon starts.
    pub seed: [u8; 32],
}

impl Cluster {
    /// The channel for greeted connections.
    pub fn channel() -> (mpsc::Sender<Greeted>, mpsc::Receiver<Greeted>) {
        mpsc::channel(GREETED)
    }

    /// Runs until the daemon stops and all sessions have ended. Dials `peers`, those that are found, and each address of a host that is
    /// wanted. `controls` change and ask it meanwhile.
    pub async fn run(
        self,
        (peers, discoveries): (Vec<StaticPeer>, Vec<Discovery>),
        mut controls: mpsc::Receiver<Control>,
        mut wanted: mpsc::Receiver<String>,
        greeted_in: mpsc::Sender<Greeted>,
        mut greeted: mpsc::Receiver<Greeted>,
    ) {
        let cluster = Arc::new(self);
        let bounds = cluster.session.bounds();
        let mut sessions = Sessions::new(StdRng::from_seed(cluster.seed), bounds, cluster.ends_expired);
        let dialler = Arc::new(cluster.dialler());
        let mut configured = Configured::new(Arc::clone(&dialler), greeted_in.clone());
        configured.set(peers, |peer| sessions.state(peer).subscribe());
        let mut finding = Finding::new(Arc::clone(&dialler), cluster.exchange.clone(), greeted_in.clone());
        finding.set(discoveries);
        let mut unexpected = Unexpected::default();
        unexpected.set(configured.resolved());
        let mut dialling = JoinSet::new();
        let mut expiry = tokio::time::interval(EXPIRY_TIME);
        expiry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hosts = HostDials::new(cluster.hub.clone());
        let (steps_in, mut steps) = mpsc::channel(GREETED);
        let mut welcomes = JoinSet::new();
        loop {
            // The order is fixed, so that a simulation can be repeated.
            tokio::select! {
                biased;
                () = cluster.leave.cancelled() => break,
                Some(step) = steps.recv() => cluster.take(step, &mut sessions, &steps_in).await,
                Some(_) = welcomes.join_next() => {}
                Some(control) = controls.recv() => match control {
                    Control::Change(mut change) => {
                        finding.set(std::mem::take(&mut change.discoveries));
                        cluster.change(*change, &mut sessions, &mut configured, &dialler);
                        unexpected.set(configured.resolved());
                    }
                    Control::Peers { answer } => drop(answer.send(Peers {
                        list: report(&sessions, &configured),
                        found: finding.report(&sessions),
                    })),
                },
                _ = expiry.tick() => sessions.expire(SystemTime::now()),
                Some(address) = wanted.recv() => hosts.want(address, &dialler),
                Some(dialled) = hosts.next() => {
                    if let Dialled::Met(trunk, peer, _) = dialled {
                        let state = sessions.state(&key(&peer.name)).subscribe();
                        let resolver = Arc::new(Resolver::new(&peer.address));
                        dialling.spawn(keep_session(Arc::clone(&dialler), peer, resolver, state, greeted_in.clone()));
                        let _ = greeted_in.try_send(*trunk);
                    }
                }
                input = finding.next() => finding.handle(input, &mut sessions),
                Some(trunk) = greeted.recv() => {
                    let name = trunk.agreement.peer.as_str();
                    if !trunk.is_ours && !is_temporary(name) && !cluster.daemon.accepts.is_configured(name) {
                        let from = trunk.connection.remote_address();
                        unexpected.greet(name, from, |peer| sessions.is_absent(peer));
                    }
                    if cluster.daemon.is_lower_than(name) {
                        cluster.take(Step::Choose { trunk, is_alone: false }, &mut sessions, &steps_in).await;
                    } else if welcomes.len() < GREETED {
                        welcomes.spawn(await_welcome(trunk, steps_in.clone()));
                    } else {
                        let reason = b"too many connections wait for a Welcome notice";
                        trunk.connection.close(TrunkConfig::DROPPED, reason);
                    }
                }
            }
        }
        // A peer that dials now is refused, and retries until the next daemon runs.
        cluster.endpoint.set_server_config(None);
        drop(configured);
        drop(finding);
        dialling.shutdown().await;
        for (_, session) in sessions.active {
            let _ = session.task.await;
        }
    }

    fn dialler(&self) -> Dialler {
        Dialler {
            daemon: Arc::clone(&self.daemon),
            sockets: Arc::clone(&self.sockets),
            clients: Mutex::new(Arc::new(self.clients.clone())),
            held: self.held.clone(),
            known: self.known.clone(),
            race_interval: self.race_interval,
            counters: self.counters.clone(),
        }
    }

    /// Applies a changed configuration. What it does not concern goes on.
    fn change(&self, change: Change, sessions: &mut Sessions, configured: &mut Configured, dialler: &Dialler) {
        dialler.set_clients(change.clients);
        let before: BTreeSet<String> = configured.failures().map(|(peer, _)| key(&peer.name)).collect();
        configured.set(change.peers, |peer| sessions.state(peer).subscribe());
        sessions.bounds = change.bounds;
        sessions.ends_expired = change.ends_expired;
        sessions.refuse(&self.daemon.accepts, |peer| before.contains(&key(peer)));
        sessions.verify(&change.trust, SystemTime::now());
        // Without a grace time a session ends with its trunk.
        if change.is_renewed && !self.session.grace.is_zero() {
            sessions.renew();
        }
    }

    async fn take(&self, step: Step, sessions: &mut Sessions, steps: &mpsc::Sender<Step>) {
        let (trunk, is_alone, begins) = match &step {
            Step::Choose { trunk, is_alone } => (trunk, *is_alone, true),
            Step::Welcomed { trunk, id, is_alone } => (trunk, *is_alone, id.trunk == 1),
        };
        if !is_alone
            && begins
            && let Some(active) = sessions.other_life(&trunk.agreement)
        {
            let (connection, probe) = (active.connection.clone(), Arc::clone(&active.trunks.probe));
            tokio::spawn(find_alone(step, connection, probe, steps.clone()));
            return;
        }
        match step {
            Step::Choose { trunk, .. } => self.choose(trunk, sessions).await,
            Step::Welcomed { trunk, id, .. } => self.go_on(trunk, id, sessions).await,
        }
    }

    /// Decides what a connection is used for. We have the lower name.
    async fn choose(&self, mut trunk: Greeted, sessions: &mut Sessions) {
        let running = sessions.running(&trunk.agreement.peer);
        let offer = Offer {
            boot: trunk.agreement.boot,
            held: trunk.agreement.session,
            is_ours: trunk.is_ours,
        };
        let id = match choose(running.as_ref(), &offer) {
            Choice::Begin if !sessions.has_room_for(&trunk.agreement.peer) => {
                let reason = b"too many temporary daemons at once";
                trunk.connection.close(TrunkConfig::REFUSED, reason);
                return;
            }
            Choice::Begin => SessionId {
                session: sessions.random.next_u64().max(1),
                trunk: 1,
            },
            Choice::Resume(id) => id,
            Choice::Refuse => {
                let reason = b"a session exists already";
                trunk.connection.close(TrunkConfig::DUPLICATE, reason);
                return;
            }
        };
        let mut welcome = BytesMut::new();
        Notice::Welcome(id).encode(0, &mut welcome);
        // All other peers would wait with us for one that has no room for it. QUIC takes it at once unless the peer has granted
        // less than the first notices need.
        match timeout(Duration::ZERO, trunk.control.write_all(&welcome)).await {
            Ok(Ok(())) => self.go_on(trunk, id, sessions).await,
            Ok(Err(error)) => debug!(peer = trunk.agreement.peer, %error, "a trunk was lost before it was used"),
            Err(_) => {
                let reason = b"the control stream has no room for a Welcome notice";
                trunk.connection.close(TrunkConfig::BROKEN, reason);
                warn!(
                    peer = trunk.agreement.peer,
                    "the peer leaves no room for a Welcome notice; its connection is closed"
                );
            }
        }
    }

    /// Gives the trunk to the existing session, or starts a session after ending the previous one.
    async fn go_on(&self, trunk: Greeted, id: SessionId, sessions: &mut Sessions) {
        let peer = trunk.agreement.peer.clone();
        let running = sessions.running(&peer);
        let is_running = running.is_some_and(|running| {
            running.state != TrunkState::Down
                && running.boot == trunk.agreement.boot
                && running.id.session == id.session
                // An older welcome may come after a newer one.
                && running.id.trunk < id.trunk
        });
        if id.trunk == 1 && sessions.has_room_for(&peer) {
            self.begin(trunk, id, sessions).await;
        } else if is_running && let Some(active) = sessions.active.get_mut(&key(&peer)) {
            let shown = Shown::of(&trunk);
            match active.trunks.trunks.try_send(trunk) {
                Ok(()) => {
                    self.held.set(&peer, id);
                    active.resume(id, shown);
                }
                // Trunks come faster than the session takes them: it has a newer one than the peer knows of.
                Err(TrySendError::Full(trunk)) => {
                    let reason = b"the session has other trunks to choose from";
                    trunk.connection.close(TrunkConfig::DUPLICATE, reason);
                }
                Err(TrySendError::Closed(trunk)) => {
                    trunk.connection.close(TrunkConfig::ENDED, b"this session has ended");
                }
            }
        } else {
            trunk.connection.close(TrunkConfig::ENDED, b"this session has ended");
        }
    }

    async fn begin(&self, trunk: Greeted, id: SessionId, sessions: &mut Sessions) {
        let peer = trunk.agreement.peer.clone();
        let name = key(&peer);
        if let Some(before) = sessions.active.remove(&name) {
            before.trunks.end.tell("the peer has started a new session".to_owned());
            let _ = before.task.await;
        }
        let state = sessions.state(&name).clone();
        state.send_replace(TrunkState::Fresh);
        self.held.set(&peer, id);
        let (trunks, receiver) = trunks(state.clone());
        let boot = trunk.agreement.boot;
        let (min, max) = trunk.agreement.versions;
        info!(
            %peer, software = trunk.agreement.software, protocol = trunk.agreement.version,
            "a session begins: the peer speaks versions {min} to {max} of the protocol, this daemon {VERSION_MIN} to {VERSION}"
        );
        let settings = SessionSettings {
            config: SessionConfig {
                version: trunk.agreement.version,
                lanes: trunk.agreement.lanes,
                is_lower: self.daemon.is_lower_than(&peer),
                memory: self.memory.share(daemon_of(&peer)),
                ..self.session.clone().with(sessions.bounds)
            },
            race_interval: self.race_interval,
            keep_alive: self.keep_alive,
            hub: self.hub.clone(),
            leave: self.leave.clone(),
            barrier: sessions.barrier.clone(),
            busy_wait: self.busy_wait.clone(),
            canaries: self.canaries.clone(),
            exchange: self.exchange.clone(),
        };
        let Shown {
            connection,
            valid_until,
            listens,
        } = Shown::of(&trunk);
        let (is_ours, held, counters) = (trunk.is_ours, self.held.clone(), self.counters.clone());
        let spelled = peer.clone();
        let task = tokio::spawn(async move {
            session::run(trunk, settings, receiver).await;
            counters.session_ended();
            held.remove(&peer, id.session);
            state.send_replace(TrunkState::Down);
        });
        let active = Active {
            name: spelled,
            boot,
            id,
            connection,
            valid_until,
            listens,
            is_ours,
            trunks,
            task,
        };
        sessions.active.insert(name, active);
    }
}

/// The peers that are configured, and those with a session.
fn report(sessions: &Sessions, configured: &Configured) -> Vec<PeerReport> {
    let mut peers: BTreeMap<String, PeerReport> = sessions
        .report()
        .into_iter()
        .map(|peer| (key(&peer.name), peer))
        .collect();
    for (peer, failure) in configured.failures() {
        let known = peers.entry(key(&peer.name)).or_insert_with(|| PeerReport {
            name: peer.name.clone(),
            state: TrunkState::Down,
            configured: None,
            remote: None,
            failure,
            valid_until: None,
        });
        known.configured = Some(peer.address.clone());
    }
    peers.into_values().collect()
}
