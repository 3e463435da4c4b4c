//! The task that dials peers, chooses trunks, and starts the task of each session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use quinn::Connection;
use quinn::Endpoint;
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::info;
use tracing::warn;

use super::dialling::Dialler;
use super::dialling::keep_dialling;
use super::dialling::keep_session;
use super::hosts::Dialled;
use super::hosts::HostDials;
use super::steps::Step;
use super::steps::await_welcome;
use super::steps::find_alone;
use super::unexpected::Unexpected;
use crate::cluster::StaticPeer;
use crate::cluster::choice::Choice;
use crate::cluster::choice::Offer;
use crate::cluster::choice::Running;
use crate::cluster::choice::choose;
use crate::endpoint::io::session::PeerEvent;
use crate::router::daemon_of;
use crate::session::Memory;
use crate::session::SessionConfig;
use crate::trunk::Agreement;
use crate::trunk::Held;
use crate::trunk::KnownAddresses;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkState;
use crate::trunk::io::busy_wait::BusyWait;
use crate::trunk::io::canary::Canaries;
use crate::trunk::io::dial::Sockets;
use crate::trunk::io::greet::Greeted;
use crate::trunk::io::leave::LeaveBarrier;
use crate::trunk::io::resolve::Resolver;
use crate::trunk::io::session;
use crate::trunk::io::session::SessionSettings;
use crate::trunk::io::trunks::TrunkSender;
use crate::trunk::io::trunks::trunks;
use crate::wire::Notice;
use crate::wire::SessionId;
use crate::wire::VERSION;
use crate::wire::VERSION_MIN;

/// Maximum number of sessions with temporary daemons (`beamway call`, `send`, `ping`): enough for scripts that run in
/// parallel, and a bound for one that runs wild.
const TEMPORARY: usize = 256;

/// Of these with one certificate: nobody takes all of them.
const TEMPORARY_OF_ONE: usize = 64;

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
    pub client: quinn::ClientConfig,
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

/// A session that is running or has ended.
#[derive(Debug)]
struct Active {
    boot: [u8; 16],
    id: SessionId,
    /// The connection that carries it.
    connection: Connection,
    trunks: TrunkSender,
    task: JoinHandle<()>,
}

/// The state of the trunk of each peer, by the name of the peer.
type States = BTreeMap<String, watch::Sender<TrunkState>>;

impl Cluster {
    /// The channel for greeted connections.
    pub fn channel() -> (mpsc::Sender<Greeted>, mpsc::Receiver<Greeted>) {
        mpsc::channel(GREETED)
    }

