//! The task that serves the BEAMs of this host: it answers the port mapper, and creates personas for remote nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing::warn;

use super::accept;
use super::direct::direct_connections;
use super::persona;
use super::persona::Persona;
use crate::endpoint::io::near;
use crate::epmd::LOCALHOST;
use crate::epmd::Registration;
use crate::epmd::io::question::Question;
use crate::fields::List;
use crate::gateway::GatewayConfig;
use crate::gateway::Hosts;
use crate::hub::Scope;
use crate::hub::io::directory::Caller;
use crate::hub::io::directory::Found;
use crate::hub::io::directory::LocalNode;
use crate::hub::io::directory::RemoteNode;
use crate::hub::io::directory::Request;

/// Maximum number of personas. Each is a listening socket.
const PERSONAS: usize = 4096;

/// How long look-ups may rely on the addresses of this host that were read last.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// How often the addresses of this host are read although nobody asks: a name on another host can be used that much later at most.
const READ_EVERY: Duration = Duration::from_secs(3);

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
    /// The registered BEAMs, by the parts of their names before the `@`.
    beams: BTreeMap<String, Beam>,
    personas: BTreeMap<PersonaKey, Listening>,
    /// The tasks of personas and BEAMs, which end with the gateway.
    tasks: JoinSet<Ended>,
    /// The nodes that accept connections from other machines, by their ports.
    exposed: watch::Sender<BTreeMap<u16, String>>,
    /// Questions for nodes that the hub has not answered yet. The port mapper limits their number.
    look_ups: JoinSet<(Found, LookUp)>,
}

/// A question for a node.
#[derive(Debug)]
struct LookUp {
    name: String,
    arrived_on: IpAddr,
    answer: oneshot::Sender<Option<Registration>>,
}

/// A registered BEAM.
#[derive(Debug)]
struct Beam {
    creation: u32,
    /// Cancelled when its connection to the port mapper has ended.
    gone: CancellationToken,
}

