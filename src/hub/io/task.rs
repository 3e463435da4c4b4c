//! The task that runs the hub. Sessions report peers to it, and local nodes send it requests. It waits for nobody but them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::info;
use tracing::warn;

use super::announcer::Announcer;
use super::directory::Caller;
use super::directory::Found;
use super::directory::HubReport;
use super::directory::Initiator;
use super::directory::LocalNode;
use super::directory::Place;
use super::directory::RemoteNode;
use super::directory::Request;
use super::waiting::Asked;
use super::waiting::Waiting;
use crate::dist::Relay;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::PeerEvent;
use crate::endpoint::io::session::SessionHandle;
use crate::fields::List;
use crate::hub::Announced;
use crate::hub::Answer;
use crate::hub::HostPorts;
use crate::hub::Hub;
use crate::hub::Moved;
use crate::hub::OpenError;
use crate::hub::Starting;
use crate::hub::Unreachable;
use crate::router::Policies;
use crate::router::Policy;
use crate::session::Bounds;
use crate::wire::Open;

/// The maximum number of known nodes in the answer to a question for an unknown node.
const NODES_NAMED: usize = 20;

/// The hub, and the channels to local nodes and sessions.
#[derive(Debug)]
pub struct HubTask {
    hub: Hub,
    /// The nodes for which peers let this daemon speak by default.
    own: Policy,
    announces: bool,
    /// The receivers of circuits to local nodes, by the names of the nodes.
    callers: BTreeMap<String, mpsc::Sender<Caller>>,
    sessions: BTreeMap<Arc<str>, Announcer>,
    /// Questions for nodes that peers may announce in a moment.
    waiting: Waiting,
    /// Takes hosts to be dialled, if hosts are.
    wanted: Option<(mpsc::Sender<String>, HostPorts)>,
    /// For each node of a peer that was looked up: cancelled when the node is gone. By peer and name.
    gone: BTreeMap<Arc<str>, BTreeMap<String, CancellationToken>>,
}

impl HubTask {
    /// Creates a hub with these policies. `own` is what peers allow this daemon by default. `announces` determines whether local
    /// nodes are announced to peers, so that remote nodes can connect to them. A temporary daemon does not announce its node.
    /// `dialled` are the peers for which questions wait in the first moments.
    pub fn new(policies: Policies, own: Policy, announces: bool, dialled: impl IntoIterator<Item = String>) -> Self {
        Self {
            hub: Hub::new(policies),
            own,
            announces,
            callers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            waiting: Waiting::new(Starting::new(dialled, clock())),
            wanted: None,
            gone: BTreeMap::new(),
        }
    }

    /// Has the host of a node dialled that nobody has announced, at one of these ports. `wanted` takes the addresses. The end of each
    /// attempt must be reported.
    #[must_use]
    pub fn dialling_hosts(mut self, wanted: mpsc::Sender<String>, ports: HostPorts) -> Self {
        self.wanted = Some((wanted, ports));
        self
    }

