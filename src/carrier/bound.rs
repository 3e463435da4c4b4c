use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;
#[cfg(feature = "daemon")]
use std::time::Instant;

use quinn::crypto::HmacKey;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::StartError;
#[cfg(feature = "admin")]
use super::admin::Entrances;
#[cfg(feature = "daemon")]
use super::admin::facts;
#[cfg(feature = "daemon")]
use super::banner::Banner;
use super::load::Loaded;
use super::log::LogHandle;
use super::management::Managed;
use super::management::Management;
use super::reload;
use super::source::Source;
use crate::cluster::Cluster;
use crate::cluster::io::control::Control;
use crate::config::Config;
use crate::epmd;
use crate::epmd::EpmdError;
use crate::gateway::GatewayConfig;
use crate::gateway::Hosts;
use crate::gateway::io::gateway::Gateway;
use crate::hub::HostPorts;
use crate::hub::io::directory::REQUESTS;
use crate::hub::io::directory::Request;
use crate::hub::io::task::HubTask;
#[cfg(feature = "daemon")]
use crate::observe::io::collect::Collector;
use crate::observe::io::reload::Reload;
use crate::router::Acceptance;
use crate::router::Policy;
use crate::router::Rules;
use crate::session::Memory;
use crate::session::SessionConfig;
#[cfg(feature = "daemon")]
use crate::tls::key_exchange_name;
use crate::tls::reset_key;
use crate::tls::server_config;
#[cfg(any(feature = "daemon", feature = "internals"))]
use crate::tls::temporary_reset_key;
use crate::trunk::Counters;
use crate::trunk::Held;
use crate::trunk::KnownAddresses;
use crate::trunk::LocalDaemon;
use crate::trunk::SendErrors;
use crate::trunk::TrunkConfig;
use crate::trunk::io::accept;
use crate::trunk::io::busy_wait::BusyWait;
use crate::trunk::io::canary;
use crate::trunk::io::canary::Canaries;
use crate::trunk::io::dial::Clients;
use crate::trunk::io::dial::Sockets;
use crate::trunk::io::exchange::Exchange;
use crate::trunk::io::udp;
use crate::trunk::io::udp::UdpEndpoint;

/// Hosts that may wait until they are dialled.
const HOSTS: usize = 64;

/// Requests to reload that may wait, and commands and questions for the cluster.
const RELOADS: usize = 8;
const CONTROLS: usize = 64;

/// Peer events that may wait for the hub.
const PEER_EVENTS: usize = 64;

/// A daemon whose sockets are bound.
#[derive(Debug)]
pub(crate) struct BoundDaemon {
    config: Config,
    daemon: Arc<LocalDaemon>,
    listening: UdpEndpoint,
    sockets: Arc<Sockets>,
    /// Where peers open canaries; `None` if the port is taken, or there are none.
    canaries: Option<TcpListener>,
    clients: Clients,
    epmd: Vec<TcpListener>,
    hosts: Hosts,
    /// The hosts in this daemon's certificate.
    certified: Arc<[String]>,
    /// What is kept for all peers.
    memory: Memory,
    busy_wait: BusyWait,
    /// Whether questions for nodes wait in the first moments for the peers that are dialled.
    waits_for_peers: bool,
    /// The channel on which native nodes send requests.
    requests: (mpsc::Sender<Request>, mpsc::Receiver<Request>),
    management: Management,
    /// The channel on which the cluster is told of changes, and asked.
    controls: (mpsc::Sender<Control>, mpsc::Receiver<Control>),
    counters: Counters,
    /// What holds between nodes.
    rules: Rules,
}

impl BoundDaemon {
    /// Binds all sockets, so that the daemon reports every address it cannot use before it says that it is running.
    ///
    /// `source` is where the settings came from. `hosts` are the host parts that mean this machine, if the configuration names none.
    ///
    /// # Errors
    /// If an address cannot be used, or TLS refuses the certificates.
    pub(crate) async fn bind(loaded: Loaded, source: Source, hosts: Vec<String>) -> Result<Self, StartError> {
        Self::bind_as(loaded, source, hosts, false).await
    }

