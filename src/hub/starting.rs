use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

/// How long after its start a daemon may still be about to hear of the nodes of its peers. A peer that is not there by then is down.
const START: Duration = Duration::from_secs(3);

/// How long after the last peer came up its nodes may still be announced: more than a round trip around the earth.
const TELL: Duration = Duration::from_millis(500);

/// How long one question waits: less than the 2 s after which nodes with `beamway_epmd` take a gateway for one that hangs.
const WAIT: Duration = Duration::from_millis(1500);

/// The first moments of a daemon: peers are being dialled, so a node that is not known may be known in a moment.
#[derive(Debug)]
pub struct Starting {
    /// The peers that are dialled and have not come up, in lower case.
    absent: BTreeSet<String>,
    until: Instant,
}

impl Starting {
    /// A daemon that dials these peers has just started.
    pub fn new(dialled: impl IntoIterator<Item = String>, now: Instant) -> Self {
        let absent: BTreeSet<_> = dialled.into_iter().map(|peer| peer.to_ascii_lowercase()).collect();
        let time = if absent.is_empty() { Duration::ZERO } else { START };
        Self {
            absent,
            until: now + time,
        }
    }

    /// A peer has come up. It announces its nodes at once.
    pub fn peer_up(&mut self, peer: &str, now: Instant) {
        let was_absent = self.absent.remove(&peer.to_ascii_lowercase());
        if was_absent && self.absent.is_empty() {
            self.until = self.until.min(now + TELL);
        }
    }

    /// Until when the answer to a question that is asked now may change; `None` if it is final.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        (now < self.until).then(|| self.until.min(now + WAIT))
    }

    /// When a question with this deadline must be answered.
    pub fn due(&self, deadline: Instant) -> Instant {
        deadline.min(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_wait_as_long_as_the_answer_may_change() {
        let now = Instant::now();
        let peers = || ["A".to_owned(), "b".to_owned()];
        assert_eq!(Starting::new([], now).deadline(now), None, "nobody is dialled");
        let mut starting = Starting::new(peers(), now);
        assert_eq!(starting.deadline(now), Some(now + WAIT));
        assert_eq!(starting.deadline(now + START - TELL), Some(now + START));
        assert_eq!(starting.deadline(now + START), None, "whoever is not there now is down");
        let asked = starting.deadline(now).unwrap();
        starting.peer_up("a", now + TELL);
        starting.peer_up("stranger", now + TELL);
        assert_eq!(starting.due(asked), asked, "the other one is not there");
        starting.peer_up("B", now + TELL);
        assert_eq!(starting.due(asked), now + 2 * TELL, "all of them are there");
        starting.peer_up("b", now + 2 * TELL);
        assert_eq!(
            starting.deadline(now + 2 * TELL),
            None,
            "its session is another one, or was lost"
        );
    }
}
