use std::collections::BTreeMap;
use std::collections::HashMap;

/// What one peer is still to be told about local nodes: for each name the last state, in the order of the changes.
///
/// A peer that is told late needs no history. So this holds at most one entry for each name that the peer knows or that is attached.
#[derive(Debug)]
pub(super) struct Outbox<U> {
    order: BTreeMap<u64, String>,
    changes: HashMap<String, (u64, Change<U>)>,
    next: u64,
}

#[derive(Debug)]
enum Change<U> {
    Up(U),
    Down,
    /// The node has been replaced by another one of its name.
    DownUp(U),
}

/// What to tell the peer next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told<U> {
    /// A node came up.
    Up(U),
    /// The node with this name went down.
    Down(String),
}

impl<U> Default for Outbox<U> {
    fn default() -> Self {
        Self {
            order: BTreeMap::new(),
            changes: HashMap::new(),
            next: 0,
        }
    }
}

impl<U> Outbox<U> {
    /// A node came up; `up` is what the peer is to be told.
    pub(super) fn up(&mut self, name: &str, up: U) {
        let change = match self.remove(name) {
            None | Some(Change::Up(_)) => Change::Up(up),
            Some(Change::Down | Change::DownUp(_)) => Change::DownUp(up),
        };
        self.insert(name, change);
    }

    /// A node went down. If the peer has not been told of it yet, it need not be.
    pub(super) fn down(&mut self, name: &str) {
        if !matches!(self.remove(name), Some(Change::Up(_))) {
            self.insert(name, Change::Down);
        }
    }

    /// What to tell the peer next, if anything.
    pub(super) fn pop(&mut self) -> Option<Told<U>> {
        let (_, name) = self.order.pop_first()?;
        match self.changes.remove(&name)?.1 {
            Change::Up(up) => Some(Told::Up(up)),
            Change::Down => Some(Told::Down(name)),
            Change::DownUp(up) => {
                self.insert(&name, Change::Up(up));
                Some(Told::Down(name))
            }
        }
    }

    fn insert(&mut self, name: &str, change: Change<U>) {
        self.order.insert(self.next, name.to_owned());
        self.changes.insert(name.to_owned(), (self.next, change));
        self.next += 1;
    }

    fn remove(&mut self, name: &str) -> Option<Change<U>> {
        let (number, change) = self.changes.remove(name)?;
        self.order.remove(&number);
        Some(change)
    }
}
