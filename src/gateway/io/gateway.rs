//! The task that serves the BEAMs of this host: it answers the port mapper, and stands for remote nodes by personas.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::accept;
use super::persona;
use super::persona::Persona;
use crate::epmd::Registration;
use crate::epmd::io::question::Question;
use crate::gateway::GatewayConfig;
use crate::hub::io::directory::Caller;
use crate::hub::io::directory::Found;
use crate::hub::io::directory::LocalNode;
use crate::hub::io::directory::RemoteNode;
use crate::hub::io::directory::Request;

/// Personas at once; each is a listening socket.
const PERSONAS: usize = 4096;

/// Circuits that may wait for the task that connects them to a BEAM. That task waits for nothing else, so this is only
/// reached by a burst.
const CALLERS: usize = 1024;

/// A remote node, and the address where local nodes look for it.
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
    /// The remote node is gone, and the persona ends.
    gone: CancellationToken,
}

/// The gateway of this host.
#[derive(Debug)]
pub struct Gateway {
    /// The host parts under which a BEAM of this host may be meant.
    hosts: Vec<String>,
    hub: mpsc::Sender<Request>,
    config: Arc<GatewayConfig>,
    /// The BEAMs that are registered, and their incarnations.
    beams: BTreeMap<String, u32>,
    personas: BTreeMap<PersonaKey, Listening>,
    /// Listeners end with the gateway.
    listeners: JoinSet<PersonaKey>,
}

impl Gateway {
    /// A gateway for a host that is meant by any of `hosts`.
    pub fn new(hosts: Vec<String>, hub: mpsc::Sender<Request>, config: GatewayConfig) -> Self {
        Self {
            hosts,
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
                let _ = answer.send(self.register(registration).await);
            }
            Question::Unregister { name } => self.unregister(name).await,
            Question::LookUp {
                name,
                arrived_on,
                answer,
            } => {
                let found = self.look_up(name, arrived_on).await;
                let _ = answer.send(found);
            }
            Question::Names { answer } => {
                let names = self.ask(|answer| Request::Names { answer }).await;
                let _ = answer.send(names.unwrap_or_default());
            }
        }
    }

    /// Asks the hub; `None` when it has ended.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.hub.send(request(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Attaches a BEAM at the hub, if its name is free.
    async fn register(&mut self, registration: Registration) -> Option<u32> {
        let (name, port) = (registration.name.clone(), registration.port);
        let (callers, called) = mpsc::channel(CALLERS);
        let node = LocalNode {
            registration,
            hosts: self.hosts.clone(),
            callers,
        };
        let creation = self.ask(|answer| Request::Attach { node, answer }).await??;
        self.beams.insert(name, creation);
        tokio::spawn(take_circuits(called, port, Arc::clone(&self.config)));
        Some(creation)
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

    /// The port of the persona for a remote node, at the address where the local node will connect.
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
            warn!(target, "too many remote nodes are looked for at once");
            return None;
        }
        let (listener, port) = match persona::bind(ip, &self.config) {
            Ok(bound) => bound,
            Err(error) => {
                warn!(target, %ip, %error, "cannot listen for a remote node");
                return None;
            }
        };
        let persona = Persona {
            target,
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

    /// Removes a persona whose node is gone. The node may be back, and have another persona.
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

/// Connects circuits that peers open to a BEAM, until that is detached.
async fn take_circuits(mut circuits: mpsc::Receiver<Caller>, port: u16, config: Arc<GatewayConfig>) {
    while let Some(Caller { session, open, policy }) = circuits.recv().await {
        tokio::spawn(accept::accept(open, port, session, policy, Arc::clone(&config)));
    }
}
