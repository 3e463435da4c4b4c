use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Announced;
use super::Answer;
use super::AttachError;
use super::Moved;
use super::OpenError;
use super::Unreachable;
use super::announcements::Announcement;
use super::announcements::Announcements;
use crate::dist::HandshakeError;
use crate::dist::NodeName;
use crate::dist::case_hint;
use crate::epmd::Registration;
use crate::epmd::Registry;
use crate::router::Policies;
use crate::router::Policy;
use crate::router::daemon_of;
use crate::session::SessionConfig;

/// Names of one node in a list of nodes.
const NAMES_OF_A_NODE: usize = 8;

/// Who holds a full name.
enum Holder<'a> {
    Local,
    Peer(&'a Arc<str>),
}

#[derive(Debug)]
struct Local {
    /// The host parts by which the node can be addressed, from here and from peers.
    hosts: Vec<String>,
    /// More host parts, by which only nodes of this daemon can address it.
    private: Vec<String>,
    creation: u32,
}

impl Local {
    /// Whether the node can be addressed from here with this host part.
    fn is_at(&self, host: &str) -> bool {
        has_host(&self.hosts, host) || has_host(&self.private, host)
    }
}

/// The directory of all nodes, those of this daemon and those of its peers.
///
/// A local node holds its full names. Any other full name is held by the first peer that announced it and whose policy allows
/// it; a configured peer takes precedence over all others. When that peer withdraws the name or leaves, the next such peer holds
/// it at once.
#[derive(Debug)]
pub struct Hub {
    policies: Policies,
    /// The hosts in the certificates of the connected peers.
    certified: BTreeMap<Arc<str>, Arc<[String]>>,
    registry: Registry,
    locals: BTreeMap<String, Local>,
    announcements: Announcements,
}

impl Hub {
    /// Creates a hub without nodes. `policies` determines for which nodes each peer may speak. A peer without a policy may speak
    /// for the nodes of the hosts in its certificate.
    pub fn new(policies: Policies) -> Self {
        Self {
            policies,
            certified: BTreeMap::new(),
            registry: Registry::default(),
            locals: BTreeMap::new(),
            announcements: Announcements::default(),
        }
    }

    /// Other policies apply from now on.
    pub fn set_policies(&mut self, policies: Policies) {
        self.policies = policies;
    }

    /// The nodes that a peer has announced and holds, each by its first name.
    pub fn nodes_of(&self, peer: &str) -> impl Iterator<Item = String> {
        let remotes = self.announcements.iter().filter(move |(_, one)| *one.peer == *peer);
        remotes.filter_map(|(name, one)| {
            let host = self.held(name, one).next()?;
            Some(full(name, host))
        })
    }

    /// Whether a peer holds any full name of a node.
    pub fn is_held(&self, peer: &str, name: &str) -> bool {
        let mut own = self.announcements.of_name(name).iter().filter(|one| *one.peer == *peer);
        own.any(|one| self.held(name, one).next().is_some())
    }

    /// Records which hosts the certificate of a connected peer names.
    pub fn certify(&mut self, peer: &Arc<str>, hosts: Arc<[String]>) {
        self.certified.insert(Arc::clone(peer), hosts);
    }

    /// Attaches a local node, which can be addressed with any of `hosts` as the host part, and from here with any of `private`
    /// too. Returns its creation.
    ///
    /// # Errors
    /// If a local node has the name, or there are too many local nodes.
    pub fn attach(
        &mut self,
        registration: Registration,
        hosts: Vec<String>,
        private: Vec<String>,
        unix_seconds: u32,
    ) -> Result<u32, AttachError> {
        let name = registration.name.clone();
        if self.registry.get(&name).is_some() {
            return Err(AttachError::Taken);
        }
        let creation = self.registry.register(registration, unix_seconds);
        let creation = creation.ok_or(AttachError::TooMany)?;
        let local = Local {
            hosts,
            private,
            creation,
        };
        self.locals.insert(name, local);
        Ok(creation)
    }

    /// Replaces the host parts of a local node. Returns `false` if there is no such node.
    pub fn set_hosts(&mut self, name: &str, hosts: Vec<String>, private: Vec<String>) -> bool {
        let Some(local) = self.locals.get_mut(name) else {
            return false;
        };
        (local.hosts, local.private) = (hosts, private);
        true
    }

