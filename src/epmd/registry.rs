use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::Registration;

/// Names of nodes that are gone whose incarnation is remembered (`epmd_srv.c`).
const OLD_NAMES: usize = 1000;

/// Nodes registered at once: as many as a stock epmd serves.
const NAMES_MAX: usize = 1000;

/// The nodes registered on this host, and how incarnations are given out: the time of the first registration, one more
/// for each later one while the name is remembered.
#[derive(Debug, Default)]
pub struct Registry {
    names: BTreeMap<String, (Registration, u32)>,
    old: VecDeque<(String, u32)>,
}

impl Registry {
    /// Registers a node at `unix_seconds`; `None` if the name is taken or there are too many.
    pub fn register(&mut self, registration: Registration, unix_seconds: u32) -> Option<u32> {
        if self.names.contains_key(&registration.name) || self.names.len() >= NAMES_MAX {
            return None;
        }
        let known = self.old.iter().position(|(name, _)| *name == registration.name);
        let last = known.and_then(|index| self.old.remove(index));
        let creation = match last {
            Some((_, last)) => last.wrapping_add(1).max(4),
            None => unix_seconds.wrapping_add(1).max(4),
        };
        self.names.insert(registration.name.clone(), (registration, creation));
        Some(creation)
    }

    /// A node's connection has ended.
    pub fn unregister(&mut self, name: &str) {
        if let Some((_, creation)) = self.names.remove(name) {
            self.old.push_back((name.to_owned(), creation));
            if self.old.len() > OLD_NAMES {
                self.old.pop_front();
            }
        }
    }

    /// What a node said of itself.
    pub fn get(&self, name: &str) -> Option<&Registration> {
        self.names.get(name).map(|(registration, _)| registration)
    }

    /// All nodes, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Registration> {
        self.names.values().map(|(registration, _)| registration)
    }
}
