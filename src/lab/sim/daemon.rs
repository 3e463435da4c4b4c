use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use quinn::Endpoint;
use quinn::TokioRuntime;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::keys::Key;
use super::network::address;
use super::node::Host;
use super::node::SharedLedger;
use super::node::name_of;
use super::node::serve;
use super::random::Random;
use super::setting::Setting;
use super::socket::Ids;
use super::socket::Sent;
use super::socket::SimSocket;
use crate::cluster::Cluster;
use crate::cluster::StaticPeer;
use crate::router::Acceptance;
use crate::session::Memory;
use crate::session::SessionConfig;
use crate::trunk;
use crate::trunk::Counters;
use crate::trunk::Held;
use crate::trunk::KnownAddresses;
use crate::trunk::TrunkConfig;
use crate::trunk::io::busy_wait::BusyWait;
use crate::trunk::io::dial::Clients;
use crate::trunk::io::dial::Sockets;
use crate::trunk::io::exchange::Exchange;
use crate::wire::SessionId;

/// News of peers that may wait for the gateway, as in the real daemon.
const PEER_EVENTS: usize = 256;

/// One life of a simulated daemon: a runtime with a clock of its own, and in it the tasks of a real daemon over a simulated
/// socket, with simulated nodes.
pub(super) struct Daemon {
    runtime: Runtime,
    host: Arc<Host>,
    memory: Memory,
    held: Held,
}

impl Daemon {
    /// A daemon that begins `at` after the run began, for the `life`th time.
    pub(super) fn start(
        setting: &Setting,
        key: &Key,
        ledger: &SharedLedger,
        ids: &Arc<AtomicU64>,
        host: usize,
        life: u64,
        at: Duration,
    ) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let inside = runtime.enter();
        let mut random = Random::new(setting.seed, 10_000 + host as u64 * 100 + life);
        let socket = Arc::new(SimSocket::new(address(host), Instant::now(), at));
        let trunk = TrunkConfig {
            lanes: setting.lanes,
            idle_timeout: setting.idle_timeout,
            keep_alive: setting.idle_timeout / 5,
            // As between places far apart; and more datagrams meet more faults.
            datagram_max: 1452,
            ..TrunkConfig::default()
        };
        let mut config = trunk.endpoint(Arc::clone(&key.reset) as _);
        config.rng_seed(Some(random.bytes()));
        let ids = Arc::clone(ids);
        config.cid_generator(move || Box::new(Ids(Arc::clone(&ids))));
        let server = trunk.server(Arc::clone(&key.server)).map_err(anyhow::Error::msg)?;
        let client = trunk.client(Arc::clone(&key.client)).map_err(anyhow::Error::msg)?;
        let clients = Clients {
            named: client.clone(),
            // All peers are configured.
            any: client,
        };
        let endpoint =
            Endpoint::new_with_abstract_socket(config, Some(server), Arc::clone(&socket) as _, Arc::new(TokioRuntime))?;
        let memory = Memory::new(setting.memory);
        let (news_in, news) = mpsc::channel(PEER_EVENTS);
        let (greeted_in, greeted) = Cluster::channel();
        let cluster = Cluster {
            // Simulated hosts have no TCP.
            canaries: None,
            daemon: Arc::new(local_daemon(host, random.bytes(), setting.lanes)),
            endpoint: endpoint.clone(),
            sockets: Arc::new(Sockets::only(endpoint.clone())),
            clients,
            session: session(setting),
            memory: memory.clone(),
            race_interval: setting.race_interval,
            keep_alive: trunk.keep_alive,
            held: Held::default(),
            known: KnownAddresses::default(),
            exchange: Exchange::default(),
            counters: Counters::default(),
            ends_expired: true,
            hub: news_in,
            // It is for a thread, whose time is not simulated.
            busy_wait: BusyWait::default(),
            leave: CancellationToken::new(),
            seed: random.bytes(),
        };
        let held = cluster.held.clone();
        tokio::spawn(trunk::io::accept::accept(
            endpoint,
            Arc::clone(&cluster.daemon),
            held.clone(),
            cluster.known.clone(),
            cluster.counters.clone(),
            greeted_in.clone(),
        ));
        let peers = (0..setting.hosts).filter(|peer| setting.dials(host, *peer));
        let peers = peers.map(peer);
        // Nobody changes its configuration, nor asks for hosts.
        let (controls, hosts) = (mpsc::channel(1).1, mpsc::channel(1).1);
        tokio::spawn(cluster.run((peers.collect(), Vec::new()), controls, hosts, greeted_in, greeted));
        let host = Arc::new(Host::new(host, ledger.clone(), socket, setting.habits, random));
        tokio::spawn(serve(Arc::clone(&host), news));
        drop(inside);
        Ok(Self {
            runtime,
            host,
            memory,
            held,
        })
    }

    /// Runs until that moment of the run, and gives what was sent.
    pub(super) fn step(&self, until: Duration) -> Vec<Sent> {
        let until = self.host.socket.local(until);
        self.runtime.block_on(async { sleep_until(until).await });
        self.host.socket.take_sent()
    }

    /// It was stopped until now and goes on. Its clock has stood still as it does in a host that is suspended, or leaps:
    /// then all that was to happen in the meantime happens at once.
    pub(super) fn thaw(&self, slept: Duration, leaps: bool) {
        if leaps {
            self.runtime.block_on(tokio::time::advance(slept));
        } else {
            self.host.socket.fall_behind(slept);
        }
    }

    pub(super) fn socket(&self) -> &SimSocket {
        &self.host.socket
    }

    /// Its nodes read nothing until then.
    pub(super) fn deafen(&self, until: Duration) {
        self.host.deaf_until.fetch_max(until.as_millis() as u64, Relaxed);
    }

    /// Bytes kept for its nodes.
    pub(super) fn kept(&self) -> u64 {
        self.memory.kept()
    }

    /// Which session it has with a peer, and the how-manieth trunk carries it.
    pub(super) fn session(&self, peer: usize) -> Option<SessionId> {
        self.held.get(&name_of(peer))
    }
}

fn local_daemon(host: usize, boot: [u8; 16], lanes: u8) -> trunk::LocalDaemon {
    trunk::LocalDaemon {
        name: name_of(host),
        boot,
        lanes,
        is_temporary: false,
        port: 0,
        accepts: Acceptance::default(),
    }
}

/// A runtime whose clock goes straight to the next timer when nothing is left to do.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        // What arrives from outside is looked at when there is nothing else to do, not each time so many tasks have run.
        .global_queue_interval(u32::MAX)
        .build()
}

fn session(setting: &Setting) -> SessionConfig {
    SessionConfig {
        circuit_budget: setting.budget,
        backlog: setting.backlog,
        grace: setting.grace,
        // Longer than any node reads nothing.
        close_deadline: Duration::from_secs(30),
        #[cfg(test)]
        bug: setting.bug,
        ..SessionConfig::default()
    }
}

/// Another host, as a peer that is dialled.
fn peer(host: usize) -> StaticPeer {
    StaticPeer {
        name: name_of(host),
        address: address(host).to_string(),
    }
}
