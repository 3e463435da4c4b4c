//! The announcements of peers, kept completely and in order, even if others hold the names.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The maximum number of nodes that one peer may announce: more than one host runs. It bounds the memory that a peer can use.
pub const NODES_OF_A_PEER: usize = 4096;

/// The maximum memory of the names that one peer announced, in bytes: thousands of nodes with dozens of host parts each.
pub const NAMES_OF_A_PEER: usize = 8 << 20;

/// A node name that a peer announced.
#[derive(Debug)]
pub(super) struct Announcement {
    pub(super) peer: Arc<str>,
    /// The host parts, as the peer spelled them.
    pub(super) hosts: Vec<AnnouncedHost>,
}

#[derive(Debug)]
pub(super) struct AnnouncedHost {
    pub(super) host: String,
    /// When the peer first announced the node with this host part, as a sequence number. The lowest number holds the name.
    pub(super) since: u64,
}

/// The announcements of all peers.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    /// By node name. Announcements of one name are in the order of arrival.
    of_name: BTreeMap<String, Vec<Announcement>>,
    of_peer: BTreeMap<Arc<str>, Names>,
    count: u64,
}

/// The names that one peer announced.
#[derive(Debug, Default)]
struct Names {
    /// With the memory that each takes.
    sizes: BTreeMap<String, usize>,
    size: usize,
}

/// The memory of an announcement, in bytes.
fn size(name: &str, hosts: &[String]) -> usize {
    let hosts = hosts.iter().map(|host| size_of::<AnnouncedHost>() + host.len());
    size_of::<Announcement>() + 2 * (size_of::<String>() + name.len()) + hosts.sum::<usize>()
}

impl Announcements {
    /// Adds an announcement, which replaces an earlier one of the same node. Returns `false` if the peer has announced too many
    /// nodes, or too many names of them; then an earlier one stays.
    pub(super) fn insert(&mut self, peer: &Arc<str>, name: &str, hosts: &[String]) -> bool {
        let names = self.of_peer.entry(Arc::clone(peer)).or_default();
        let before = names.sizes.get(name).copied();
        let size = size(name, hosts);
        let all = names.size - before.unwrap_or(0) + size;
        if all > NAMES_OF_A_PEER || (before.is_none() && names.sizes.len() >= NODES_OF_A_PEER) {
            return false;
        }
        names.size = all;
        names.sizes.insert(name.to_owned(), size);
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

    /// Removes a node of a peer. Returns `false` if the peer has not announced it.
    pub(super) fn remove(&mut self, peer: &Arc<str>, name: &str) -> bool {
        let Some(names) = self.of_peer.get_mut(peer) else {
            return false;
        };
        let size = names.sizes.remove(name);
        names.size -= size.unwrap_or(0);
        if names.sizes.is_empty() {
            self.of_peer.remove(peer);
        }
        if let Some(of_name) = self.of_name.get_mut(name) {
            of_name.retain(|announcement| announcement.peer != *peer);
            if of_name.is_empty() {
                self.of_name.remove(name);
            }
        }
        size.is_some()
    }

    /// The names that a peer announced.
    pub(super) fn of_peer(&self, peer: &str) -> impl Iterator<Item = &str> {
        let names = self.of_peer.get(peer).into_iter();
        names.flat_map(|names| names.sizes.keys().map(String::as_str))
    }

    /// The announcements of a name.
    pub(super) fn of_name(&self, name: &str) -> &[Announcement] {
        self.of_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// All announcements, ordered by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Announcement)> {
        self.of_name
            .iter()
            .flat_map(|(name, announcements)| announcements.iter().map(move |one| (name.as_str(), one)))
    }
}

/// The sequence number of a host part among those that were announced before.
fn first(hosts: &[AnnouncedHost], host: &str) -> Option<u64> {
    let same = hosts.iter().filter(|other| other.host.eq_ignore_ascii_case(host));
    same.map(|other| other.since).min()
}