    /// The same for a temporary daemon: of `beamway call`, `send`, `ping`, or of a remote shell. It serves no local nodes, does not
    /// listen for peers, and does not disturb the sessions of a running daemon with the same configuration, which may be one of those
    /// that it dials. It dials the host of a node, too: the node is the one that its user named.
    ///
    /// # Errors
    /// If no address can be used, or TLS refuses the certificates.
    #[cfg(any(feature = "daemon", feature = "internals"))]
    pub(crate) async fn bind_temporary(
        mut loaded: Loaded,
        source: Source,
        hosts: Vec<String>,
    ) -> Result<Self, StartError> {
        let config = &mut loaded.config;
        let own = Some(config.gateway.listen.port()).filter(|port| *port > 0);
        config.hosts.port = config.hosts.port.or(own);
        config.hosts.dial = config.hosts.port.is_some();
        config.gateway.listen.set_port(0);
        config.epmd.listen.clear();
        Self::bind_as(loaded, source, hosts, true).await
    }

    /// The level of the log can be set, and it is known what the log does not write.
    #[cfg(any(feature = "daemon", feature = "internals"))]
    pub(crate) fn with_log(mut self, log: LogHandle) -> Self {
        self.management.log = log;
        self
    }

    /// The channel on which it is asked to read its configuration again.
    pub(crate) fn reloads(&self) -> mpsc::Sender<Reload> {
        self.management.reloads.0.clone()
    }

    /// What it keeps for its peers.
    pub(crate) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Its settings.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// Lets questions for nodes wait for the peers that are dialled, although this daemon is temporary.
    #[cfg(feature = "internals")]
    pub(crate) const fn waiting_for_peers(mut self) -> Self {
        self.waits_for_peers = true;
        self
    }

    async fn bind_as(
        loaded: Loaded,
        source: Source,
        hosts: Vec<String>,
        is_temporary: bool,
    ) -> Result<Self, StartError> {
        let Loaded { config, identity } = loaded;
        let trunk = trunk_config(&config);
        let server_tls = server_config(&identity).map_err(StartError::tls("TLS for incoming connections"))?;
        let server = trunk.server(Arc::new(server_tls)).map_err(StartError::Other)?;
        let clients = reload::clients(&identity, &trunk)?;
        let reset_key = match is_temporary {
            #[cfg(any(feature = "daemon", feature = "internals"))]
            true => temporary_reset_key(&identity, rand::random()),
            _ => reset_key(&identity),
        };
        let reset_key: Arc<dyn HmacKey> = Arc::new(reset_key);
        let errors = SendErrors::default();
        let key = Arc::clone(&reset_key);
        let listening = udp::bind(config.gateway.listen, &trunk, Some(server), key, errors.clone())?;
        let sockets = Arc::new(Sockets::new(
            listening.endpoint.clone(),
            errors,
            trunk.clone(),
            reset_key,
        ));
        let epmd = bind_epmd(&config.epmd.listen)?;
        let canaries = match config.transport.canary && !is_temporary {
            true => bind_canaries(listening.endpoint.local_addr()).await,
            false => None,
        };
        let daemon = local_daemon(&config, trunk.lanes, &listening.endpoint, is_temporary);
        let hosts = match &config.epmd.hosts {
            Some(hosts) => Hosts::configured(hosts.clone()),
            None => Hosts::of_this_machine(hosts),
        };
        #[cfg(feature = "admin")]
        let entrances = Entrances::open(&config, &source, is_temporary).await?;
        Ok(Self {
            requests: mpsc::channel(REQUESTS),
            controls: mpsc::channel(CONTROLS),
            counters: Counters::default(),
            rules: Rules::new(&config.gateway.name, config.policy.clone()),
            certified: identity.hosts().into(),
            hosts,
            memory: Memory::new(config.gateway.memory),
            busy_wait: BusyWait::default(),
            // A command waits itself, for the one node that it is about.
            waits_for_peers: !is_temporary,
            config,
            daemon,
            listening,
            sockets,
            canaries,
            clients,
            epmd,
            management: Management {
                reloads: mpsc::channel(RELOADS),
                identity,
                source,
                trunk,
                log: LogHandle::default(),
                #[cfg(feature = "admin")]
                entrances,
            },
        })
    }