    /// Runs until `leave` is cancelled.
    pub async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        mut events: mpsc::Receiver<PeerEvent>,
        leave: CancellationToken,
    ) {
        loop {
            let due = self.waiting.due();
            tokio::select! {
                Some(request) = requests.recv() => self.serve(request),
                Some(event) = events.recv() => {
                    self.handle_event(event);
                    self.answer_waiting();
                }
                () = sleep_until(due.unwrap_or_else(clock).into()), if due.is_some() => self.answer_waiting(),
                () = leave.cancelled() => return,
            }
        }
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Attach { node, answer } => {
                let _ = answer.send(self.attach(node));
            }
            Request::Detach { name, creation } => self.detach(&name, creation),
            Request::Find { target, answer } => self.ask(Asked::Find { target, answer }, true),
            Request::LookUp {
                name,
                arrived_on,
                may_wait,
                answer,
            } => {
                let asked = Asked::LookUp {
                    name,
                    arrived_on,
                    answer,
                };
                self.ask(asked, may_wait);
            }
            Request::SetHosts { name, hosts, private } => {
                if self.hub.set_hosts(&name, hosts, private) {
                    self.announce(&name);
                }
            }
            Request::FindInitiator { node, answer } => {
                let _ = answer.send(self.find_initiator(&node));
            }
            Request::Change { policies, own, bounds } => self.change(policies, own, bounds),
            Request::Report { answer } => drop(answer.send(self.report())),
            Request::Names { scope, answer } => {
                let names = self.hub.names(&scope);
                let found = names.into_iter().map(|name| self.found(name));
                let _ = answer.send(found.collect());
            }
        }
    }

    /// Other policies apply from now on: to what is looked up, to the circuits that exist, and to nodes that have been found.
    fn change(&mut self, policies: Policies, own: Option<Policy>, bounds: Bounds) {
        self.hub.set_policies(policies);
        if let Some(own) = own {
            self.own = own;
            let names: Vec<String> = self.hub.registrations().map(|node| node.name.clone()).collect();
            names.iter().for_each(|name| self.warn_uncovered(name));
        }
        let hub = &self.hub;
        for (peer, gone) in &mut self.gone {
            gone.retain(|name, gone| {
                let is_held = hub.is_held(peer, name);
                if !is_held {
                    gone.cancel();
                }
                is_held
            });
        }
        for (peer, told) in &self.sessions {
            told.allow(self.hub.policy(peer));
            told.bound(bounds);
        }
        self.answer_waiting();
    }

    fn report(&self) -> HubReport {
        let local = self.hub.registrations().map(|node| {
            let hosts = self.hub.local_hosts(&node.name).to_vec();
            (node.name.clone(), hosts, node.is_hidden())
        });
        let sessions = self.sessions.iter().map(|(peer, told)| {
            let nodes = self.hub.nodes_of(peer).collect();
            (told.session.clone(), nodes)
        });
        HubReport {
            local: local.collect(),
            sessions: sessions.collect(),
        }
    }

    /// Answers a question, unless a peer may announce the node in a moment.
    fn ask(&mut self, asked: Asked, may_wait: bool) {
        let asked = if may_wait && is_unknown(&self.hub, &asked) {
            let address = self.want(&asked);
            self.waiting.add(asked, address, clock())
        } else {
            Some(asked)
        };
        if let Some(asked) = asked {
            self.answer(asked);
        }
    }

    /// Has the host of the node dialled, if hosts are. Returns the address.
    fn want(&self, asked: &Asked) -> Option<String> {
        let (target, _) = asked.question();
        let (wanted, ports) = self.wanted.as_ref()?;
        let address = ports.address(target)?;
        wanted.try_send(address.clone()).ok().map(|()| address)
    }

    /// Answers what has waited for a node that is known by now, or has waited long enough.
    fn answer_waiting(&mut self) {
        let now = clock();
        let Self { hub, waiting, .. } = self;
        for asked in waiting.take(now, |asked| !is_unknown(hub, asked)) {
            self.answer(asked);
        }
    }

    fn answer(&mut self, asked: Asked) {
        match asked {
            Asked::Find { target, answer } => {
                let _ = answer.send(self.find(&target));
            }
            Asked::LookUp {
                name,
                arrived_on,
                answer,
            } => {
                let found = self.hub.look_up(&name, arrived_on);
                if found == Answer::Unknown
                    && let Some(near) = self.hub.near(&name)
                {
                    info!(
                        asked = name,
                        known = near,
                        "an unknown node was asked for: names are case-sensitive"
                    );
                }
                let _ = answer.send(self.found(found));
            }
        }
    }

    /// Attaches a node if its name is free, and announces it to the peers. Returns its creation.
    fn attach(&mut self, node: LocalNode) -> Option<u32> {
        let name = node.registration.name.clone();
        if self.callers.get(&name).is_some_and(mpsc::Sender::is_closed)
            && let Some(before) = self.hub.creation(&name)
        {
            self.detach(&name, before);
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as u32);
        let creation = match self.hub.attach(node.registration, node.hosts, node.private, now) {
            Ok(creation) => creation,
            Err(error) => {
                warn!(node = name, %error, "refused a local node");
                return None;
            }
        };
        info!(node = name, creation, "local node attached");
        self.warn_uncovered(&name);
        self.callers.insert(name.clone(), node.callers);
        self.announce(&name);
        Some(creation)
    }

    /// Tells all peers of a local node.
    fn announce(&self, name: &str) {
        for session in self.sessions.values() {
            if let Some(up) = self.node_up(name) {
                session.up(name, up);
            }
        }
    }

    /// Warns if peers refuse all names of a node, unless they are configured to allow them.
    fn warn_uncovered(&self, name: &str) {
        let hosts = self.hub.local_hosts(name);
        let is_covered = hosts.iter().any(|host| self.own.allows(&format!("{name}@{host}")));
        if self.announces && !is_covered && !hosts.is_empty() {
            warn!(
                node = name,
                ?hosts,
                "the certificate of this daemon names no host of this node: peers refuse the node unless their `allow` says \
                 otherwise; issue a certificate with `--host` for it (`beamway check` prints the command)"
            );
        }
    }

    fn detach(&mut self, name: &str, creation: u32) {
        let Some(moved) = self.hub.detach(name, creation) else {
            return;
        };
        info!(node = name, "local node detached");
        self.callers.remove(name);
        log_moved(&moved);
        for session in self.sessions.values() {
            session.down(name);
        }
    }

    /// The announcement of a local node, if local nodes are announced.
    fn node_up(&self, name: &str) -> Option<Command> {
        self.announces.then_some(())?;
        Some(Command::NodeUp {
            name: name.to_owned(),
            hosts: self.hub.local_hosts(name).to_vec(),
            hidden: self.hub.registration(name)?.is_hidden(),
        })
    }

    fn find(&self, target: &str) -> Place {
        let unknown = || Place::Unknown {
            known: self.hub.nodes().take(NODES_NAMED).collect(),
            peers: self.sessions.keys().cloned().collect(),
        };
        match self.hub.look_up(target, Ipv4Addr::LOCALHOST.into()) {
            Answer::Local { name } => match self.hub.registration(&name) {
                Some(node) if node.port != 0 => Place::Here { port: node.port },
                Some(_) | None => unknown(),
            },
            Answer::Remote { peer, .. } => match self.sessions.get(&peer) {
                Some(told) => Place::Peer {
                    session: told.session.clone(),
                    policy: self.hub.policy(&peer),
                },
                None => unknown(),
            },
            Answer::Unknown | Answer::Ambiguous(_) => unknown(),
        }
    }

    fn find_initiator(&self, node: &str) -> Initiator {
        if let Some(peer) = self.hub.peer_of(node) {
            return Initiator::Elsewhere(Arc::clone(peer));
        }
        let name = node.split_once('@').map_or(node, |(name, _)| name);
        match self.hub.registration(name) {
            Some(_) => Initiator::Registered,
            None => Initiator::Unregistered,
        }
    }

    /// The same, with what is needed to reach the node.
    fn found(&mut self, answer: Answer) -> Found {
        match answer {
            Answer::Local { name } => self
                .hub
                .registration(&name)
                .map_or(Found::Unknown, |node| Found::Local(node.clone())),
            Answer::Remote { peer, name, host } => {
                let Some(session) = self.sessions.get(&peer).map(|told| told.session.clone()) else {
                    return Found::Unknown;
                };
                let policy = self.hub.policy(&peer);
                let gone = self.gone.entry(peer).or_default().entry(name.clone()).or_default();
                Found::Remote(RemoteNode {
                    session,
                    name,
                    host,
                    policy,
                    gone: gone.clone(),
                })
            }
            Answer::Unknown => Found::Unknown,
            Answer::Ambiguous(nodes) => Found::Ambiguous(nodes),
        }
    }

    fn handle_event(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Up { session, hosts } => {
                self.hub.certify(&session.peer, hosts);
                self.peer_up(session);
            }
            PeerEvent::Certified { peer, hosts } => {
                info!(%peer, ?hosts, "the peer has another certificate");
                self.hub.certify(&peer, hosts);
                if let Some(told) = self.sessions.get(&peer) {
                    told.allow(self.hub.policy(&peer));
                }
            }
            PeerEvent::NodeUp { peer, name, hosts, .. } => {
                let announced = self.hub.announce(&peer, &name, hosts);
                log_announced(&peer, &announced);
                if announced.moved.iter().any(|moved| moved.peer == peer) {
                    self.forget(&name, &peer);
                }
                log_moved(&announced.moved);
            }
            PeerEvent::NodeDown { peer, name } => {
                let Some(moved) = self.hub.withdraw(&peer, &name) else {
                    return;
                };
                info!(%peer, node = name, "remote node down");
                if let Some(gone) = self.gone.get_mut(&peer).and_then(|gone| gone.remove(&name)) {
                    gone.cancel();
                }
                log_moved(&moved);
            }
            PeerEvent::Opened { session, open } => self.open(session, open),
            PeerEvent::HostDialled { address } => self.waiting.host_dialled(&address),
            PeerEvent::Down { peer, reason } => {
                warn!(%peer, reason, "peer down: its session has ended");
                self.sessions.remove(&peer);
                for (_, gone) in self.gone.remove(&peer).into_iter().flatten() {
                    gone.cancel();
                }
                log_moved(&self.hub.withdraw_peer(&peer));
            }
        }
    }

    /// A peer has taken a name over from another one. Whoever found the node there must look it up again.
    fn forget(&mut self, name: &str, holder: &str) {
        for (peer, gone) in &mut self.gone {
            if &**peer != holder
                && let Some(gone) = gone.remove(name)
            {
                gone.cancel();
            }
        }
    }

    fn peer_up(&mut self, session: SessionHandle) {
        info!(peer = %session.peer, "peer up: a session has started");
        self.waiting.peer_up(&session.peer, clock());
        let peer = session.peer.clone();
        let told = Announcer::new(session);
        for node in self.hub.registrations() {
            if let Some(up) = self.node_up(&node.name) {
                told.up(&node.name, up);
            }
        }
        self.sessions.insert(peer, told);
    }

    /// Handles a circuit that a peer opens: finds the local node, checks the initiator, and leaves the rest to the local node.
    fn open(&self, session: SessionHandle, open: Open) {
        let peer = session.peer.clone();
        let local = match self.local(&peer, &open) {
            Ok(local) => local,
            Err(error) => return refuse(session, &open, &error),
        };
        let policy = self.hub.policy(&peer);
        let caller = Caller { session, open, policy };
        match local.try_send(caller) {
            Ok(()) => {}
            Err(TrySendError::Full(refused) | TrySendError::Closed(refused)) => {
                let error = OpenError::Busy(refused.open.target.clone());
                refuse(refused.session, &refused.open, &error);
            }
        }
    }

    fn local(&self, peer: &str, open: &Open) -> Result<&mpsc::Sender<Caller>, OpenError> {
        let relay = Relay::new(&open.send_name)?;
        let name = self.hub.open(peer, &open.target, relay.initiator_name())?;
        self.callers
            .get(name)
            .ok_or_else(|| OpenError::Busy(open.target.clone()))
    }
}

