use std::collections::VecDeque;

/// The maximum of the values of the last rounds.
#[derive(Clone, Debug)]
pub(super) struct RecentMax {
    rounds: u64,
    /// Rounds and values. Later values are smaller.
    values: VecDeque<(u64, f64)>,
}

impl RecentMax {
    pub(super) const fn new(rounds: u64) -> Self {
        Self {
            rounds,
            values: VecDeque::new(),
        }
    }

    /// The maximum; zero if there is no value.
    pub(super) fn get(&self) -> f64 {
        self.values.front().map_or(0.0, |(_, value)| *value)
    }

    /// Adds a value of a round. Rounds must not decrease.
    pub(super) fn add(&mut self, round: u64, value: f64) {
        while self.values.back().is_some_and(|(_, last)| *last <= value) {
            self.values.pop_back();
        }
        self.values.push_back((round, value));
        while self
            .values
            .front()
            .is_some_and(|(first, _)| first + self.rounds <= round)
        {
            self.values.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
    }
}
