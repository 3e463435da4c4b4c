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
use tokio::time::MissedTickBehavior;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::warn;

use crate::cluster::choice::Choice;
use crate::cluster::choice::Offer;
use crate::cluster::choice::Running;
use crate::cluster::choice::choose;
use crate::endpoint::io::session::PeerEvent;
use crate::router::daemon_of;
use crate::session::SessionConfig;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;
use crate::trunk::io::accept::Greeted;
use crate::trunk::io::busy_wait::BusyWait;
use crate::trunk::io::dial::dial;
use crate::trunk::io::session;
use crate::trunk::io::session::SessionSettings;
use crate::trunk::io::trunks::Held;
use crate::trunk::io::trunks::LeaveBarrier;
use crate::trunk::io::trunks::TrunkSender;
use crate::trunk::io::trunks::TrunkState;
use crate::trunk::io::trunks::trunks;
use crate::wire::Notice;
use crate::wire::SessionId;

/// The first pause between two attempts to reach a peer; it doubles up to [`DIAL_PAUSE_MAX`].
const DIAL_PAUSE: Duration = Duration::from_millis(100);

/// A peer that comes back is reached this soon.
const DIAL_PAUSE_MAX: Duration = Duration::from_secs(3);

/// The daemon with the higher name lets the other dial first, so that seldom both succeed.
const HEAD_START: Duration = Duration::from_millis(250);

/// The other side says welcome by then.
const WELCOME_TIME: Duration = Duration::from_secs(5);

/// Attempts underway at once while a trunk is sought for a session: so many begin within [`RACE_TIME`], and more.
const RACERS: usize = 32;

/// How long such an attempt may take: more than a round trip around the earth, with a lost packet.
const RACE_TIME: Duration = Duration::from_secs(2);

/// Sessions at once with daemons that pass by: more than scripts run side by side, and a bound for one that went wild.
const PASSING: usize = 256;

/// Greeted connections that may wait to be chosen.
const GREETED: usize = 64;

/// A peer that is dialled.
#[derive(Clone, Debug)]
pub struct StaticPeer {
    /// Its name; its certificate must carry it.
    pub name: String,
    /// `host:port`, resolved for each attempt.
    pub address: String,
}

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
    /// Where the gateway hears of peers.
    pub gateway: mpsc::Sender<PeerEvent>,
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
type Links = BTreeMap<String, watch::Sender<TrunkState>>;

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
            links: peers
                .iter()
                .map(|peer| (key(&peer.name), watch::channel(TrunkState::Down).0))
                .collect(),
            active: BTreeMap::new(),
            parting: LeaveBarrier::default(),
            random: StdRng::from_seed(cluster.seed),
        };
        let mut dialling = JoinSet::new();
        for peer in peers {
            let link = sessions.link(&key(&peer.name)).subscribe();
            dialling.spawn(keep_dialling(Arc::clone(&cluster), peer, link, greeted_in.clone()));
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
            running.link != TrunkState::Down && running.boot == trunk.agreement.boot && running.id.session == id.session
        });
        if id.trunk == 1 && sessions.has_room_for(&peer) {
            self.begin(trunk, id, sessions).await;
        } else if is_running && let Some(active) = sessions.active.get_mut(&key(&peer)) {
            self.held.set(&peer, id);
            active.id = id;
            let _ = active.trunks.trunks.send(trunk).await;
        } else {
            trunk.connection.close(TrunkConfig::OVER, b"that session is over here");
        }
    }

    async fn begin(&self, trunk: Greeted, id: SessionId, sessions: &mut Sessions) {
        let peer = trunk.agreement.peer.clone();
        let name = key(&peer);
        if let Some(before) = sessions.active.remove(&name) {
            before.trunks.over.cancel();
            let _ = before.task.await;
        }
        let link = sessions.link(&name).clone();
        link.send_replace(TrunkState::Fresh);
        self.held.set(&peer, id);
        let (trunks, receiver) = trunks(link.clone());
        let boot = trunk.agreement.boot;
        let terms = SessionSettings {
            config: SessionConfig {
                lanes: trunk.agreement.lanes,
                is_lower: self.daemon.is_lower_than(&peer),
                ..self.session.clone()
            },
            race_interval: self.race_interval,
            gateway: self.gateway.clone(),
            leave: self.leave.clone(),
            parting: sessions.parting.clone(),
            busy_wait: self.busy_wait.clone(),
        };
        let held = self.held.clone();
        let task = tokio::spawn(async move {
            session::run(trunk, terms, receiver).await;
            held.remove(&peer, id.session);
            link.send_replace(TrunkState::Down);
        });
        let active = Active { boot, id, trunks, task };
        sessions.active.insert(name, active);
    }
}