    /// What it says of itself at the start.
    #[cfg(feature = "daemon")]
    pub(crate) fn banner(&self) -> Banner {
        let quic = self
            .listening
            .endpoint
            .local_addr()
            .map_or_else(|_| self.config.gateway.listen.to_string(), |at| at.to_string());
        let peers = self.config.peers.iter();
        let (receive, send) = self.listening.buffers;
        Banner {
            name: self.daemon.name.clone(),
            quic,
            port_mapper: self
                .epmd
                .iter()
                .filter_map(|at| Some(at.local_addr().ok()?.to_string()))
                .collect(),
            hosts: self.hosts.all(),
            lanes: self.daemon.lanes,
            key_exchange: key_exchange_name(),
            buffers: (receive / 1024, send / 1024),
            peers: peers.map(|peer| format!("{} at {}", peer.name, peer.address)).collect(),
        }
    }

    /// Asks it for its status while it runs, until `leave` is cancelled.
    #[cfg(feature = "daemon")]
    pub(crate) fn collector(&self, leave: &CancellationToken) -> Collector {
        Collector {
            facts: facts(&self.config, self.local_addr().ok()),
            started: Instant::now(),
            leave: leave.clone(),
            memory: self.memory.clone(),
            counters: self.counters.clone(),
            rules: self.rules.clone(),
            record: reload::record(&self.management.identity),
            log: None,
            hub: self.requests(),
            cluster: self.controls.0.clone(),
        }
    }

    /// The channel for the requests of native nodes in this process.
    pub(crate) fn requests(&self) -> mpsc::Sender<Request> {
        self.requests.0.clone()
    }

    /// The UDP address on which it listens for peers.
    ///
    /// # Errors
    /// If the system does not report the address.
    pub(crate) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listening.endpoint.local_addr()
    }

    /// Says what to do about nodes of this host for which peers do not let this daemon speak by default, if there are any.
    #[cfg(feature = "daemon")]
    fn warn_uncovered(&self) {
        let hosts = (!self.epmd.is_empty()).then(|| self.hosts.announced());
        let advice = hosts.and_then(|hosts| uncovered(&self.daemon.name, &hosts, &self.certified));
        if let Some(advice) = advice {
            tracing::warn!("{advice}");
        }
    }

    /// The size of the UDP receive buffer in bytes: granted by the kernel, and configured.
    #[cfg(feature = "daemon")]
    pub(crate) fn receive_buffer(&self) -> (usize, usize) {
        (self.listening.buffers.0, self.config.transport.udp_receive_buffer)
    }

    fn hub(&self) -> HubTask {
        let peers = self.config.peers.iter();
        // Who will be found is not known yet.
        let found = self.config.discover.iter().map(|_| "*".to_owned());
        let dialled = peers.map(|peer| peer.name.clone()).chain(found);
        let dialled = dialled.filter(|_| self.waits_for_peers);
        HubTask::new(
            reload::policies(&self.config, &self.rules),
            Policy::of_hosts(Arc::clone(&self.certified)),
            !self.daemon.is_temporary,
            dialled,
        )
    }

    /// Serves until `leave` is cancelled, then closes all circuits gracefully. After each small signal it keeps a thread of
    /// its runtime awake for `[gateway] busy_wait`.
    pub(crate) async fn run(self, leave: CancellationToken) {
        #[cfg(feature = "daemon")]
        self.warn_uncovered();
        let hub = self.hub();
        let (news_in, news) = mpsc::channel(PEER_EVENTS);
        let (requests_in, requests) = self.requests;
        let (endpoint, is_temporary) = (self.listening.endpoint.clone(), self.daemon.is_temporary);
        let mut tasks = JoinSet::new();
        if !self.epmd.is_empty() {
            serve_beams(self.epmd, self.hosts, requests_in.clone(), &self.config, &mut tasks);
        }
        keep_awake(&self.busy_wait, self.config.gateway.busy_wait, &mut tasks);
        let (wanted_in, wanted) = mpsc::channel(HOSTS);
        let hub = dialling_hosts(hub, &self.config, &endpoint, wanted_in);
        // The hub outlives the sessions, which report their ends to it.
        let hub_leave = CancellationToken::new();
        let hub = tokio::spawn(hub.run(requests, news, hub_leave.clone()));
        let (greeted_in, greeted) = Cluster::channel();
        let (held, known, counters) = (Held::default(), KnownAddresses::default(), self.counters);
        let (controls_in, controls) = self.controls;
        if !is_temporary {
            let (held, known, counts, greeted) = (held.clone(), known.clone(), counters.clone(), greeted_in.clone());
            let daemon = Arc::clone(&self.daemon);
            tasks.spawn(accept::accept(endpoint.clone(), daemon, held, known, counts, greeted));
            let managed = Managed {
                config: &self.config,
                endpoint: &endpoint,
                memory: &self.memory,
                accepts: &self.daemon.accepts,
                rules: &self.rules,
                counters: &counters,
                hub: requests_in,
                cluster: controls_in,
                leave: &leave,
            };
            self.management.serve(managed, &mut tasks);
        }
        let canaries = (self.config.transport.canary).then(|| serve_canaries(self.canaries, &mut tasks));
        let cluster = Cluster {
            daemon: self.daemon,
            endpoint,
            sockets: self.sockets,
            clients: self.clients,
            session: session_config(&self.config, self.rules),
            memory: self.memory,
            race_interval: self.config.session.race_interval,
            keep_alive: self.config.transport.keep_alive,
            held,
            known,
            exchange: Exchange::default(),
            counters,
            ends_expired: self.config.session.ends_expired,
            hub: news_in,
            canaries,
            busy_wait: self.busy_wait,
            leave,
            seed: rand::random(),
        };
        let peers = (reload::static_peers(&self.config), reload::discoveries(&self.config));
        cluster.run(peers, controls, wanted, greeted_in, greeted).await;
        hub_leave.cancel();
        let _ = hub.await;
        self.listening.close("this daemon is stopping").await;
        tasks.shutdown().await;
    }
}

