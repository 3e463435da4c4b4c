use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::AttachError;
use super::OpenError;
use super::Unreachable;
use super::announcements::Announcement;
use super::announcements::Announcements;
use super::announcements::HOSTS_OF_A_NODE;
use crate::dist::HandshakeError;
use crate::dist::NodeName;
use crate::epmd::Registration;
use crate::epmd::Registry;
use crate::router::Policies;
use crate::router::Policy;

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The node is attached to this daemon.
    Local {
        /// The part before the `@`.
        name: String,
    },
    /// A peer holds the name.
    Remote {
        /// The peer.
        peer: Arc<str>,
        /// The part before the `@`.
        name: String,
        /// The host part of the node.
        host: String,
    },
    /// There is no such node.
    Unknown,
    /// The question was a bare name, and several peers have a node with it.
    Ambiguous(Vec<String>),
}

/// The result of an announcement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The full names that can be reached through this peer now.
    pub reachable: Vec<String>,
    /// The full names that cannot be reached through this peer, each with the reason.
    pub unreachable: Vec<(String, Unreachable)>,
    /// The full names that the peer no longer announces, and that other peers hold from now on.
    pub moved: Vec<Moved>,
}

/// A full name that a peer holds from now on, because the former holder is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The full name.
    pub node: String,
    /// The peer that holds it now.
    pub peer: Arc<str>,
}

/// Who holds a full name.
enum Holder<'a> {
    Local,
    Peer(&'a Arc<str>),
}

#[derive(Debug)]
struct Local {
    /// The host parts by which the node can be addressed.
    hosts: Vec<String>,
    creation: u32,
}

/// The directory of all nodes, those of this daemon and those of its peers.
///
/// A local node holds its full names. Any other full name is held by the first peer that announced it and whose policy allows
/// it. When that peer withdraws the name or leaves, the next such peer holds it at once.
#[derive(Debug)]
pub struct Hub {
    policies: Policies,
    registry: Registry,
    locals: BTreeMap<String, Local>,
    announcements: Announcements,
}

impl Hub {
    /// Creates a hub without nodes. `policies` determines for which nodes each peer may speak. A peer without a policy may speak
    /// for any node.
    pub fn new(policies: Policies) -> Self {
        Self {
            policies,
            registry: Registry::default(),
            locals: BTreeMap::new(),
            announcements: Announcements::default(),
        }
    }

    /// Attaches a local node, which can be addressed with any of `hosts` as the host part. Returns its creation.
    ///
    /// # Errors
    /// If a local node has the name, or there are too many local nodes.
    pub fn attach(
        &mut self,
        registration: Registration,
        hosts: Vec<String>,
        unix_seconds: u32,
    ) -> Result<u32, AttachError> {
        let name = registration.name.clone();
        if self.registry.get(&name).is_some() {
            return Err(AttachError::Taken);
        }
        let creation = self.registry.register(registration, unix_seconds);
        let creation = creation.ok_or(AttachError::TooMany)?;
        self.locals.insert(name, Local { hosts, creation });
        Ok(creation)
    }

    /// Removes the local node with this creation. Returns the names that peers hold now, or `None` if it was not attached.
    pub fn detach(&mut self, name: &str, creation: u32) -> Option<Vec<Moved>> {
        if self.creation(name) != Some(creation) {
            return None;
        }
        let local = self.locals.remove(name)?;
        self.registry.unregister(name);
        Some(self.moved(name, local.hosts))
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

    /// The host parts by which a local node can be addressed.
    pub fn local_hosts(&self, name: &str) -> &[String] {
        self.locals.get(name).map_or(&[], |local| &local.hosts)
    }

    /// Handles a peer's announcement of a node. It replaces the peer's earlier announcement of the same name.
    pub fn announce(&mut self, peer: &Arc<str>, name: &str, mut hosts: Vec<String>) -> Announced {
        let mut beyond = hosts.split_off(hosts.len().min(HOSTS_OF_A_NODE));
        let before = self.contested(peer, name);
        if !self.announcements.insert(peer, name, &hosts) {
            beyond.splice(..0, hosts.drain(..));
        }
        let mut announced = Announced::default();
        let policy = self.policies.of(peer);
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
        moved.flatten().collect()
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

    /// All nodes, of this daemon and of its peers, each with one of its full names.
    pub fn nodes(&self) -> impl Iterator<Item = String> {
        let locals = self.locals.iter();
        let locals = locals.filter_map(|(name, local)| Some(full(name, local.hosts.first()?)));
        let remotes = self.announcements.iter();
        let remotes = remotes.filter_map(|(name, one)| Some(full(name, self.held(name, one).next()?)));
        locals.chain(remotes)
    }

    /// The policy of a peer.
    pub fn policy(&self, peer: &str) -> Policy {
        self.policies.of(peer)
    }

    /// Whether a peer may speak for a node of this full name.
    pub fn may_speak(&self, peer: &str, full_name: &str) -> bool {
        self.policies.of(peer).allows(full_name)
    }

    /// Checks a circuit that a peer opens to `target`. `initiator` is the full name of the remote node, if it has one yet. Returns
    /// the name of the local node.
    ///
    /// # Errors
    /// If the initiator's name is invalid, the peer may not speak for it, or there is no such local node.
    pub fn open(&self, peer: &str, target: &str, initiator: Option<&str>) -> Result<&str, OpenError> {
        match initiator {
            Some(name) if NodeName::new(name).is_err() => Err(HandshakeError::Name(name.to_owned()).into()),
            Some(name) if !self.may_speak(peer, name) => Err(OpenError::Policy {
                peer: peer.to_owned(),
                node: name.to_owned(),
            }),
            _ => self
                .local_target(target)
                .ok_or_else(|| OpenError::Unknown(target.to_owned())),
        }
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
        if self.locals.get(name).is_some_and(|local| has_host(&local.hosts, host)) {
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
            let policy = self.policies.of(&one.peer);
            let since = same
                .filter(|other| policy.allows(&full(name, &other.host)))
                .map(|other| other.since)
                .min()?;
            Some((since, &one.peer))
        });
        let (_, peer) = claims.min_by_key(|(since, _)| *since)?;
        Some(Holder::Peer(peer))
    }

    /// Whether a full name that a peer announced can be reached through it.
    fn reach(&self, peer: &Arc<str>, policy: &Policy, name: &str, host: &str) -> Result<(), Unreachable> {
        if !policy.allows(&full(name, host)) {
            return Err(Unreachable::Policy);
        }
        match self.holder(name, host) {
            Some(Holder::Local) => Err(Unreachable::Local),
            Some(Holder::Peer(other)) if other != peer => Err(Unreachable::Held(Arc::clone(other))),
            _ => Ok(()),
        }
    }

    /// The host parts of an announcement with which its peer holds the name.
    fn held<'a>(&'a self, name: &'a str, one: &'a Announcement) -> impl Iterator<Item = &'a str> {
        let policy = self.policies.of(&one.peer);
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
