use std::time::Duration;
use std::time::Instant;

use super::Session;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Notice;

/// A node that was silent for so long has said what it had to say.
const QUIET: Duration = Duration::from_millis(50);

/// One that goes on is listened to for so long: time for what it had sent before to come in.
const LISTEN: Duration = Duration::from_secs(2);

/// How often that is looked after.
const LOOK: Duration = Duration::from_millis(10);

/// One of the two daemons leaves.
#[derive(Debug)]
pub(super) struct Leaving {
    since: Instant,
    next: Instant,
    reason: String,
}

/// What a circuit has left to do when a daemon leaves.
#[derive(Debug, Default)]
pub(super) struct Draining {
    /// Whether the node has sent anything since the last look.
    pub(super) has_spoken: bool,
    /// When that was.
    heard: Option<Instant>,
    /// Whether nothing more is taken from the node.
    pub(super) is_deaf: bool,
    /// Whether the peer was told where our signals end; its own may still come.
    pub(super) is_out: bool,
}

/// A daemon that leaves in order: what either side's nodes have sent is delivered first, then they see the other one go.
impl Session {
    /// This daemon leaves: the peer is told, no circuit begins any more, and each ends when its signals have crossed, both
    /// ways. Then [`Session::is_drained`].
    pub fn leave(&mut self, reason: &str, now: Instant) {
        self.notify(Notice::Leaving {
            reason: reason.to_owned(),
        });
        self.begin_to_leave(reason.to_owned(), now);
    }

    /// Whether all circuits have ended and the peer has all that was sent.
    pub fn is_drained(&self) -> bool {
        self.leaving.is_some() && self.circuits.is_empty() && self.is_acknowledged()
    }

    pub(super) fn begin_to_leave(&mut self, reason: String, now: Instant) {
        if self.leaving.is_some() {
            return;
        }
        // Where the nodes are still shaking hands there is nothing to lose.
        let unborn = |session: &Self, circuit: &CircuitId| {
            let state = session.circuits.get(circuit);
            state.is_some_and(|state| state.terms.is_none())
        };
        for circuit in self.circuits() {
            if unborn(self, &circuit) {
                self.end(circuit, reason.clone(), true);
            }
        }
        self.leaving = Some(Leaving {
            since: now,
            next: now,
            reason,
        });
    }

    /// Ends our half of each circuit whose node has said what it had to say.
    pub(super) fn let_go(&mut self, now: Instant) {
        let Some(leaving) = self.leaving.as_mut().filter(|leaving| leaving.next <= now) else {
            return;
        };
        leaving.next = now + LOOK;
        let (since, reason) = (leaving.since, leaving.reason.clone());
        for circuit in self.circuits() {
            let Some(state) = self.circuits.get_mut(&circuit).filter(|state| !state.draining.is_out) else {
                continue;
            };
            let draining = &mut state.draining;
            if std::mem::take(&mut draining.has_spoken) || draining.heard.is_none() {
                draining.heard = Some(now);
            }
            let is_quiet = draining.heard.is_some_and(|heard| now >= heard + QUIET);
            draining.is_deaf |= is_quiet || now >= since + LISTEN;
            if draining.is_deaf && state.waiting.is_empty() {
                draining.is_out = true;
                let last = state.outbound.last();
                let reason = reason.clone();
                self.notify(Notice::Close(Close { circuit, last, reason }));
                self.finish_if_done(circuit);
            }
        }
    }

    pub(super) fn poll_leaving(&self) -> Option<Instant> {
        let leaving = self.leaving.as_ref()?;
        let is_busy = self.circuits.values().any(|state| !state.draining.is_out);
        is_busy.then_some(leaving.next)
    }

    /// Why no circuit may begin.
    pub(super) fn refusal(&self) -> Option<String> {
        self.leaving.as_ref().map(|leaving| leaving.reason.clone())
    }
}
