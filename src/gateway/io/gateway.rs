//! The task that serves the BEAMs of this host: it answers the port mapper, and creates personas for remote nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing::warn;

use super::accept;
use super::interfaces;
use super::persona;
use super::persona::Persona;
use crate::epmd::Registration;
use crate::epmd::io::question::Question;
use crate::gateway::GatewayConfig;
use crate::gateway::Hosts;
use crate::hub::io::directory::Caller;
use crate::hub::io::directory::Found;
use crate::hub::io::directory::LocalNode;
use crate::hub::io::directory::RemoteNode;
use crate::hub::io::directory::Request;

/// Maximum number of personas. Each is a listening socket.
const PERSONAS: usize = 4096;

/// How long look-ups may rely on the addresses of this host that were read last.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Circuits that may wait for the task that connects them to a BEAM. That task waits for nothing else, so only a burst
/// reaches the limit.
const CALLERS: usize = 1024;

/// A remote node, and the local address at which nodes look for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PersonaKey {
    peer: Arc<str>,
    name: String,
    host: String,
    ip: IpAddr,
}

/// A persona that listens.
#[derive(Debug)]
struct Listening {
    port: u16,
    /// Cancelled when the remote node is gone. The persona then ends.
    gone: CancellationToken,
}

/// The gateway of this host.
#[derive(Debug)]
pub struct Gateway {
    /// The host parts of node names that mean this host.
    hosts: Hosts,
    /// When the addresses of this host were last read.
    read_at: Instant,
    hub: mpsc::Sender<Request>,
    config: Arc<GatewayConfig>,
    /// The registered BEAMs, with their creations.
    beams: BTreeMap<String, u32>,
    personas: BTreeMap<PersonaKey, Listening>,
    /// The listeners, which end with the gateway.
    listeners: JoinSet<PersonaKey>,
}

impl Gateway {
    /// A gateway for a host with these host parts of node names.
    pub fn new(hosts: Hosts, hub: mpsc::Sender<Request>, config: GatewayConfig) -> Self {
        Self {
            hosts,
            read_at: Instant::now(),
            hub,
            config: Arc::new(config),
            beams: BTreeMap::new(),
            personas: BTreeMap::new(),
            listeners: JoinSet::new(),
        }
    }

    /// Answers questions until nobody can ask any more.
    pub async fn run(mut self, mut questions: mpsc::Receiver<Question>) {
        loop {
            tokio::select! {
                question = questions.recv() => match question {
                    Some(question) => self.answer(question).await,
                    None => return,
                },
                Some(ended) = self.listeners.join_next() => {
                    if let Ok(key) = ended {
                        self.remove(&key);
                    }
                }
            }
        }
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Register { registration, answer } => {
                self.read_addresses().await;
                let _ = answer.send(self.register(registration).await);
            }
            Question::Unregister { name } => self.unregister(name).await,
            Question::LookUp {
                name,
                arrived_on,
                answer,
            } => {
                if self.read_at.elapsed() >= READ_AGAIN {
                    self.read_addresses().await;
                }
                let found = self.look_up(name, arrived_on).await;
                let _ = answer.send(found);
            }
            Question::Names { answer } => {
                let names = self.ask(|answer| Request::Names { answer }).await;
                let _ = answer.send(names.unwrap_or_default());
            }
        }
    }

    /// Asks the hub; `None` if it has ended.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.hub.send(request(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Attaches a BEAM to the hub. Returns its creation; `None` if the name is taken.
    async fn register(&mut self, registration: Registration) -> Option<u32> {
        let (name, port) = (registration.name.clone(), registration.port);
        let (callers, called) = mpsc::channel(CALLERS);
        let node = LocalNode {
            registration,
            hosts: self.hosts.announced(),
            private: self.hosts.private(),
            callers,
        };
        let creation = self.ask(|answer| Request::Attach { node, answer }).await??;
        self.beams.insert(name, creation);
        tokio::spawn(take_circuits(called, port, Arc::clone(&self.config)));
        Some(creation)
    }

    /// Notices addresses that this host has got since the start, and tells the hub.
    async fn read_addresses(&mut self) {
        self.read_at = Instant::now();
        if self.hosts.is_configured() {
            return;
        }
        let added = self.hosts.add(interfaces::addresses());
        if added.is_empty() {
            return;
        }
        info!(addresses = ?added, "this host has more addresses now; its nodes can be named after them");
        for name in self.beams.keys().cloned() {
            let request = Request::SetHosts {
                name,
                hosts: self.hosts.announced(),
                private: self.hosts.private(),
            };
            let _ = self.hub.send(request).await;
        }
    }

    async fn unregister(&mut self, name: String) {
        if let Some(creation) = self.beams.remove(&name) {
            let _ = self.hub.send(Request::Detach { name, creation }).await;
        }
    }

    async fn look_up(&mut self, name: String, arrived_on: IpAddr) -> Option<Registration> {
        let asked = name.clone();
        let found = self.ask(|answer| Request::LookUp {
            name,
            arrived_on,
            answer,
        });
        match found.await? {
            Found::Local(registration) => Some(registration),
            Found::Remote(node) => {
                let name = node.name.clone();
                let port = self.persona(node, arrived_on)?;
                Some(Registration::normal(&name, port))
            }
            Found::Unknown => None,
            Found::Ambiguous(nodes) => {
                warn!(
                    name = asked,
                    ?nodes,
                    "several remote nodes have this name: use -epmd_module beamway_epmd, or an address of its own for each host"
                );
                None
            }
        }
    }

    /// The port of the persona for a remote node, at the local address to which the node will connect.
    fn persona(&mut self, node: RemoteNode, ip: IpAddr) -> Option<u16> {
        let target = format!("{}@{}", node.name, node.host);
        let key = PersonaKey {
            peer: node.session.peer.clone(),
            name: node.name,
            host: node.host,
            ip,
        };
        self.remove(&key);
        if let Some(listening) = self.personas.get(&key) {
            return Some(listening.port);
        }
        if self.personas.len() >= PERSONAS {
            warn!(node = target, max = PERSONAS, "too many personas for remote nodes");
            return None;
        }
        let (listener, port) = match persona::bind(ip, &self.config) {
            Ok(bound) => bound,
            Err(error) => {
                warn!(node = target, %ip, %error, "cannot listen for a remote node");
                return None;
            }
        };
        let persona = Persona {
            target,
            hub: self.hub.clone(),
            session: node.session,
            policy: node.policy,
            config: Arc::clone(&self.config),
        };
        let gone = node.gone;
        let listening = Listening {
            port,
            gone: gone.clone(),
        };
        self.personas.insert(key.clone(), listening);
        self.listeners.spawn(async move {
            gone.run_until_cancelled(persona::serve(listener, persona)).await;
            key
        });
        Some(port)
    }

    /// Removes a persona whose remote node is gone. The node may return and get another persona.
    fn remove(&mut self, key: &PersonaKey) {
        if self
            .personas
            .get(key)
            .is_some_and(|persona| persona.gone.is_cancelled())
        {
            self.personas.remove(key);
        }
    }
}

/// Connects the circuits that peers open to a BEAM, until the BEAM is detached.
async fn take_circuits(mut circuits: mpsc::Receiver<Caller>, port: u16, config: Arc<GatewayConfig>) {
    while let Some(Caller { session, open, policy }) = circuits.recv().await {
        tokio::spawn(accept::accept(open, port, session, policy, Arc::clone(&config)));
    }
}
