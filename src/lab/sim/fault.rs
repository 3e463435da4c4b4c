use std::time::Duration;

use super::network::Quality;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing gets from one host to another, or both ways.
    Dark {
        from: usize,
        to: usize,
        both: bool,
        time: Duration,
    },
    /// The lines are worse for a while, or slower.
    Weather { quality: Quality, time: Duration },
    /// A host's address changes, as others see it.
    Rebind(usize),
    /// The connections that there are bring nothing from one host to another any more, or both ways; new ones do.
    HalfOpen { from: usize, to: usize, both: bool },
    /// A daemon is killed and begins again, perhaps with other keys.
    Crash { host: usize, down: Duration, new_key: bool },
    /// A daemon is not scheduled for a while. What arrives meanwhile waits, or is lost with the host's network; its clock
    /// leaps, or has stood still.
    Freeze {
        host: usize,
        time: Duration,
        leaps: bool,
        keeps: bool,
    },
    /// The nodes of a host read nothing for a while.
    Deaf { host: usize, time: Duration },
    /// The datagrams of these numbers on a line are lost, counted from now.
    Doom { from: usize, to: usize, numbers: Vec<u64> },
}

/// The kinds of faults, for the line that is printed.
pub(super) const KINDS: [&str; 10] = [
    "one-way blackout",
    "two-way blackout",
    "degraded path",
    "rebind",
    "half-open trunk",
    "crash",
    "crash with loss of keys",
    "clock jump",
    "slow reader",
    "resume step lost",
];

impl Fault {
    /// Which of [`KINDS`] it is.
    pub(super) const fn kind(&self) -> usize {
        match self {
            Self::Dark { both: false, .. } => 0,
            Self::Dark { both: true, .. } => 1,
            Self::Weather { .. } => 2,
            Self::Rebind(_) => 3,
            Self::HalfOpen { .. } => 4,
            Self::Crash { new_key: false, .. } => 5,
            Self::Crash { new_key: true, .. } => 6,
            Self::Freeze { .. } => 7,
            Self::Deaf { .. } => 8,
            Self::Doom { .. } => 9,
        }
    }

    /// How long it lasts.
    pub(super) const fn time(&self) -> Duration {
        match self {
            Self::Dark { time, .. }
            | Self::Weather { time, .. }
            | Self::Freeze { time, .. }
            | Self::Deaf { time, .. }
            | Self::Crash { down: time, .. } => *time,
            Self::Rebind(_) | Self::HalfOpen { .. } | Self::Doom { .. } => Duration::ZERO,
        }
    }

    /// Whether the two hosts cannot talk while it lasts.
    pub(super) fn parts(&self, pair: [usize; 2]) -> bool {
        match self {
            Self::Dark { from, to, .. } => pair.contains(from) && pair.contains(to),
            Self::Freeze { host, .. } => pair.contains(host),
            _ => false,
        }
    }
}
