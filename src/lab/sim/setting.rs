use std::time::Duration;

use super::network::Quality;
use super::node::Habits;
use super::plan::Fault;
use super::plan::draw_faults;
use super::random::Random;
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

    /// What a seed stands for.
    pub(super) fn draw(seed: u64) -> Self {
        let random = &mut Random::new(seed, 1);
        let delay = Duration::from_millis(random.pick(&[2, 5, 10, 20, 40], 10));
        let mut setting = Self {
            hosts: if random.one_in(5) { 3 } else { 2 },
            dialling: random.pick(&[Dialling::Both, Dialling::Both, Dialling::Lower], Dialling::Higher),
            lanes: random.pick(&[1, 2, 4, 16], 4),
            grace: Duration::from_secs(random.pick(&[5, 8, 15], 15)),
            idle_timeout: Duration::from_secs(random.pick(&[4, 8, 15], 15)),
            budget: random.pick(&[16 << 10, 256 << 10, 4 << 20], 1 << 20),
            memory: random.pick(&[8 << 20, 64 << 20], 64 << 20),
            backlog: random.pick(&[256 << 10, 4 << 20], 1 << 20),
            habits: Habits {
                circuits: random.between(1, 2) as usize,
                pause: Duration::from_millis(random.pick(&[20, 60, 200, 1000], 60)),
                burst: random.between(1, 4),
                large_one_in: random.pick(&[5, 20, 100], 20),
                close_one_in: random.pick(&[30, 200, 1000], 200),
            },
            quality: draw_quality(random, delay),
            length: Duration::from_secs(random.between(8, 25)),
            ..Self::calm(seed)
        };
        setting.faults = draw_faults(&setting, random);
        setting
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

/// How the lines are: clean, or with some faults all the time.
pub(super) fn draw_quality(random: &mut Random, delay: Duration) -> Quality {
    let often = |random: &mut Random| match random.below(4) {
        0 => random.below(1000) as u32,
        1 => random.below(200) as u32,
        _ => 0,
    };
    Quality {
        drop: often(random),
        duplicate: often(random),
        reorder: often(random),
        corrupt: often(random) / 2,
        delay,
        jitter: Duration::from_millis(random.pick(&[0, 0, 3, 15], 0)),
    }
}