/// Has the hub ask for daemons of other hosts at the ports where they listen, if the configuration says so.
fn dialling_hosts(hub: HubTask, config: &Config, own: &quinn::Endpoint, wanted: mpsc::Sender<String>) -> HubTask {
    if !config.hosts.dial {
        return hub;
    }
    let own_port = own.local_addr().map_or(0, |own| own.port());
    let ports = HostPorts {
        usual: config.hosts.port.unwrap_or(own_port),
        names: config.hosts.ports.clone(),
    };
    hub.dialling_hosts(wanted, ports)
}

/// Who may dial in.
fn acceptance(config: &Config) -> Acceptance {
    let peers = config.peers.iter().map(|peer| peer.name.clone());
    Acceptance::new(peers, config.accept.names.clone())
}

/// The identity of this daemon.
fn local_daemon(config: &Config, lanes: u8, endpoint: &quinn::Endpoint, is_temporary: bool) -> Arc<LocalDaemon> {
    let port = endpoint.local_addr().map_or(0, |listening| listening.port());
    Arc::new(LocalDaemon {
        name: config.gateway.name.clone(),
        boot: rand::random(),
        lanes,
        is_temporary,
        // A temporary daemon takes no connections.
        port: if is_temporary { 0 } else { port },
        accepts: acceptance(config),
    })
}

/// Binds the TCP port with the number of the UDP port. Without it, peers notice the end of this process later.
async fn bind_canaries(udp: std::io::Result<SocketAddr>) -> Option<TcpListener> {
    let bound = match udp {
        Ok(address) => TcpListener::bind(address).await.map_err(|error| (address, error)),
        Err(_) => return None,
    };
    bound
        .inspect_err(|(address, error)| {
            info!(
                %address, %error,
                "cannot listen on the TCP port with the number of the UDP port: peers will notice the end of this process by the \
                 idle timeout"
            );
        })
        .ok()
}

