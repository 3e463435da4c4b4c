//! Questions that wait, in the first moments of a daemon, for peers that are being dialled.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Instant;

use tokio::sync::oneshot;

use super::directory::Found;
use super::directory::Place;
use crate::hub::Starting;

/// The maximum number of questions that wait. Others are answered at once.
const QUESTIONS: usize = 256;

/// A question for a node, and where the answer goes.
#[derive(Debug)]
pub(super) enum Asked {
    /// How it can be reached.
    Find {
        target: String,
        answer: oneshot::Sender<Place>,
    },
    /// Which node has the name.
    LookUp {
        name: String,
        arrived_on: IpAddr,
        answer: oneshot::Sender<Found>,
    },
}

impl Asked {
    /// The name in the question, and the address on which it arrived.
    pub(super) fn question(&self) -> (&str, IpAddr) {
        match self {
            Self::Find { target, .. } => (target, Ipv4Addr::LOCALHOST.into()),
            Self::LookUp { name, arrived_on, .. } => (name, *arrived_on),
        }
    }

    fn is_wanted(&self) -> bool {
        match self {
            Self::Find { answer, .. } => !answer.is_closed(),
            Self::LookUp { answer, .. } => !answer.is_closed(),
        }
    }
}

/// The questions that wait, each with its deadline.
#[derive(Debug)]
pub(super) struct Waiting {
    starting: Starting,
    asked: Vec<(Instant, Asked)>,
}

impl Waiting {
    pub(super) const fn new(starting: Starting) -> Self {
        Self {
            starting,
            asked: Vec::new(),
        }
    }

    pub(super) fn peer_up(&mut self, peer: &str, now: Instant) {
        self.starting.peer_up(peer, now);
    }

    /// Lets a question wait. Returns it if its answer will not change, or too many wait.
    pub(super) fn add(&mut self, asked: Asked, now: Instant) -> Option<Asked> {
        match self.starting.deadline(now) {
            Some(deadline) if self.asked.len() < QUESTIONS => {
                self.asked.push((deadline, asked));
                None
            }
            _ => Some(asked),
        }
    }

    /// When the next question must be answered.
    pub(super) fn due(&self) -> Option<Instant> {
        let deadlines = self.asked.iter().map(|(deadline, _)| *deadline);
        deadlines.min().map(|deadline| self.starting.due(deadline))
    }

    /// Takes the questions that have an answer, or must have one now. Those that nobody waits for any more are dropped.
    pub(super) fn take(&mut self, now: Instant, has_answer: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        let mut ready = Vec::new();
        for (deadline, asked) in std::mem::take(&mut self.asked) {
            if self.starting.due(deadline) <= now || has_answer(&asked) {
                ready.push(asked);
            } else if asked.is_wanted() {
                self.asked.push((deadline, asked));
            }
        }
        ready
    }
}
