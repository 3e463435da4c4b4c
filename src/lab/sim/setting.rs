use std::time::Duration;

use super::fault::Fault;
use super::network::Quality;
use super::node::Habits;
#[cfg(test)]
use crate::session::Bug;

/// Everything that a run depends on.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) hosts: usize,
    /// Whether each of two daemons dials the other, or the lower one only, or the higher one only.
    pub(super) dialling: Dialling,
    pub(super) lanes: u8,
    pub(super) grace: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) race_interval: Duration,
    /// Largest window of a circuit, and bytes that a daemon keeps for its nodes in all.
    pub(super) budget: u64,
    pub(super) memory: u64,
    pub(super) backlog: u64,
    pub(super) habits: Habits,
    /// The lines when nothing else is said.
    pub(super) quality: Quality,
    /// What goes wrong, and when.
    pub(super) faults: Vec<(Duration, Fault)>,
    /// How long things go wrong.
    pub(super) length: Duration,
    /// A mistake in the code under test.
    #[cfg(test)]
    pub(super) bug: Option<Bug>,
}

/// Who dials whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialling {
    Both,
    Lower,
    Higher,
}

impl Setting {
    /// Two daemons on a clean line, and nothing goes wrong.
    pub(super) const fn calm(seed: u64) -> Self {
        Self {
            seed,
            hosts: 2,
            dialling: Dialling::Both,
            lanes: 4,
            grace: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(15),
            race_interval: Duration::from_millis(150),
            budget: 1 << 20,
            memory: 64 << 20,
            backlog: 4 << 20,
            habits: Habits {
                circuits: 1,
                pause: Duration::from_millis(40),
                burst: 3,
                large_one_in: 20,
                close_one_in: 400,
            },
            quality: Quality::clean(Duration::from_millis(10)),
            faults: Vec::new(),
            length: Duration::from_secs(5),
            #[cfg(test)]
            bug: None,
        }
    }

    /// Whether `host` dials `peer`.
    pub(super) fn dials(&self, host: usize, peer: usize) -> bool {
        match self.dialling {
            Dialling::Both => host != peer,
            Dialling::Lower => host < peer,
            Dialling::Higher => host > peer,
        }
    }

    /// Circuits there are when all is well.
    pub(super) const fn circuits(&self) -> usize {
        self.hosts * (self.hosts - 1) * self.habits.circuits
    }
}