    /// Removes the local node with this creation. Returns the names that peers hold now, or `None` if it was not attached.
    pub fn detach(&mut self, name: &str, creation: u32) -> Option<Vec<Moved>> {
        if self.creation(name) != Some(creation) {
            return None;
        }
        let local = self.locals.remove(name)?;
        self.registry.unregister(name);
        let hosts = local.hosts.into_iter().chain(local.private);
        Some(self.moved(name, hosts.collect()))
    }

    /// The creation of a local node, which identifies its incarnation.
    pub fn creation(&self, name: &str) -> Option<u32> {
        self.locals.get(name).map(|local| local.creation)
    }

    /// The registration of a local node.
    pub fn registration(&self, name: &str) -> Option<&Registration> {
        self.registry.get(name)
    }

    /// The registrations of all local nodes, ordered by name.
    pub fn registrations(&self) -> impl Iterator<Item = &Registration> {
        self.registry.iter()
    }

    /// The host parts by which peers can address a local node.
    pub fn local_hosts(&self, name: &str) -> &[String] {
        self.locals.get(name).map_or(&[], |local| &local.hosts)
    }

    /// Handles a peer's announcement of a node. It replaces the peer's earlier announcement of the same name.
    pub fn announce(&mut self, peer: &Arc<str>, name: &str, mut hosts: Vec<String>) -> Announced {
        let mut beyond = hosts.split_off(hosts.len().min(SessionConfig::HOSTS_OF_A_NODE));
        let before = self.contested(peer, name);
        let of_others = self.held_by_others(peer, name, &hosts);
        if !self.announcements.insert(peer, name, &hosts) {
            beyond.splice(..0, hosts.drain(..));
        }
        let mut announced = Announced::default();
        let policy = self.policy(peer);
        for host in hosts {
            let node = full(name, &host);
            match self.reach(peer, &policy, name, &host) {
                Ok(()) => announced.reachable.push(node),
                Err(reason) => announced.unreachable.push((node, reason)),
            }
        }
        let beyond = beyond.iter().map(|host| (full(name, host), Unreachable::TooMany));
        announced.unreachable.extend(beyond);
        announced.moved = self.moved(name, before);
        announced.moved.retain(|moved| moved.peer != *peer);
        let mut taken_over = self.moved(name, of_others);
        taken_over.retain(|moved| moved.peer == *peer);
        announced.moved.extend(taken_over);
        announced
    }

    /// Removes a node of a peer. Returns the names that other peers hold now, or `None` if the peer had not announced the node.
    pub fn withdraw(&mut self, peer: &Arc<str>, name: &str) -> Option<Vec<Moved>> {
        let before = self.contested(peer, name);
        let was_there = self.announcements.remove(peer, name);
        was_there.then(|| self.moved(name, before))
    }

    /// Removes all nodes of a peer. Returns the names that other peers hold now.
    pub fn withdraw_peer(&mut self, peer: &Arc<str>) -> Vec<Moved> {
        let names: Vec<String> = self.announcements.of_peer(peer).map(str::to_owned).collect();
        let moved = names.iter().filter_map(|name| self.withdraw(peer, name));
        let moved = moved.flatten().collect();
        self.certified.remove(peer);
        moved
    }

    /// Finds a node by its full name, or by a bare name in a question that arrived on the local address `arrived_on`.
    ///
    /// A full name must match exactly. For a bare name, `arrived_on` is the host part if a node has that one. Otherwise a local
    /// node with the name is the answer, or else the only remote node with the name.
    pub fn look_up(&self, question: &str, arrived_on: IpAddr) -> Answer {
        if let Some((name, host)) = question.split_once('@') {
            return self.exact(name, host).unwrap_or(Answer::Unknown);
        }
        if let Some(answer) = self.exact(question, &arrived_on.to_string()) {
            return answer;
        }
        if self.locals.contains_key(question) {
            return Answer::Local {
                name: question.to_owned(),
            };
        }
        let all = self.announcements.of_name(question).iter();
        let mut found = all
            .filter_map(|one| Some((one, self.held(question, one).next()?)))
            .peekable();
        match (found.next(), found.peek().is_some()) {
            (None, _) => Answer::Unknown,
            (Some((only, host)), false) => remote(&only.peer, question, host),
            (Some(first), true) => Answer::Ambiguous(
                [first]
                    .into_iter()
                    .chain(found)
                    .map(|(one, _)| {
                        let hosts: Vec<&str> = self.held(question, one).collect();
                        format!("{question}@{} at {}", hosts.join("/"), one.peer)
                    })
                    .collect(),
            ),
        }
    }