fn is_unknown(hub: &Hub, asked: &Asked) -> bool {
    let (name, arrived_on) = asked.question();
    hub.look_up(name, arrived_on) == Answer::Unknown
}

/// The time from tokio's clock, which a simulation controls.
fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Closes a circuit that has no local endpoint. The hub does not wait until the session has room for that; a session has a limited
/// number of circuits.
fn refuse(session: SessionHandle, open: &Open, error: &OpenError) {
    let circuit = open.circuit;
    warn!(peer = %session.peer, %circuit, %error, "a circuit was refused");
    let reason = error.to_string();
    tokio::spawn(async move { session.refuse(circuit, reason).await });
}

/// The names of one announcement that are logged.
const NAMES_SHOWN: usize = 16;

/// A host has many names and addresses, and most certificates name one or two of them. So only a node that has no name at all
/// that its daemon may use is worth a line.
fn log_announced(peer: &str, announced: &Announced) {
    let is_reachable = !announced.reachable.is_empty();
    for (node, reason) in announced.unreachable.iter().take(NAMES_SHOWN) {
        if is_reachable && matches!(reason, Unreachable::Policy(_)) {
            debug!(peer, node, %reason, "an announced node cannot be reached through this peer");
        } else {
            info!(peer, node, %reason, "an announced node cannot be reached through this peer");
        }
    }
    if is_reachable {
        let (count, nodes) = (announced.reachable.len(), announced.reachable.iter().take(NAMES_SHOWN));
        info!(peer, nodes = List::of(nodes).value(), count, "remote node up");
    }
}

fn log_moved(moved: &[Moved]) {
    for Moved { node, peer } in moved {
        info!(%peer, node, "remote node moved: it is now reached through this peer");
    }
}
