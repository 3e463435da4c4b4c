use std::time::Duration;
use std::time::Instant;

use super::Session;
use super::draining::Closing;
use super::draining::Leaving;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Notice;

/// How long to wait for signals of nodes that do not become silent: long enough for what they sent earlier to arrive.
const LISTEN: Duration = Duration::from_secs(2);

/// The interval between checks.
const LOOK: Duration = Duration::from_millis(10);

/// The bytes of notices that may be on their way when another circuit is closed: that of a circuit whose every strand has something
/// undelivered takes 40 KB.
const CLOSES: usize = 1 << 20;

/// Graceful shutdown: everything that the nodes on either side have sent is delivered before they lose their
/// connections.
///
/// All circuits close together, including those of other sessions. If the connections of a node closed one after
/// another, it would report the lost ones to the nodes it still sees. With OTP's `prevent_overlapping_partitions`,
/// nodes that have nothing to do with this daemon would then disconnect from each other.
impl Session {
    /// This daemon leaves: tells the peer, and rejects new circuits. Once [`Session::may_close_circuits`] is true for all its
    /// sessions, [`Session::close_circuits`] closes the circuits. The session is finished when [`Session::is_drained`] is true.
    pub fn leave(&mut self, reason: &str, now: Instant) {
        self.notify(Notice::Leaving {
            reason: reason.to_owned(),
        });
        self.start_leaving(reason.to_owned(), now);
        if let Some(leaving) = &mut self.leaving {
            leaving.closing = Closing::Waits;
        }
    }

    /// Whether this daemon leaves and [`Session::close_circuits`] was not called yet, and all nodes have been silent long enough
    /// or the time limit has passed.
    pub fn may_close_circuits(&self) -> bool {
        let waits = |leaving: &Leaving| leaving.closing == Closing::Waits;
        let mut circuits = self.circuits.values();
        self.leaving.as_ref().is_some_and(waits) && circuits.all(|state| state.draining.is_quiet)
    }

    /// Closes the local half of every circuit, once everything accepted from its node has been sent.
    pub fn close_circuits(&mut self, now: Instant) {
        if let Some(leaving) = &mut self.leaving {
            leaving.closing = Closing::Ends;
            leaving.next = now;
            self.drain(now);
        }
    }

    /// Whether all circuits are closed and the peer has received everything.
    pub fn is_drained(&self) -> bool {
        self.leaving.is_some() && self.circuits.is_empty() && self.is_acknowledged()
    }

    pub(super) fn start_leaving(&mut self, reason: String, now: Instant) {
        if self.leaving.is_some() {
            return;
        }
        // As long as the nodes are in their handshake there is nothing to lose.
        let in_handshake = |session: &Self, circuit: &CircuitId| {
            let state = session.circuits.get(circuit);
            state.is_some_and(|state| state.agreed.is_none())
        };
        for circuit in self.circuits() {
            if in_handshake(self, &circuit) {
                self.close_now(circuit, reason.clone(), true);
            }
        }
        self.leaving = Some(Leaving {
            since: now,
            next: now,
            reason,
            closing: Closing::Follows,
        });
    }

    /// Checks for silent nodes, and closes the local half of each circuit that may be closed.
    pub(super) fn drain(&mut self, now: Instant) {
        let Some(leaving) = self.leaving.as_mut().filter(|leaving| leaving.next <= now) else {
            return;
        };
        leaving.next = now + LOOK;
        let is_long = now >= leaving.since + LISTEN;
        let mut out = Vec::new();
        for (circuit, state) in &mut self.circuits {
            state.draining.listen(now, is_long);
            state.draining.is_draining |= match leaving.closing {
                Closing::Follows => state.draining.is_quiet && (state.closed_by_peer.is_some() || is_long),
                Closing::Waits => false,
                Closing::Ends => true,
            };
            if state.draining.is_draining && state.waiting.is_empty() && !state.draining.is_half_closed {
                out.push(*circuit);
            }
        }
        let reason = leaving.reason.clone();
        for circuit in out {
            // The others follow at the next check.
            if self.notices.waiting() >= CLOSES {
                return;
            }
            self.close_half(circuit, reason.clone());
        }
    }

    fn close_half(&mut self, circuit: CircuitId, reason: String) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.draining.is_half_closed = true;
            let last = state.outbound.undelivered();
            self.notify(Notice::Close(Close { circuit, last, reason }));
            self.close_if_delivered(circuit);
        }
    }

    pub(super) fn poll_leaving(&self) -> Option<Instant> {
        let leaving = self.leaving.as_ref()?;
        let is_busy = self.circuits.values().any(|state| !state.draining.is_half_closed);
        is_busy.then_some(leaving.next)
    }

    /// Why new circuits are rejected, if they are.
    pub(super) fn refusal(&self) -> Option<String> {
        self.leaving.as_ref().map(|leaving| leaving.reason.clone())
    }
}
