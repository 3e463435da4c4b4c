use std::time::Duration;
use std::time::Instant;

use super::Session;
use super::draining::Leaving;
use super::draining::Part;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Notice;

/// Those that go on are listened to for so long: time for what they had sent before to come in.
const LISTEN: Duration = Duration::from_secs(2);

/// How often that is looked after.
const LOOK: Duration = Duration::from_millis(10);

/// A daemon that leaves in order: what either side's nodes have sent is delivered first, then they see the other one go.
///
/// Its circuits end together, those of other sessions included. A node whose connections ended one after the other would tell
/// those that it still has of the ones that it has lost, and with OTP's `prevent_overlapping_partitions` they would take
/// each other out of the cluster, which have nothing to do with the daemon that leaves.
impl Session {
    /// This daemon leaves: the peer is told, and no circuit begins any more. Once all its sessions say
    /// [`Session::is_heard_out`], [`Session::part`] ends the circuits; then [`Session::is_drained`].
    pub fn leave(&mut self, reason: &str, now: Instant) {
        self.notify(Notice::Leaving {
            reason: reason.to_owned(),
        });
        self.begin_to_leave(reason.to_owned(), now);
        if let Some(leaving) = &mut self.leaving {
            leaving.part = Part::Waits;
        }
    }

    /// Whether this daemon leaves and has not parted yet, though all nodes have said what they had to say, or were listened
    /// to for long enough.
    pub fn is_heard_out(&self) -> bool {
        let waits = |leaving: &Leaving| leaving.part == Part::Waits;
        let mut circuits = self.circuits.values();
        self.leaving.as_ref().is_some_and(waits) && circuits.all(|state| state.draining.is_heard_out)
    }

    /// Ends our half of every circuit, once what was taken from its node has left.
    pub fn part(&mut self, now: Instant) {
        if let Some(leaving) = &mut self.leaving {
            leaving.part = Part::Ends;
            leaving.next = now;
            self.let_go(now);
        }
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
            state.is_some_and(|state| state.agreed.is_none())
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
            part: Part::Follows,
        });
    }

    /// Listens to the nodes, and ends our half of each circuit that may end.
    pub(super) fn let_go(&mut self, now: Instant) {
        let Some(leaving) = self.leaving.as_mut().filter(|leaving| leaving.next <= now) else {
            return;
        };
        leaving.next = now + LOOK;
        let is_long = now >= leaving.since + LISTEN;
        let mut out = Vec::new();
        for (circuit, state) in &mut self.circuits {
            state.draining.listen(now, is_long);
            state.draining.is_deaf |= match leaving.part {
                Part::Follows => state.draining.is_heard_out && (state.closed.is_some() || is_long),
                Part::Waits => false,
                Part::Ends => true,
            };
            if state.draining.is_deaf && state.waiting.is_empty() && !state.draining.is_out {
                out.push(*circuit);
            }
        }
        let reason = leaving.reason.clone();
        for circuit in out {
            self.say_where_we_end(circuit, reason.clone());
        }
    }

    fn say_where_we_end(&mut self, circuit: CircuitId, reason: String) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.draining.is_out = true;
            let last = state.outbound.last();
            self.notify(Notice::Close(Close { circuit, last, reason }));
            self.finish_if_done(circuit);
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
