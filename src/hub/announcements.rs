//! What peers announced, whole and in order, whoever else has the names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Nodes that one peer may announce: more than one host runs, and a bound for what a peer makes us keep.
pub const NODES_OF_A_PEER: usize = 4096;

/// Host parts that one node may have: more than a host has addresses.
pub const HOSTS_OF_A_NODE: usize = 512;

/// One node of one peer.
#[derive(Debug)]
pub(super) struct Announcement {
    pub(super) peer: Arc<str>,
    /// As the peer gave them.
    pub(super) hosts: Vec<AnnouncedHost>,
}

#[derive(Debug)]
pub(super) struct AnnouncedHost {
    pub(super) host: String,
    /// When the peer first announced the node under this host part, as a count of such events: the first one holds the name.
    pub(super) since: u64,
}

/// The announcements of all peers.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    /// By name; those of one name in the order of arrival.
    of_name: BTreeMap<String, Vec<Announcement>>,
    of_peer: BTreeMap<Arc<str>, BTreeSet<String>>,
    count: u64,
}

impl Announcements {
    /// Keeps an announcement instead of an earlier one of the same node; `false` if the peer has announced too many nodes.
    pub(super) fn insert(&mut self, peer: &Arc<str>, name: &str, hosts: &[String]) -> bool {
        let names = self.of_peer.entry(Arc::clone(peer)).or_default();
        if !names.contains(name) && names.len() >= NODES_OF_A_PEER {
            return false;
        }
        names.insert(name.to_owned());
        let of_name = self.of_name.entry(name.to_owned()).or_default();
        let before = of_name.iter_mut().find(|announcement| announcement.peer == *peer);
        let count = &mut self.count;
        let known = before.as_ref().map_or(&[][..], |announcement| &announcement.hosts);
        let hosts = hosts
            .iter()
            .map(|host| AnnouncedHost {
                host: host.clone(),
                since: first(known, host).unwrap_or_else(|| {
                    *count += 1;
                    *count
                }),
            })
            .collect();
        match before {
            Some(announcement) => announcement.hosts = hosts,
            None => of_name.push(Announcement {
                peer: Arc::clone(peer),
                hosts,
            }),
        }
        true
    }

    /// Removes a node of a peer; `false` if the peer has not announced it.
    pub(super) fn remove(&mut self, peer: &Arc<str>, name: &str) -> bool {
        let Some(names) = self.of_peer.get_mut(peer) else {
            return false;
        };
        let was_there = names.remove(name);
        if names.is_empty() {
            self.of_peer.remove(peer);
        }
        if let Some(of_name) = self.of_name.get_mut(name) {
            of_name.retain(|announcement| announcement.peer != *peer);
            if of_name.is_empty() {
                self.of_name.remove(name);
            }
        }
        was_there
    }

    /// The names of a peer's nodes.
    pub(super) fn of_peer(&self, peer: &str) -> impl Iterator<Item = &str> {
        self.of_peer.get(peer).into_iter().flatten().map(String::as_str)
    }

    /// The nodes of a name.
    pub(super) fn of_name(&self, name: &str) -> &[Announcement] {
        self.of_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// All of them, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Announcement)> {
        self.of_name
            .iter()
            .flat_map(|(name, announcements)| announcements.iter().map(move |one| (name.as_str(), one)))
    }
}

/// Since when one of the host parts is announced.
fn first(hosts: &[AnnouncedHost], host: &str) -> Option<u64> {
    let same = hosts.iter().filter(|other| other.host.eq_ignore_ascii_case(host));
    same.map(|other| other.since).min()
}