/// Whose task has ended.
#[derive(Debug)]
enum Ended {
    Persona(PersonaKey),
    Beam(String),
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
            tasks: JoinSet::new(),
            exposed: watch::Sender::default(),
            look_ups: JoinSet::new(),
        }
    }

    /// Answers questions until nobody can ask any more.
    pub async fn run(mut self, mut questions: mpsc::Receiver<Question>) {
        let mut direct = pin!(direct_connections(self.exposed.subscribe()));
        let mut due = interval(READ_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut direct, if !self.exposed.is_closed() => {}
                question = questions.recv() => match question {
                    Some(question) => self.answer(question).await,
                    None => return,
                },
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Ended::Persona(key)) => self.remove(&key),
                    Ok(Ended::Beam(name)) => self.unregister_if_gone(&name).await,
                    Err(_) => {}
                },
                _ = due.tick(), if !self.hosts.is_configured() => self.read_addresses().await,
                Some(looked_up) = self.look_ups.join_next() => {
                    if let Ok((found, look_up)) = looked_up {
                        self.answer_look_up(found, look_up);
                    }
                }
            }
        }
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Register {
                registration,
                gone,
                answer,
            } => {
                self.read_addresses().await;
                let _ = answer.send(self.register(registration, gone).await);
            }
            Question::LookUp {
                name,
                arrived_on,
                answer,
            } => {
                if self.read_at.elapsed() >= READ_AGAIN {
                    self.read_addresses().await;
                }
                self.look_up(LookUp {
                    name,
                    arrived_on,
                    answer,
                });
            }
            Question::Names {
                host,
                arrived_on,
                answer,
            } => {
                let _ = answer.send(self.names(host, arrived_on).await);
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
    async fn register(&mut self, registration: Registration, gone: CancellationToken) -> Option<u32> {
        let (name, port) = (registration.name.clone(), registration.port);
        // A node that restarts may be faster than the task that notices its end.
        self.unregister_if_gone(&name).await;
        if gone.is_cancelled() {
            return None;
        }
        let (callers, called) = mpsc::channel(CALLERS);
        let node = LocalNode {
            registration,
            hosts: self.hosts.announced(),
            private: self.hosts.private(),
            callers,
        };
        let creation = self.ask(|answer| Request::Attach { node, answer }).await??;
        if is_exposed(&name, port) {
            self.exposed.send_modify(|nodes| drop(nodes.insert(port, name.clone())));
        }
        let beam = Beam {
            creation,
            gone: gone.clone(),
        };
        self.beams.insert(name.clone(), beam);
        let config = Arc::clone(&self.config);
        self.tasks.spawn(async move {
            gone.run_until_cancelled(take_circuits(called, port, config)).await;
            gone.cancelled().await;
            Ended::Beam(name)
        });
        Some(creation)
    }

    /// Notices addresses that this host has got or lost since they were read last, and tells the hub. Circuits are not concerned.
    async fn read_addresses(&mut self) {
        self.read_at = Instant::now();
        if self.hosts.is_configured() {
            return;
        }
        let change = self.hosts.update(&near::interfaces());
        if change.is_empty() {
            return;
        }
        if !change.added.is_empty() {
            info!(
                addresses = List::of(&change.added).value(),
                "this host has more addresses now; its nodes can be named after them"
            );
        }
        if !change.removed.is_empty() {
            info!(
                addresses = List::of(&change.removed).value(),
                "this host has lost addresses; its nodes are no longer announced with them, and connections go on"
            );
        }
        for name in self.beams.keys().cloned() {
            let request = Request::SetHosts {
                name,
                hosts: self.hosts.announced(),
                private: self.hosts.private(),
            };
            let _ = self.hub.send(request).await;
        }
    }

    /// Detaches a BEAM whose connection to the port mapper has ended.
    async fn unregister_if_gone(&mut self, name: &str) {
        if self.beams.get(name).is_some_and(|beam| beam.gone.is_cancelled())
            && let Some(Beam { creation, .. }) = self.beams.remove(name)
        {
            let name = name.to_owned();
            self.exposed
                .send_modify(|nodes| nodes.retain(|_, exposed| *exposed != name));
            let _ = self.hub.send(Request::Detach { name, creation }).await;
        }
    }

    /// The nodes that a question for names means, with the ports that look-ups would give.
    async fn names(&mut self, host: Option<String>, arrived_on: IpAddr) -> Vec<Registration> {
        let scope = match host {
            Some(host) if host.eq_ignore_ascii_case(LOCALHOST) => Scope::Here,
            Some(host) => Scope::Host(host),
            None => Scope::At {
                ip: arrived_on,
                is_own: self.hosts.contains(&arrived_on.to_string()),
            },
        };
        let found = self.ask(|answer| Request::Names { scope, answer }).await;
        let found = found.unwrap_or_default().into_iter();
        found.filter_map(|found| self.registration(found, arrived_on)).collect()
    }

    /// Asks the hub for a node. It may wait for a peer that is being dialled, and other questions do not wait for that.
    fn look_up(&mut self, look_up: LookUp) {
        let host = look_up.name.split_once('@').map(|(_, host)| host);
        let (answer, answered) = oneshot::channel();
        let request = Request::LookUp {
            name: look_up.name.clone(),
            arrived_on: look_up.arrived_on,
            // No peer announces nodes of this host.
            may_wait: host.is_none_or(|host| !self.hosts.contains(host)),
            answer,
        };
        let hub = self.hub.clone();
        self.look_ups.spawn(async move {
            let found = match hub.send(request).await {
                Ok(()) => answered.await.unwrap_or(Found::Unknown),
                Err(_) => Found::Unknown,
            };
            (found, look_up)
        });
    }

    fn answer_look_up(&mut self, found: Found, look_up: LookUp) {
        if let Found::Ambiguous(nodes) = &found {
            warn!(
                name = look_up.name,
                nodes = List::of(nodes).value(),
                "several remote nodes have this name: use -epmd_module beamway_epmd, or an address of its own for each host"
            );
        }
        let _ = look_up.answer.send(self.registration(found, look_up.arrived_on));
    }

    /// What the port mapper answers about a node that was found.
    fn registration(&mut self, found: Found, arrived_on: IpAddr) -> Option<Registration> {
        match found {
            Found::Local(registration) => Some(registration),
            Found::Remote(node) => {
                let name = node.name.clone();
                let port = self.persona(node, arrived_on)?;
                Some(Registration::normal(&name, port))
            }
            Found::Unknown | Found::Ambiguous(_) => None,
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
        self.tasks.spawn(async move {
            gone.run_until_cancelled(persona::serve(listener, persona)).await;
            Ended::Persona(key)
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

/// Whether other machines can connect to a BEAM directly, in clear text; warns if so. Only the kernel is asked, so this does not
/// wait.
fn is_exposed(name: &str, port: u16) -> bool {
    let Some(address) = near::exposed(port) else {
        return false;
    };
    warn!(
        node = name, port, %address,
        "this node accepts unencrypted distribution from other machines: start it with \
         -kernel inet_dist_use_interface '{{127,0,0,1}}', so that only this gateway reaches it"
    );
    true
}

/// Connects the circuits that peers open to a BEAM, until the BEAM is detached.
async fn take_circuits(mut circuits: mpsc::Receiver<Caller>, port: u16, config: Arc<GatewayConfig>) {
    while let Some(Caller { session, open, policy }) = circuits.recv().await {
        tokio::spawn(accept::accept(open, port, session, policy, Arc::clone(&config)));
    }
}
