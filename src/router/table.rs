use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Policies;

/// Nodes that one peer may announce: more than one host runs, and a bound for what a peer makes us keep.
const NODES_OF_A_PEER: usize = 4096;

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It registered here.
    Local {
        /// The part before the `@`.
        name: String,
    },
    /// A peer announced it.
    Remote {
        /// The peer.
        peer: Arc<str>,
        /// The part before the `@`.
        name: String,
        /// The host part meant.
        host: String,
    },
    /// Nobody has it.
    Unknown,
    /// A bare name that fits nodes of several peers.
    Ambiguous(Vec<String>),
}

/// What became of an announcement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// Full names under which the node can be reached now.
    pub accepted: Vec<String>,
    /// Full names that were refused, with the reason.
    pub refused: Vec<(String, &'static str)>,
}

/// The nodes there are.
#[derive(Debug)]
pub struct Router {
    hosts: Vec<String>,
    /// Name → the host parts under which it may be meant.
    locals: BTreeMap<String, Vec<String>>,
    /// (name, peer) → hosts.
    remotes: BTreeMap<(String, Arc<str>), Vec<String>>,
    policies: Policies,
}

impl Router {
    /// A router of a host that is meant by any of `hosts`; `policies` says which names each peer may speak for, and a
    /// peer without one may speak for any.
    pub fn new(hosts: Vec<String>, policies: Policies) -> Self {
        Self {
            hosts,
            locals: BTreeMap::new(),
            remotes: BTreeMap::new(),
            policies,
        }
    }

    /// The host parts that mean this machine.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// A local node registered, which any of `hosts` may mean.
    pub fn add_local(&mut self, name: &str, hosts: Vec<String>) {
        self.locals.insert(name.to_owned(), hosts);
    }

    /// The host parts under which a local node may be meant.
    pub fn local_hosts(&self, name: &str) -> &[String] {
        self.locals.get(name).map_or(&[], Vec::as_slice)
    }

    /// A local node is gone.
    pub fn remove_local(&mut self, name: &str) {
        self.locals.remove(name);
    }

    /// The nodes there are, here and at peers, each by one full name.
    pub fn nodes(&self) -> impl Iterator<Item = String> {
        let remotes = self.remotes.iter().map(|((name, _), hosts)| (name, hosts));
        self.locals
            .iter()
            .chain(remotes)
            .filter_map(|(name, hosts)| Some(format!("{name}@{}", hosts.first()?)))
    }

    /// Whether a peer may speak for a node of this full name.
    pub fn may_speak(&self, peer: &str, full_name: &str) -> bool {
        self.policies.of(peer).allows(full_name)
    }

    /// A peer announces a node.
    pub fn announce(&mut self, peer: &Arc<str>, name: &str, hosts: Vec<String>) -> Announced {
        let mut announced = Announced::default();
        let is_full = self.remotes.keys().filter(|(_, other)| other == peer).count() >= NODES_OF_A_PEER;
        let mut kept = Vec::new();
        for host in hosts {
            let full = format!("{name}@{host}");
            let refusal = if is_full {
                Some("the peer announced too many nodes")
            } else if !self.may_speak(peer, &full) {
                Some("the policy does not let the peer speak for it")
            } else if self.is_taken(peer, name, &host) {
                Some("a node of that name is up elsewhere")
            } else {
                None
            };
            match refusal {
                Some(reason) => announced.refused.push((full, reason)),
                None => {
                    kept.push(host);
                    announced.accepted.push(full);
                }
            }
        }
        if !kept.is_empty() {
            self.remotes.insert((name.to_owned(), Arc::clone(peer)), kept);
        }
        announced
    }

    /// Whether another peer has announced the full name, or a local node has it.
    fn is_taken(&self, peer: &Arc<str>, name: &str, host: &str) -> bool {
        let is_local = self.locals.get(name).is_some_and(|hosts| has_host(hosts, host));
        is_local
            || self
                .of_name(name)
                .any(|(other, hosts)| other != peer && has_host(hosts, host))
    }

    fn of_name<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Arc<str>, &'a Vec<String>)> {
        self.remotes
            .iter()
            .filter(move |((other, _), _)| other == name)
            .map(|((_, peer), hosts)| (peer, hosts))
    }

    /// A peer's node is gone.
    pub fn withdraw(&mut self, peer: &Arc<str>, name: &str) {
        self.remotes.remove(&(name.to_owned(), Arc::clone(peer)));
    }

    /// A peer is gone, and its nodes with it.
    pub fn withdraw_peer(&mut self, peer: &Arc<str>) {
        self.remotes.retain(|(_, other), _| other != peer);
    }

    /// The local node that a peer means by a full name.
    pub fn local_target(&self, full_name: &str) -> Option<&str> {
        let (name, host) = full_name.split_once('@')?;
        let (name, hosts) = self.locals.get_key_value(name)?;
        has_host(hosts, host).then_some(name.as_str())
    }

    /// Finds a node by its full name, or by a bare name asked at the local address `arrived_on`.
    ///
    /// A full name must match exactly. For a bare one, the address that the question arrived on names the host meant, if
    /// a node has it; otherwise a local node wins, then a remote one that is alone with the name.
    pub fn resolve(&self, question: &str, arrived_on: IpAddr) -> Answer {
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
        let mut found: Vec<Answer> = self
            .of_name(question)
            .filter_map(|(peer, hosts)| remote(peer, question, hosts.first()?))
            .collect();
        match (found.pop(), found.is_empty()) {
            (None, _) => Answer::Unknown,
            (Some(only), true) => only,
            (Some(_), false) => Answer::Ambiguous(
                self.of_name(question)
                    .map(|(peer, hosts)| format!("{question}@{} at {peer}", hosts.join("/")))
                    .collect(),
            ),
        }
    }

    fn exact(&self, name: &str, host: &str) -> Option<Answer> {
        if self.locals.get(name).is_some_and(|hosts| has_host(hosts, host)) {
            return Some(Answer::Local { name: name.to_owned() });
        }
        let (peer, _) = self.of_name(name).find(|(_, hosts)| has_host(hosts, host))?;
        remote(peer, name, host)
    }
}

fn remote(peer: &Arc<str>, name: &str, host: &str) -> Option<Answer> {
    Some(Answer::Remote {
        peer: Arc::clone(peer),
        name: name.to_owned(),
        host: host.to_owned(),
    })
}

fn has_host(hosts: &[String], host: &str) -> bool {
    hosts.iter().any(|other| other.eq_ignore_ascii_case(host))
}
