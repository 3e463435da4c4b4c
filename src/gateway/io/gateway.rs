//! The task that owns what the host knows: local nodes, peers' nodes, personas.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing::warn;

use super::accept;
use super::persona;
use super::persona::Persona;
use crate::dist::NodeName;
use crate::dist::Relay;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::PeerEvent;
use crate::endpoint::io::session::SessionHandle;
use crate::epmd::Registration;
use crate::epmd::Registry;
use crate::epmd::io::question::Question;
use crate::gateway::GatewayConfig;
use crate::gateway::LegError;
use crate::hub::io::directory::Caller;
use crate::hub::io::directory::NativeNode;
use crate::hub::io::directory::Place;
use crate::hub::io::directory::Request;
use crate::router::Answer;
use crate::router::Policies;
use crate::router::Router;
use crate::wire::Open;

/// Personas at once; each is a listening socket.
const PERSONAS: usize = 4096;

/// Nodes told to one that asks for a node that is not there.
const NODES_NAMED: usize = 20;

/// A remote node, and the address where local nodes look for it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PersonaKey {
    peer: Arc<str>,
    name: String,
    host: String,
    ip: IpAddr,
}

/// The gateway of this host.
#[derive(Debug)]
pub struct Gateway {
    router: Router,
    registry: Registry,
    /// Those of the registry that are native nodes of this process.
    natives: BTreeMap<String, NativeNode>,
    policies: Policies,
    config: Arc<GatewayConfig>,
    sessions: BTreeMap<Arc<str>, SessionHandle>,
    /// Their ports and listeners.
    personas: BTreeMap<PersonaKey, (u16, AbortHandle)>,
    /// Listeners end with the gateway.
    listeners: JoinSet<()>,
}

impl Gateway {
    /// A gateway for a host that is meant by any of `hosts`.
    pub fn new(hosts: Vec<String>, policies: Policies, config: GatewayConfig) -> Self {
        Self {
            router: Router::new(hosts, policies.clone()),
            registry: Registry::default(),
            natives: BTreeMap::new(),
            policies,
            config: Arc::new(config),
            sessions: BTreeMap::new(),
            personas: BTreeMap::new(),
            listeners: JoinSet::new(),
        }
    }