    /// A node whose name differs from that in a question, bare or full, in upper and lower case only. It is given by its full name.
    pub fn near(&self, question: &str) -> Option<String> {
        let asked = question.split_once('@').map_or(question, |(name, _)| name);
        let is_near = |node: &String| {
            let name = node.split_once('@').map_or("", |(name, _)| name);
            name != asked && name.eq_ignore_ascii_case(asked)
        };
        let mut near = self.nodes().filter(|names| names.first().is_some_and(is_near));
        let mut names = near.next()?;
        // The host part that was asked for is the one that its user knows.
        let same = names.iter().position(|node| node.eq_ignore_ascii_case(question));
        Some(names.swap_remove(same.unwrap_or(0)))
    }

    /// All nodes, of this daemon and of its peers, each with its full names: those by which it can be found. Which of them is its own, and
    /// so the only one to which it answers, nobody knows before a handshake.
    pub fn nodes(&self) -> impl Iterator<Item = Vec<String>> {
        let all = |name: &str, hosts: &mut dyn Iterator<Item = &str>| {
            let names = hosts.take(NAMES_OF_A_NODE).map(|host| full(name, host));
            names.collect::<Vec<_>>()
        };
        let locals = self.locals.iter();
        let locals = locals.map(move |(name, local)| {
            let hosts = local.hosts.iter().chain(&local.private);
            all(name, &mut hosts.map(String::as_str))
        });
        let remotes = self.announcements.iter();
        let remotes = remotes.map(move |(name, one)| all(name, &mut self.held(name, one)));
        locals.chain(remotes).filter(|names| !names.is_empty())
    }

    /// The policy of a peer.
    pub fn policy(&self, peer: &str) -> Policy {
        static NONE: &[String] = &[];
        match self.certified.get(peer) {
            Some(hosts) => self.policies.of(peer, hosts),
            None => self.policies.of(peer, &NONE.into()),
        }
    }

    /// The peer that holds a full name, if it is not a local node's.
    pub fn peer_of(&self, full_name: &str) -> Option<&Arc<str>> {
        let (name, host) = full_name.split_once('@')?;
        match self.holder(name, host)? {
            Holder::Peer(peer) => Some(peer),
            Holder::Local => None,
        }
    }

    /// Checks a circuit that a peer opens to `target`. `initiator` is the full name of the remote node, if it has one yet. Returns
    /// the name of the local node.
    ///
    /// # Errors
    /// If the initiator's name is invalid, the peer may not speak for it, a node with that name is up here or at another peer, the
    /// two nodes may not be connected, or there is no such local node.
    pub fn open(&self, peer: &str, target: &str, initiator: Option<&str>) -> Result<&str, OpenError> {
        if let Some(node) = initiator {
            self.check_initiator(peer, node)?;
            self.policy(peer).check_pair(node, target)?;
        }
        self.local_target(target).ok_or_else(|| OpenError::Unknown {
            node: target.to_owned(),
            hint: self.local_hint(target),
        })
    }

    fn check_initiator(&self, peer: &str, node: &str) -> Result<(), OpenError> {
        let Ok(name) = NodeName::new(node) else {
            return Err(HandshakeError::Name(node.to_owned()).into());
        };
        let (peer, node) = (peer.to_owned(), node.to_owned());
        if let Err(reason) = self.policy(&peer).check(&node) {
            return Err(OpenError::Policy { peer, node, reason });
        }
        match self.holder(name.name(), name.host()) {
            Some(Holder::Local) => Err(OpenError::Here { peer, node }),
            // Nodes of a temporary daemon are not announced, and may have the name of a node of its host.
            Some(Holder::Peer(holder))
                if !daemon_of(holder).eq_ignore_ascii_case(daemon_of(&peer))
                    && self.rank(holder) <= self.rank(&peer) =>
            {
                let holder = Arc::clone(holder);
                Err(OpenError::Elsewhere { peer, node, holder })
            }
            _ => Ok(()),
        }
    }

    /// Configured peers come before all others.
    fn rank(&self, peer: &str) -> bool {
        !self.policies.is_configured(peer)
    }

    fn local_hint(&self, target: &str) -> String {
        let (name, host) = target.split_once('@').unwrap_or((target, ""));
        let locals = self.locals.iter();
        let at_host = locals.filter(|(_, local)| has_host(&local.hosts, host));
        let near: Vec<String> = at_host
            .filter(|(local, _)| local.eq_ignore_ascii_case(name))
            .map(|(local, _)| full(local, host))
            .collect();
        case_hint(target, near.iter().map(String::as_str))
    }

