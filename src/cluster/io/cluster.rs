//! The task that dials peers, chooses trunks, and starts the task of each session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use quinn::Endpoint;
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::dialling::Dialler;
use super::dialling::WELCOME_TIME;
use super::dialling::keep_dialling;
use crate::cluster::StaticPeer;
use crate::cluster::choice::Choice;
use crate::cluster::choice::Offer;
use crate::cluster::choice::Running;
use crate::cluster::choice::choose;
use crate::endpoint::io::session::PeerEvent;
use crate::router::daemon_of;
use crate::session::SessionConfig;
use crate::trunk::Held;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkState;
use crate::trunk::io::busy_wait::BusyWait;
use crate::trunk::io::greet::Greeted;
use crate::trunk::io::leave::LeaveBarrier;
use crate::trunk::io::session;
use crate::trunk::io::session::SessionSettings;
use crate::trunk::io::trunks::TrunkSender;
use crate::trunk::io::trunks::trunks;
use crate::wire::Notice;
use crate::wire::SessionId;

/// Sessions at once with daemons that pass by: more than scripts run side by side, and a bound for one that went wild.
const PASSING: usize = 256;

/// Greeted connections that may wait to be chosen.
const GREETED: usize = 64;

/// What the cluster needs to make trunks and sessions.
#[derive(Debug)]
pub struct Cluster {
    /// Who we are.
    pub daemon: Arc<LocalDaemon>,
    /// The UDP endpoint.
    pub endpoint: Endpoint,
    /// QUIC's settings for dialling.
    pub client: quinn::ClientConfig,
    /// Settings of sessions; lanes and rank are set for each peer.
    pub session: SessionConfig,
    /// How often another trunk is tried while a session has none that works.
    pub race_interval: Duration,
    /// The sessions there are, as greetings tell them.
    pub held: Held,
    /// Where the hub hears of peers.
    pub hub: mpsc::Sender<PeerEvent>,
    /// Who is told of what comes to sessions.
    pub busy_wait: BusyWait,
    /// Cancelled when the daemon stops.
    pub leave: CancellationToken,
    /// Where the numbers of sessions come from: drawn at random when the daemon starts.
    pub seed: [u8; 32],
}

/// A session that runs, or has run.
#[derive(Debug)]
struct Active {
    boot: [u8; 16],
    id: SessionId,
    trunks: TrunkSender,
    task: JoinHandle<()>,
}

/// What there is with each peer, by its name.
type States = BTreeMap<String, watch::Sender<TrunkState>>;

/// A trunk that counts: the daemon with the lower name has said so.
#[derive(Debug)]
struct Welcomed {
    trunk: Greeted,
    id: SessionId,
}

impl Cluster {
    /// Where greeted connections arrive.
    pub fn channel() -> (mpsc::Sender<Greeted>, mpsc::Receiver<Greeted>) {
        mpsc::channel(GREETED)
    }