    /// Runs until the daemon stops and all sessions have ended. Dials `peers`, and each address of a host that is wanted.
    pub async fn run(
        self,
        peers: Vec<StaticPeer>,
        mut wanted: mpsc::Receiver<String>,
        greeted_in: mpsc::Sender<Greeted>,
        mut greeted: mpsc::Receiver<Greeted>,
    ) {
        let cluster = Arc::new(self);
        let mut sessions = Sessions {
            states: peers
                .iter()
                .map(|peer| (key(&peer.name), watch::channel(TrunkState::Down).0))
                .collect(),
            active: BTreeMap::new(),
            barrier: LeaveBarrier::default(),
            random: StdRng::from_seed(cluster.seed),
        };
        let dialler = Arc::new(Dialler {
            daemon: Arc::clone(&cluster.daemon),
            sockets: Arc::clone(&cluster.sockets),
            client: cluster.client.clone(),
            held: cluster.held.clone(),
            known: cluster.known.clone(),
            race_interval: cluster.race_interval,
        });
        let resolved = |peer: StaticPeer| {
            let resolver = Arc::new(Resolver::new(&peer.address));
            (peer, resolver)
        };
        let peers: Vec<_> = peers.into_iter().map(resolved).collect();
        let mut unexpected = Unexpected::new(peers.clone());
        let mut dialling = JoinSet::new();
        for peer in peers {
            let state = sessions.state(&key(&peer.0.name)).subscribe();
            dialling.spawn(keep_dialling(Arc::clone(&dialler), peer, state, greeted_in.clone()));
        }
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
                Some(address) = wanted.recv() => hosts.want(address, &dialler),
                Some(dialled) = hosts.next() => {
                    if let Dialled::Met(trunk, peer, _) = dialled {
                        let state = sessions.state(&key(&peer.name)).subscribe();
                        dialling.spawn(keep_session(Arc::clone(&dialler), peer, state, greeted_in.clone()));
                        let _ = greeted_in.try_send(*trunk);
                    }
                }
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
        dialling.shutdown().await;
        for (_, session) in sessions.active {
            let _ = session.task.await;
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
            let connection = trunk.connection.clone();
            match active.trunks.trunks.try_send(trunk) {
                Ok(()) => {
                    self.held.set(&peer, id);
                    active.id = id;
                    active.connection = connection;
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
            before.trunks.end.cancel();
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
                ..self.session.clone()
            },
            race_interval: self.race_interval,
            keep_alive: self.keep_alive,
            hub: self.hub.clone(),
            leave: self.leave.clone(),
            barrier: sessions.barrier.clone(),
            busy_wait: self.busy_wait.clone(),
            canaries: self.canaries.clone(),
        };
        let connection = trunk.connection.clone();
        let held = self.held.clone();
        let task = tokio::spawn(async move {
            session::run(trunk, settings, receiver).await;
            held.remove(&peer, id.session);
            state.send_replace(TrunkState::Down);
        });
        let active = Active {
            boot,
            id,
            connection,
            trunks,
            task,
        };
        sessions.active.insert(name, active);
    }
}

/// The existing sessions.
#[derive(Debug)]
struct Sessions {
    states: States,
    active: BTreeMap<String, Active>,
    /// Coordinates the end of their circuits when the daemon stops.
    barrier: LeaveBarrier,
    random: StdRng,
}

impl Sessions {
    fn state(&mut self, name: &str) -> &watch::Sender<TrunkState> {
        self.states
            .entry(name.to_owned())
            .or_insert_with(|| watch::channel(TrunkState::Down).0)
    }

    fn is_absent(&self, peer: &str) -> bool {
        let state = self.states.get(&key(peer));
        state.is_none_or(|state| *state.borrow() == TrunkState::Down)
    }

    /// The session that works with a daemon of this name, if it is another life than the one that greets.
    fn other_life(&self, agreement: &Agreement) -> Option<&Active> {
        let running = self.running(&agreement.peer)?;
        let works = matches!(running.state, TrunkState::Up | TrunkState::Fresh);
        let active = self.active.get(&key(&agreement.peer))?;
        (works && running.boot != agreement.boot).then_some(active)
    }

    /// Removes temporary daemons that have left. Returns whether there is room for this one.
    fn has_room_for(&mut self, peer: &str) -> bool {
        if !is_temporary(peer) {
            return true;
        }
        let states = &mut self.states;
        self.active.retain(|name, session| {
            let is_kept = !is_temporary(name) || !session.task.is_finished();
            if !is_kept {
                states.remove(name);
            }
            is_kept
        });
        let temporary = || self.active.keys().filter(|name| is_temporary(name));
        let same = temporary().filter(|name| daemon_of(name).eq_ignore_ascii_case(daemon_of(peer)));
        temporary().count() < TEMPORARY && same.count() < TEMPORARY_OF_ONE
    }

    fn running(&self, peer: &str) -> Option<Running> {
        let name = key(peer);
        let active = self.active.get(&name)?;
        Some(Running {
            boot: active.boot,
            id: active.id,
            state: *self.states.get(&name)?.borrow(),
        })
    }
}

fn is_temporary(peer: &str) -> bool {
    daemon_of(peer) != peer
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
