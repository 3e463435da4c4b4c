//! The task that dials peers, chooses trunks, and starts the task of each session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use quinn::Connection;
use quinn::Endpoint;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::warn;

use crate::session::SessionConfig;
use crate::session::handle::PeerEvent;
use crate::trunk::Daemon;
use crate::trunk::TrunkConfig;
use crate::trunk::client::dial;
use crate::trunk::driver;
use crate::trunk::server::Greeted;
use crate::wire::Notice;

/// The first pause between two attempts to reach a peer; it doubles up to [`DIAL_PAUSE_MAX`].
const DIAL_PAUSE: Duration = Duration::from_millis(100);

/// A peer that comes back is reached this soon.
const DIAL_PAUSE_MAX: Duration = Duration::from_secs(3);

/// The daemon with the higher name lets the other dial first, so that seldom both succeed.
const HEAD_START: Duration = Duration::from_millis(250);

/// The other side says welcome by then.
const WELCOME_TIME: Duration = Duration::from_secs(5);

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
    pub daemon: Arc<Daemon>,
    /// The UDP endpoint.
    pub endpoint: Endpoint,
    /// QUIC's settings for dialling.
    pub client: quinn::ClientConfig,
    /// Settings of sessions; lanes and rank are set for each peer.
    pub session: SessionConfig,
    /// Where the gateway hears of peers.
    pub gateway: mpsc::Sender<PeerEvent>,
    /// Cancelled when the daemon stops.
    pub leave: CancellationToken,
}

/// A session that runs.
#[derive(Debug)]
struct Active {
    boot: [u8; 16],
    connection: Connection,
    task: JoinHandle<()>,
}

/// Whether each dialled peer has a session.
type Connected = BTreeMap<String, watch::Sender<bool>>;

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
        let connected: Arc<Connected> = Arc::new(
            peers
                .iter()
                .map(|peer| (key(&peer.name), watch::channel(false).0))
                .collect(),
        );
        let mut dialling = JoinSet::new();
        for peer in peers {
            dialling.spawn(keep_dialling(
                Arc::clone(&cluster),
                peer,
                Arc::clone(&connected),
                greeted_in.clone(),
            ));
        }
        let (welcomed_in, mut welcomed) = mpsc::channel(GREETED);
        let mut active = BTreeMap::new();
        loop {
            tokio::select! {
                Some(peer) = greeted.recv() => {
                    if cluster.daemon.is_lower_than(&peer.agreement.peer) {
                        cluster.choose(peer, &mut active, &connected).await;
                    } else {
                        tokio::spawn(await_welcome(peer, welcomed_in.clone()));
                    }
                }
                Some(peer) = welcomed.recv() => cluster.start(peer, &mut active, &connected).await,
                () = cluster.leave.cancelled() => break,
            }
        }
        dialling.shutdown().await;
        for (_, session) in active {
            let _ = session.task.await;
        }
    }

    /// We have the lower name: the trunk is welcome unless a session with this life of the peer runs already.
    async fn choose(&self, mut peer: Greeted, active: &mut BTreeMap<String, Active>, connected: &Arc<Connected>) {
        let running = active.get(&key(&peer.agreement.peer));
        if running
            .is_some_and(|running| running.boot == peer.agreement.boot && running.connection.close_reason().is_none())
        {
            peer.connection
                .close(TrunkConfig::DUPLICATE, b"there is a session already");
            return;
        }
        let mut welcome = BytesMut::new();
        Notice::Welcome {
            session: rand::random(),
        }
        .encode(0, &mut welcome);
        match peer.control.write_all(&welcome).await {
            Ok(()) => self.start(peer, active, connected).await,
            Err(error) => debug!(peer = peer.agreement.peer, %error, "a trunk was lost before it was used"),
        }
    }

    /// The trunk carries the session from now on; what ran before ends first.
    async fn start(&self, peer: Greeted, active: &mut BTreeMap<String, Active>, connected: &Arc<Connected>) {
        let name = key(&peer.agreement.peer);
        if let Some(before) = active.remove(&name) {
            before
                .connection
                .close(TrunkConfig::DUPLICATE, b"a newer trunk carries the session");
            let _ = before.task.await;
        }
        let boot = peer.agreement.boot;
        let connection = peer.connection.clone();
        let config = SessionConfig {
            lanes: peer.agreement.lanes,
            is_lower: self.daemon.is_lower_than(&peer.agreement.peer),
            ..self.session.clone()
        };
        let (gateway, leave) = (self.gateway.clone(), self.leave.clone());
        let (connected, peer_key) = (Arc::clone(connected), name.clone());
        set(&connected, &name, true);
        let task = tokio::spawn(async move {
            driver::run(peer, config, gateway, leave).await;
            set(&connected, &peer_key, false);
        });
        active.insert(name, Active { boot, connection, task });
    }
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn set(connected: &Connected, name: &str, is_connected: bool) {
    if let Some(state) = connected.get(name) {
        state.send_replace(is_connected);
    }
}

/// The other side has the lower name: the trunk counts once it said so.
async fn await_welcome(mut peer: Greeted, welcomed: mpsc::Sender<Greeted>) {
    match timeout(WELCOME_TIME, peer.notices.read()).await {
        Ok(Ok((_, Notice::Welcome { .. }))) => drop(welcomed.send(peer).await),
        Ok(Ok(_)) => peer.connection.close(TrunkConfig::BROKEN, b"a welcome was due"),
        Ok(Err(error)) => debug!(peer = peer.agreement.peer, %error, "a trunk was not welcome"),
        Err(_) => peer.connection.close(TrunkConfig::BROKEN, b"no welcome came in time"),
    }
}

/// Dials a peer whenever there is no session with it.
async fn keep_dialling(
    cluster: Arc<Cluster>,
    peer: StaticPeer,
    connected: Arc<Connected>,
    greeted: mpsc::Sender<Greeted>,
) {
    let Some(state) = connected.get(&key(&peer.name)) else {
        return;
    };
    let mut state = state.subscribe();
    let mut pause = DIAL_PAUSE;
    let is_lower = cluster.daemon.is_lower_than(&peer.name);
    loop {
        if state.wait_for(|is_connected| !is_connected).await.is_err() {
            return;
        }
        if !is_lower
            && timeout(HEAD_START, state.wait_for(|is_connected| *is_connected))
                .await
                .is_ok()
        {
            continue;
        }
        match dial(
            &cluster.endpoint,
            cluster.client.clone(),
            &cluster.daemon,
            &peer.name,
            &peer.address,
        )
        .await
        {
            Ok(trunk) => {
                pause = DIAL_PAUSE;
                if greeted.send(trunk).await.is_err() {
                    return;
                }
                let _ = timeout(WELCOME_TIME, state.wait_for(|is_connected| *is_connected)).await;
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