    /// Runs until `leave` is cancelled.
    pub async fn run(
        mut self,
        mut questions: mpsc::Receiver<Question>,
        mut requests: mpsc::Receiver<Request>,
        mut events: mpsc::Receiver<PeerEvent>,
        leave: CancellationToken,
    ) {
        loop {
            tokio::select! {
                Some(question) = questions.recv() => self.answer(question).await,
                Some(request) = requests.recv() => self.serve(request).await,
                Some(event) = events.recv() => self.handle_event(event).await,
                () = leave.cancelled() => return,
            }
        }
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Register { registration, answer } => {
                let hosts = self.router.hosts().to_vec();
                let _ = answer.send(self.register(registration, hosts).await);
            }
            Question::Unregister { name } => self.unregister(name).await,
            Question::LookUp {
                name,
                arrived_on,
                answer,
            } => {
                let found = self.look_up(&name, arrived_on).await;
                let _ = answer.send(found);
            }
            Question::Names { answer } => {
                let _ = answer.send(self.registry.iter().cloned().collect());
            }
        }
    }

    /// Takes a node in, if its name is free, and tells the peers.
    async fn register(&mut self, registration: Registration, hosts: Vec<String>) -> Option<u32> {
        let name = registration.name.clone();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as u32);
        let Some(creation) = self.registry.register(registration, now) else {
            warn!(name, "a node wants a name that is taken");
            return None;
        };
        info!(name, creation, "a local node has registered");
        self.router.add_local(&name, hosts);
        self.tell_all(|| self.node_up(&name)).await;
        Some(creation)
    }

    /// What peers are told of a local node.
    fn node_up(&self, name: &str) -> Option<Command> {
        self.config.announces.then_some(())?;
        Some(Command::NodeUp {
            name: name.to_owned(),
            hosts: self.router.local_hosts(name).to_vec(),
            hidden: self.registry.get(name)?.is_hidden(),
        })
    }

    async fn unregister(&mut self, name: String) {
        info!(name, "a local node is gone");
        self.registry.unregister(&name);
        self.router.remove_local(&name);
        self.tell_all(|| Some(Command::NodeDown { name: name.clone() })).await;
    }

    async fn tell_all(&self, command: impl Fn() -> Option<Command>) {
        for session in self.sessions.values() {
            if let Some(command) = command() {
                session.send(command).await;
            }
        }
    }

    async fn serve(&mut self, request: Request) {
        match request {
            Request::Attach { node, answer } => {
                let _ = answer.send(self.attach(node).await);
            }
            Request::Detach { name } => {
                if self.natives.remove(&name).is_some() {
                    self.unregister(name).await;
                }
            }
            Request::Find { target, answer } => {
                let _ = answer.send(self.find(&target));
            }
        }
    }

    async fn attach(&mut self, node: NativeNode) -> Option<u32> {
        let name = node.name.clone();
        if self.natives.get(&name).is_some_and(|before| before.callers.is_closed()) {
            self.natives.remove(&name);
            self.unregister(name.clone()).await;
        }
        if self.registry.get(&name).is_some() {
            warn!(name, "a native node wants a name that is taken");
            return None;
        }
        let mut registration = Registration::normal(&node.name, node.port);
        if node.hidden {
            registration.node_type = Registration::HIDDEN;
        }
        let hosts = vec![node.host.clone()];
        self.natives.insert(name.clone(), node);
        let creation = self.register(registration, hosts).await;
        if creation.is_none() {
            self.natives.remove(&name);
        }
        creation
    }

    fn find(&self, target: &str) -> Place {
        let unknown = || Place::Unknown {
            known: self.router.nodes().take(NODES_NAMED).collect(),
            peers: self.sessions.keys().cloned().collect(),
        };
        match self.router.resolve(target, Ipv4Addr::LOCALHOST.into()) {
            Answer::Local { name } => match self.registry.get(&name) {
                Some(node) if node.port != 0 => Place::Here { port: node.port },
                Some(_) | None => unknown(),
            },
            Answer::Remote { peer, .. } => match self.sessions.get(&peer) {
                Some(session) => Place::Peer {
                    session: session.clone(),
                    policy: self.policies.of(&peer),
                },
                None => unknown(),
            },
            Answer::Unknown | Answer::Ambiguous(_) => unknown(),
        }
    }

    async fn look_up(&mut self, name: &str, arrived_on: IpAddr) -> Option<Registration> {
        match self.router.resolve(name, arrived_on) {
            Answer::Local { name } => self.registry.get(&name).cloned(),
            Answer::Remote { peer, name, host } => {
                let port = self.persona(peer, &name, &host, arrived_on).await?;
                Some(Registration::normal(&name, port))
            }
            Answer::Unknown => None,
            Answer::Ambiguous(nodes) => {
                warn!(
                    name,
                    ?nodes,
                    "several remote nodes have this name: use -epmd_module beamway_epmd, or an address of its own for each host"
                );
                None
            }
        }
    }

    /// The port of the persona for a remote node, at the address where the local node will connect.
    async fn persona(&mut self, peer: Arc<str>, name: &str, host: &str, ip: IpAddr) -> Option<u16> {
        let target = format!("{name}@{host}");
        let session = self.sessions.get(&peer)?.clone();
        let key = PersonaKey {
            peer,
            name: name.to_owned(),
            host: host.to_owned(),
            ip,
        };
        if let Some((port, _)) = self.personas.get(&key) {
            return Some(*port);
        }
        if self.personas.len() >= PERSONAS {
            warn!(target, "too many remote nodes are looked for at once");
            return None;
        }
        let (listener, port) = match persona::bind(ip, &self.config) {
            Ok(bound) => bound,
            Err(error) => {
                warn!(target, %ip, %error, "a remote node cannot be listened for");
                return None;
            }
        };
        let policy = self.policies.of(&session.peer);
        let persona = Persona {
            target,
            session,
            policy,
            config: Arc::clone(&self.config),
        };
        let listener = self.listeners.spawn(persona::serve(listener, persona));
        self.personas.insert(key, (port, listener));
        Some(port)
    }

    async fn handle_event(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Up(session) => self.peer_up(session).await,
            PeerEvent::NodeUp { peer, name, hosts, .. } => {
                let announced = self.router.announce(&peer, &name, hosts);
                for (node, reason) in announced.refused {
                    info!(%peer, node, reason, "an announcement was refused");
                }
                if !announced.accepted.is_empty() {
                    info!(%peer, nodes = ?announced.accepted, "a remote node is up");
                }
            }
            PeerEvent::NodeDown { peer, name } => {
                info!(%peer, name, "a remote node is down");
                self.router.withdraw(&peer, &name);
                self.end_personas(|persona| persona.peer == peer && persona.name == name);
            }
            PeerEvent::Opened { session, open } => self.open(session, open).await,
            PeerEvent::Down { peer, reason } => {
                warn!(%peer, reason, "a peer is gone");
                self.router.withdraw_peer(&peer);
                self.sessions.remove(&peer);
                self.end_personas(|persona| persona.peer == peer);
            }
        }
    }

    async fn peer_up(&mut self, session: SessionHandle) {
        info!(peer = %session.peer, "a peer is up");
        for node in self.registry.iter() {
            if let Some(up) = self.node_up(&node.name) {
                session.send(up).await;
            }
        }
        self.sessions.insert(session.peer.clone(), session);
    }

    fn end_personas(&mut self, is_over: impl Fn(&PersonaKey) -> bool) {
        self.personas.retain(|key, (_, listener)| {
            let is_over = is_over(key);
            if is_over {
                listener.abort();
            }
            !is_over
        });
    }

    /// A peer wants a circuit: finds the local node, checks who asks, and leaves the rest to a task of its own.
    async fn open(&mut self, session: SessionHandle, open: Open) {
        let refusal = match Relay::new(&open.send_name) {
            Err(error) => Some(error.into()),
            Ok(relay) => match relay.initiator_name() {
                Some(name) if NodeName::new(name).is_err() => {
                    Some(crate::dist::HandshakeError::Name(name.to_owned()).into())
                }
                Some(name) if !self.router.may_speak(&session.peer, name) => Some(LegError::Policy {
                    peer: session.peer.to_string(),
                    node: name.to_owned(),
                }),
                _ => None,
            },
        };
        if let Some(error) = refusal {
            return accept::refuse(&session, open.circuit, &error).await;
        }
        let policy = self.policies.of(&session.peer);
        let name = self.router.local_target(&open.target);
        if let Some(native) = name.and_then(|name| self.natives.get(name)) {
            let caller = Caller { session, open, policy };
            if let Err(refused) = native.callers.try_send(caller) {
                let Caller { session, open, .. } = refused.into_inner();
                let error = LegError::Finished(format!("{} takes no connections now", open.target));
                accept::refuse(&session, open.circuit, &error).await;
            }
            return;
        }
        let Some(node) = name.and_then(|name| self.registry.get(name)) else {
            let error = LegError::Finished(format!("no node {} is registered here", open.target));
            return accept::refuse(&session, open.circuit, &error).await;
        };
        let config = Arc::clone(&self.config);
        tokio::spawn(accept::accept(open, node.port, session, policy, config));
    }
}