/// Binds the addresses of the port mapper. Where the machine has no IPv6, or no IPv4, loopback of that family beside another address is
/// left out, because the default configuration holds both.
fn bind_epmd(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, EpmdError> {
    let mut bound = Vec::new();
    let mut left_out = None;
    for address in addresses {
        let is_loopback = address.ip() == Ipv6Addr::LOCALHOST || address.ip() == Ipv4Addr::LOCALHOST;
        match epmd::io::port_mapper::bind(*address) {
            Ok(listener) => bound.push(listener),
            Err(error) if is_loopback && error.is_no_such_address() => left_out = Some((address, error)),
            Err(error) => return Err(error),
        }
    }
    match left_out {
        Some((_, error)) if bound.is_empty() => return Err(error),
        Some((address, _)) => {
            let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
            info!(%address, "this machine has no {family} loopback: the port mapper does not listen there");
        }
        None => {}
    }
    Ok(bound)
}

/// Which of these hosts of nodes the certificate of a daemon does not name, and the command that issues one that does; `None` if
/// it names them all.
#[cfg(feature = "daemon")]
pub(crate) fn uncovered(name: &str, hosts: &[String], certified: &[String]) -> Option<String> {
    let policy = Policy::of_hosts(certified);
    let missing: Vec<&str> = hosts
        .iter()
        .map(String::as_str)
        .filter(|host| !policy.allows(&format!("a@{host}")))
        .collect();
    if missing.is_empty() {
        return None;
    }
    // A new certificate must keep what the old one names.
    let wanted = certified.iter().map(String::as_str).filter(|host| *host != name);
    let options: Vec<String> = wanted
        .chain(missing.iter().copied())
        .map(|host| format!("--host {host}"))
        .collect();
    Some(format!(
        "the certificate does not name these hosts of nodes: {}; peers refuse nodes of these hosts, unless their `allow` says \
         otherwise; issue one for the names that your nodes use: beamway certs issue --dir DIR {} {name}",
        missing.join(", "),
        options.join(" "),
    ))
}

/// Keeps a thread of the runtime awake after small signals, if it shall.
fn keep_awake(busy_wait: &BusyWait, time: std::time::Duration, tasks: &mut JoinSet<()>) {
    let wait = busy_wait.clone();
    if !time.is_zero() {
        tasks.spawn(async move { wait.run(time).await });
    }
}

/// Accepts the canaries of peers, if there is a port for them.
fn serve_canaries(listener: Option<TcpListener>, tasks: &mut JoinSet<()>) -> Canaries {
    let canaries = Canaries::default();
    if let Some(listener) = listener {
        tasks.spawn(canary::serve(listener, canaries.clone()));
    }
    canaries
}

/// Runs the port mapper and the gateway. Only a daemon with BEAMs needs them.
fn serve_beams(
    epmd: Vec<TcpListener>,
    hosts: Hosts,
    requests: mpsc::Sender<Request>,
    config: &Config,
    tasks: &mut JoinSet<()>,
) {
    let config = GatewayConfig {
        net_ticktime: config.gateway.net_ticktime,
        ..GatewayConfig::default()
    };
    let gateway = Gateway::new(hosts, requests, config);
    let (questions_in, questions) = mpsc::channel(epmd::io::question::QUESTIONS);
    for listener in epmd {
        tasks.spawn(epmd::io::port_mapper::serve(listener, questions_in.clone()));
    }
    tasks.spawn(gateway.run(questions));
}

fn trunk_config(config: &Config) -> TrunkConfig {
    TrunkConfig {
        lanes: config.gateway.lanes as u8,
        stream_window: u32::try_from(config.transport.stream_window).unwrap_or(u32::MAX),
        idle_timeout: config.transport.idle_timeout,
        keep_alive: config.transport.keep_alive,
        receive_buffer: config.transport.udp_receive_buffer,
        send_buffer: config.transport.udp_send_buffer,
        datagram_max: config.transport.datagram_max,
        congestion: config.transport.congestion,
    }
}

fn session_config(config: &Config, rules: Rules) -> SessionConfig {
    SessionConfig {
        rules,
        circuit_budget: config.gateway.circuit_budget,
        close_deadline: config.gateway.close_deadline,
        grace: config.session.grace,
        backlog: config.session.replay_budget,
        ..SessionConfig::default()
    }
}