/// The sessions there are.
#[derive(Debug)]
struct Sessions {
    links: Links,
    active: BTreeMap<String, Active>,
    /// When their circuits end if the daemon stops.
    parting: LeaveBarrier,
    random: StdRng,
}

impl Sessions {
    fn link(&mut self, name: &str) -> &watch::Sender<TrunkState> {
        self.links
            .entry(name.to_owned())
            .or_insert_with(|| watch::channel(TrunkState::Down).0)
    }

    /// Forgets daemons that have passed by, and says whether there is room for this one.
    fn has_room_for(&mut self, peer: &str) -> bool {
        if !is_passing(peer) {
            return true;
        }
        let links = &mut self.links;
        self.active.retain(|name, session| {
            let is_kept = !is_passing(name) || !session.task.is_finished();
            if !is_kept {
                links.remove(name);
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
            link: *self.links.get(&name)?.borrow(),
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

impl Cluster {
    async fn dial(&self, peer: &StaticPeer) -> Result<Greeted, TrunkError> {
        let client = self.client.clone();
        dial(
            &self.endpoint,
            client,
            &self.daemon,
            &self.held,
            &peer.name,
            &peer.address,
        )
        .await
    }
}

/// Waits for such a state; `None` when nobody can bring it about any more.
async fn until(link: &mut watch::Receiver<TrunkState>, is_such: impl Fn(TrunkState) -> bool) -> Option<TrunkState> {
    link.wait_for(|link| is_such(*link)).await.ok().map(|link| *link)
}

fn is_there(link: TrunkState) -> bool {
    link != TrunkState::Down
}

/// Dials a peer whenever there is no session with it, or its trunk fails.
async fn keep_dialling(
    cluster: Arc<Cluster>,
    peer: StaticPeer,
    mut link: watch::Receiver<TrunkState>,
    greeted: mpsc::Sender<Greeted>,
) {
    let mut pause = DIAL_PAUSE;
    let is_lower = cluster.daemon.is_lower_than(&peer.name);
    loop {
        let Some(wanted) = until(&mut link, |link| matches!(link, TrunkState::Down | TrunkState::Stalled)).await else {
            return;
        };
        if wanted == TrunkState::Stalled {
            race(&cluster, &peer, &mut link, &greeted).await;
            continue;
        }
        if !is_lower && timeout(HEAD_START, until(&mut link, is_there)).await.is_ok() {
            continue;
        }
        let dialled = tokio::select! {
            biased;
            // A session that has begun meanwhile may need another trunk before an attempt on a dead line is over.
            _ = until(&mut link, is_there) => continue,
            dialled = cluster.dial(&peer) => dialled,
        };
        match dialled {
            Ok(trunk) => {
                pause = DIAL_PAUSE;
                if greeted.send(trunk).await.is_err() {
                    return;
                }
                let _ = timeout(WELCOME_TIME, until(&mut link, is_there)).await;
            }
            Err(error) if pause == DIAL_PAUSE => {
                warn!(peer = peer.name, address = peer.address, %error, "a peer cannot be reached; trying on");
            }
            Err(error) => debug!(peer = peer.name, address = peer.address, %error, "a peer cannot be reached"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(DIAL_PAUSE_MAX);
    }
}

/// Tries one trunk after another, without waiting for the former, until the session has one that works or is over: on a
/// line that is back the next attempt is the first to get through, while packets of the former ones wait for their timers.
async fn race(
    cluster: &Arc<Cluster>,
    peer: &StaticPeer,
    link: &mut watch::Receiver<TrunkState>,
    greeted: &mpsc::Sender<Greeted>,
) {
    let mut attempts = JoinSet::new();
    let mut tick = tokio::time::interval(cluster.race_interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = until(link, |link| link != TrunkState::Stalled) => return,
            Some(Ok(Ok(Ok(trunk)))) = attempts.join_next(), if !attempts.is_empty() => {
                if greeted.send(trunk).await.is_err() {
                    return;
                }
            }
            _ = tick.tick() => {
                if attempts.len() < RACERS {
                    let (cluster, peer) = (Arc::clone(cluster), peer.clone());
                    attempts.spawn(timeout(RACE_TIME, async move { cluster.dial(&peer).await }));
                }
            }
        }
    }
}