    /// Runs until the daemon stops and all sessions have ended.
    pub async fn run(
        self,
        peers: Vec<StaticPeer>,
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
            endpoint: cluster.endpoint.clone(),
            client: cluster.client.clone(),
            held: cluster.held.clone(),
            race_interval: cluster.race_interval,
        });
        let mut dialling = JoinSet::new();
        for peer in peers {
            let state = sessions.state(&key(&peer.name)).subscribe();
            dialling.spawn(keep_dialling(Arc::clone(&dialler), peer, state, greeted_in.clone()));
        }
        let (welcomed_in, mut welcomed) = mpsc::channel(GREETED);
        loop {
            // In a fixed order, so that a simulated run can be repeated.
            tokio::select! {
                biased;
                () = cluster.leave.cancelled() => break,
                Some(peer) = welcomed.recv() => cluster.go_on(peer, &mut sessions).await,
                Some(peer) = greeted.recv() => {
                    if cluster.daemon.is_lower_than(&peer.agreement.peer) {
                        cluster.choose(peer, &mut sessions).await;
                    } else {
                        tokio::spawn(await_welcome(peer, welcomed_in.clone()));
                    }
                }
            }
        }
        // Whoever dials now is refused, and waits for the daemon that comes after.
        cluster.endpoint.set_server_config(None);
        dialling.shutdown().await;
        for (_, session) in sessions.active {
            let _ = session.task.await;
        }
    }

    /// We have the lower name: we say what the connection is for.
    async fn choose(&self, mut trunk: Greeted, sessions: &mut Sessions) {
        let running = sessions.running(&trunk.agreement.peer);
        let offer = Offer {
            boot: trunk.agreement.boot,
            held: trunk.agreement.session,
            is_ours: trunk.is_ours,
        };
        let id = match choose(running.as_ref(), &offer) {
            Choice::Begin if !sessions.has_room_for(&trunk.agreement.peer) => {
                let reason = b"too many daemons pass by at once";
                trunk.connection.close(TrunkConfig::REFUSED, reason);
                return;
            }
            Choice::Begin => SessionId {
                session: sessions.random.next_u64().max(1),
                trunk: 1,
            },
            Choice::Resume(id) => id,
            Choice::Refuse => {
                let reason = b"there is a session already";
                trunk.connection.close(TrunkConfig::DUPLICATE, reason);
                return;
            }
        };
        let mut welcome = BytesMut::new();
        Notice::Welcome(id).encode(0, &mut welcome);
        match trunk.control.write_all(&welcome).await {
            Ok(()) => self.go_on(Welcomed { trunk, id }, sessions).await,
            Err(error) => debug!(peer = trunk.agreement.peer, %error, "a trunk was lost before it was used"),
        }
    }

    /// The trunk carries a session: the one that runs, or another, before which that one ends.
    async fn go_on(&self, welcomed: Welcomed, sessions: &mut Sessions) {
        let Welcomed { trunk, id } = welcomed;
        let peer = trunk.agreement.peer.clone();
        let running = sessions.running(&peer);
        let is_running = running.is_some_and(|running| {
            running.state != TrunkState::Down
                && running.boot == trunk.agreement.boot
                && running.id.session == id.session
        });
        if id.trunk == 1 && sessions.has_room_for(&peer) {
            self.begin(trunk, id, sessions).await;
        } else if is_running && let Some(active) = sessions.active.get_mut(&key(&peer)) {
            self.held.set(&peer, id);
            active.id = id;
            let _ = active.trunks.trunks.send(trunk).await;
        } else {
            trunk
                .connection
                .close(TrunkConfig::ENDED, b"that session has ended here");
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
        let settings = SessionSettings {
            config: SessionConfig {
                lanes: trunk.agreement.lanes,
                is_lower: self.daemon.is_lower_than(&peer),
                ..self.session.clone()
            },
            race_interval: self.race_interval,
            hub: self.hub.clone(),
            leave: self.leave.clone(),
            barrier: sessions.barrier.clone(),
            busy_wait: self.busy_wait.clone(),
        };
        let held = self.held.clone();
        let task = tokio::spawn(async move {
            session::run(trunk, settings, receiver).await;
            held.remove(&peer, id.session);
            state.send_replace(TrunkState::Down);
        });
        let active = Active { boot, id, trunks, task };
        sessions.active.insert(name, active);
    }
}

/// The sessions there are.
#[derive(Debug)]
struct Sessions {
    states: States,
    active: BTreeMap<String, Active>,
    /// When their circuits end if the daemon stops.
    barrier: LeaveBarrier,
    random: StdRng,
}

impl Sessions {
    fn state(&mut self, name: &str) -> &watch::Sender<TrunkState> {
        self.states
            .entry(name.to_owned())
            .or_insert_with(|| watch::channel(TrunkState::Down).0)
    }

    /// Removes daemons that have passed by, and says whether there is room for this one.
    fn has_room_for(&mut self, peer: &str) -> bool {
        if !is_passing(peer) {
            return true;
        }
        let states = &mut self.states;
        self.active.retain(|name, session| {
            let is_kept = !is_passing(name) || !session.task.is_finished();
            if !is_kept {
                states.remove(name);
            }
            is_kept
        });
        self.active.keys().filter(|name| is_passing(name)).count() < PASSING
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

fn is_passing(peer: &str) -> bool {
    daemon_of(peer) != peer
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The other side has the lower name: the trunk counts once it said so.
async fn await_welcome(mut trunk: Greeted, welcomed: mpsc::Sender<Welcomed>) {
    match timeout(WELCOME_TIME, trunk.notices.read()).await {
        Ok(Ok((_, Notice::Welcome(id)))) => drop(welcomed.send(Welcomed { trunk, id }).await),
        Ok(Ok(_)) => trunk.connection.close(TrunkConfig::BROKEN, b"a welcome was due"),
        Ok(Err(error)) => debug!(peer = trunk.agreement.peer, %error, "a trunk was not welcome"),
        // It may be underway on a line that carries nothing our way: the session it was for is not to end of that.
        Err(_) => trunk.connection.close(TrunkConfig::DROPPED, b"no welcome came in time"),
    }
}
