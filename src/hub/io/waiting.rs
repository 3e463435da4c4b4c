//! Questions that wait for peers that are being dialled: in the first moments of a daemon all of them, and later the host of the node.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Duration;
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

/// How long a question waits for a host that is dialled. The end of the attempt comes first, usually.
const HOST_TIME: Duration = Duration::from_secs(6);

/// The questions that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    starting: Starting,
    asked: Vec<Question>,
}

/// A question that waits.
#[derive(Debug)]
struct Question {
    /// Until when it waits for peers that are dialled at the start.
    deadline: Instant,
    asked: Asked,
    /// The address that is dialled for it, and until when it waits for that.
    dialled: Option<(String, Instant)>,
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

    /// Lets a question wait, also for `address` if that is dialled for it. Returns it if its answer will not change, or too many wait.
    pub(super) fn add(&mut self, asked: Asked, address: Option<String>, now: Instant) -> Option<Asked> {
        let starting = self.starting.deadline(now);
        if self.asked.len() >= QUESTIONS || (starting.is_none() && address.is_none()) {
            return Some(asked);
        }
        self.asked.push(Question {
            deadline: starting.unwrap_or(now),
            dialled: address.map(|address| (address, now + HOST_TIME)),
            asked,
        });
        None
    }

    /// A host was dialled at this address: nothing waits for it any longer.
    pub(super) fn host_dialled(&mut self, address: &str) {
        for question in &mut self.asked {
            question.dialled.take_if(|(waits_for, _)| waits_for == address);
        }
    }

    fn due_of(&self, question: &Question) -> Instant {
        let starting = self.starting.due(question.deadline);
        match &question.dialled {
            Some((_, until)) => starting.max(*until),
            None => starting,
        }
    }

    /// When the next question must be answered.
    pub(super) fn due(&self) -> Option<Instant> {
        self.asked.iter().map(|question| self.due_of(question)).min()
    }

    /// Takes the questions that have an answer, or must have one now. Those that nobody waits for any more are dropped.
    pub(super) fn take(&mut self, now: Instant, has_answer: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        let mut ready = Vec::new();
        for question in std::mem::take(&mut self.asked) {
            if self.due_of(&question) <= now || has_answer(&question.asked) {
                ready.push(question.asked);
            } else if question.asked.is_wanted() {
                self.asked.push(question);
            }
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> (Asked, oneshot::Receiver<Place>) {
        let (answer, answered) = oneshot::channel();
        let target = "b@h2".to_owned();
        (Asked::Find { target, answer }, answered)
    }

    #[test]
    fn a_question_waits_for_the_start_and_for_its_host() {
        let now = Instant::now();
        let late = Duration::from_secs(3);
        let mut started = Waiting::new(Starting::new([], now));
        let (asked, _answered) = question();
        let asked = started.add(asked, None, now).expect("nobody is dialled");
        assert!(started.add(asked, Some("h2:4471".to_owned()), now).is_none());
        assert_eq!(started.due(), Some(now + HOST_TIME));
        started.host_dialled("h2:4472");
        assert!(started.take(now + late, |_| false).is_empty());
        started.host_dialled("h2:4471");
        assert_eq!(started.take(now + late, |_| false).len(), 1);
        // In the first moments, the end of an attempt is not the last word.
        let mut starting = Waiting::new(Starting::new(["peer".to_owned()], now));
        let (asked, _answered) = question();
        assert!(starting.add(asked, Some("h2:4471".to_owned()), now).is_none());
        starting.host_dialled("h2:4471");
        assert!(starting.take(now, |_| false).is_empty());
        assert_eq!(starting.take(now + late, |_| false).len(), 1);
    }
}
