use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::Registration;

/// The number of former nodes whose creation is remembered (`epmd_srv.c`).
const OLD_NAMES: usize = 1000;

/// The maximum number of registered nodes: as many as a stock epmd serves.
const NAMES_MAX: usize = 1000;

/// The nodes registered on this host. The first registration of a name gets the current time as its creation. Each later one gets
/// the next number, as long as the name is remembered.
#[derive(Debug, Default)]
pub struct Registry {
    names: BTreeMap<String, (Registration, u32)>,
    old: VecDeque<(String, u32)>,
}

impl Registry {
    /// Registers a node at the time `unix_seconds`. Returns its creation, or `None` if the name is taken or there are too many
    /// nodes.
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

    /// Removes a node.
    pub fn unregister(&mut self, name: &str) {
        if let Some((_, creation)) = self.names.remove(name) {
            self.old.push_back((name.to_owned(), creation));
            if self.old.len() > OLD_NAMES {
                self.old.pop_front();
            }
        }
    }

    /// The registration of a node.
    pub fn get(&self, name: &str) -> Option<&Registration> {
        self.names.get(name).map(|(registration, _)| registration)
    }

    /// The registrations of all nodes, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &Registration> {
        self.names.values().map(|(registration, _)| registration)
    }
}
