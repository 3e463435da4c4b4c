use std::collections::BTreeMap;

/// The maximum number of connections to one address of the port mapper that are not registered nodes: a question takes a moment.
pub const NEWCOMERS: usize = 256;

/// The connections to one listener that have not yet got what they came for. A program that opens connections and says nothing must
/// not keep others out, so when there is no room the oldest connection goes, not the newest.
#[derive(Debug)]
pub struct Newcomers<T> {
    entries: BTreeMap<u64, T>,
    next: u64,
    max: usize,
    evicted: u64,
}

impl<T> Newcomers<T> {
    /// Creates a place for at most `max` connections.
    pub const fn new(max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            next: 0,
            max,
            evicted: 0,
        }
    }

    /// Adds a connection. Returns its number, and the connection that must go to make room.
    pub fn enter(&mut self, entry: T) -> (u64, Option<T>) {
        let evicted = if self.entries.len() >= self.max {
            self.evict()
        } else {
            None
        };
        let number = self.next;
        self.next += 1;
        self.entries.insert(number, entry);
        (number, evicted)
    }

    /// Removes a connection that has got what it came for, or is over.
    pub fn leave(&mut self, number: u64) {
        self.entries.remove(&number);
    }

    /// Removes the oldest connection, which must go.
    pub fn evict(&mut self) -> Option<T> {
        let (_, oldest) = self.entries.pop_first()?;
        self.evicted += 1;
        Some(oldest)
    }

    /// The number of connections that had to go so far, if it is worth a line in the log: the first, and each time there are twice as
    /// many. So a flood of connections is no flood of lines.
    pub const fn worth_a_line(&self) -> Option<u64> {
        if self.evicted.is_power_of_two() {
            Some(self.evicted)
        } else {
            None
        }
    }
}