    fn local_target(&self, full_name: &str) -> Option<&str> {
        let (name, host) = full_name.split_once('@')?;
        let (name, local) = self.locals.get_key_value(name)?;
        has_host(&local.hosts, host).then_some(name.as_str())
    }

    /// The names that peers have announced, some of them more than once.
    pub(super) fn announced_names(&self) -> impl Iterator<Item = &str> {
        self.announcements.iter().map(|(name, _)| name)
    }

    /// The node with exactly this full name.
    pub(super) fn exact(&self, name: &str, host: &str) -> Option<Answer> {
        Some(match self.holder(name, host)? {
            Holder::Local => Answer::Local { name: name.to_owned() },
            Holder::Peer(peer) => remote(peer, name, host),
        })
    }

    /// Who holds a full name now.
    fn holder(&self, name: &str, host: &str) -> Option<Holder<'_>> {
        if self.locals.get(name).is_some_and(|local| local.is_at(host)) {
            return Some(Holder::Local);
        }
        let of_name = self.announcements.of_name(name).iter();
        let claims = of_name.filter_map(|one| {
            let mut same = one
                .hosts
                .iter()
                .filter(|other| other.host.eq_ignore_ascii_case(host))
                .peekable();
            same.peek()?;
            let policy = self.policy(&one.peer);
            let since = same
                .filter(|other| policy.allows(&full(name, &other.host)))
                .map(|other| other.since)
                .min()?;
            Some((self.rank(&one.peer), since, &one.peer))
        });
        let (_, _, peer) = claims.min_by_key(|(rank, since, _)| (*rank, *since))?;
        Some(Holder::Peer(peer))
    }

    /// Whether a full name that a peer announced can be reached through it.
    fn reach(&self, peer: &Arc<str>, policy: &Policy, name: &str, host: &str) -> Result<(), Unreachable> {
        policy.check(&full(name, host)).map_err(Unreachable::Policy)?;
        match self.holder(name, host) {
            Some(Holder::Local) => Err(Unreachable::Local),
            Some(Holder::Peer(other)) if other != peer => Err(Unreachable::Held(Arc::clone(other))),
            _ => Ok(()),
        }
    }

    /// The host parts of an announcement with which its peer holds the name.
    fn held<'a>(&'a self, name: &'a str, one: &'a Announcement) -> impl Iterator<Item = &'a str> {
        let policy = self.policy(&one.peer);
        let hosts = one.hosts.iter().map(|host| host.host.as_str());
        hosts.filter(move |host| self.reach(&one.peer, &policy, name, host).is_ok())
    }

    /// The host parts with which a peer holds the name, if other peers have announced the name too.
    fn contested(&self, peer: &Arc<str>, name: &str) -> Vec<String> {
        match self.announcements.of_name(name) {
            [] | [_] => Vec::new(),
            all => {
                let own = all.iter().filter(|announcement| announcement.peer == *peer);
                own.flat_map(|own| self.held(name, own)).map(str::to_owned).collect()
            }
        }
    }

    /// Those of the host parts with which another peer holds the name.
    fn held_by_others(&self, peer: &Arc<str>, name: &str, hosts: &[String]) -> Vec<String> {
        if self.announcements.of_name(name).is_empty() {
            return Vec::new();
        }
        let hosts = hosts.iter().filter(|host| match self.holder(name, host) {
            Some(Holder::Peer(holder)) => holder != peer,
            _ => false,
        });
        hosts.cloned().collect()
    }

    /// The full names of a node that any peer holds now.
    fn moved(&self, name: &str, hosts: Vec<String>) -> Vec<Moved> {
        let hosts = hosts.into_iter();
        hosts
            .filter_map(|host| match self.holder(name, &host)? {
                Holder::Peer(peer) => Some(Moved {
                    node: full(name, &host),
                    peer: Arc::clone(peer),
                }),
                Holder::Local => None,
            })
            .collect()
    }
}

fn full(name: &str, host: &str) -> String {
    format!("{name}@{host}")
}

fn remote(peer: &Arc<str>, name: &str, host: &str) -> Answer {
    Answer::Remote {
        peer: Arc::clone(peer),
        name: name.to_owned(),
        host: host.to_owned(),
    }
}

fn has_host(hosts: &[String], host: &str) -> bool {
    hosts.iter().any(|other| other.eq_ignore_ascii_case(host))
}
