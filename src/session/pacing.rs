use std::time::Duration;
use std::time::Instant;

use super::Session;
use super::bucket::Bucket;
use super::limits::Limits;
use super::limits::RECEIVED;
use super::limits::SENT;
use crate::router::Rate;
use crate::wire::CircuitId;

/// How often a circuit that waits for tokens goes on: enough for even sending, and few timers.
const SEND_STEP: Duration = Duration::from_millis(5);

/// How often the peer gets credit for what a rate brings: each time is a receipt.
const GRANT_STEP: Duration = Duration::from_millis(10);

/// How much circuits may send and get.
impl Session {
    /// These limits hold for a circuit from now on. Credit that the peer has stays.
    pub fn limit(&mut self, circuit: CircuitId, limits: Limits) {
        self.outboxes.set_priority(circuit, limits.priority);
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        if state.paced.is_none() && limits.sent.is_none() && limits.received.is_none() {
            return;
        }
        let paced = state.paced.get_or_insert_default();
        change(&mut paced.sent, limits.sent);
        if paced.received.is_none() && limits.received.is_some() {
            paced.free = state.inbound.granted_ahead();
        }
        change(&mut paced.received, limits.received);
        let listed = std::mem::replace(&mut paced.is_listed, [true; 2]);
        for (direction, is_listed) in [SENT, RECEIVED].into_iter().zip(listed) {
            if !is_listed {
                self.pacing.add(circuit, direction);
            }
        }
        self.set_cap(circuit);
    }

    /// Gives circuits the tokens that are due by now. Those that leave wait no more.
    pub(super) fn pace(&mut self, now: Instant) {
        self.pacing.now = Some(now);
        let is_over = self.leaving.is_some();
        while let Some(&(due, circuit, direction)) = self.pacing.due.first()
            && (due <= now || is_over)
        {
            self.pacing.due.pop_first();
            self.pacing.fresh.push((circuit, direction));
        }
        while let Some((circuit, direction)) = self.pacing.fresh.pop() {
            if direction == SENT {
                self.pace_sent(circuit, now);
            } else {
                self.pace_received(circuit, now);
            }
        }
    }

    fn pace_sent(&mut self, circuit: CircuitId, now: Instant) {
        let is_over = self.leaving.is_some();
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        let Some(paced) = &mut state.paced else {
            return;
        };
        if let Some(bucket) = &mut paced.sent {
            bucket.refill(now);
            let step = bucket.step(SEND_STEP);
            let waits = !state.waiting.is_empty() && !is_over && state.closed_here.is_none();
            if waits && bucket.tokens() < step && !bucket.is_full() {
                paced.since.get_or_insert(now);
                self.pacing.due.insert((bucket.due(step, now), circuit, SENT));
                return;
            }
        }
        paced.is_listed[SENT] = false;
        if let Some(since) = paced.since.take() {
            paced.waited += now.saturating_duration_since(since);
        }
        self.send_waiting(circuit);
    }

    fn pace_received(&mut self, circuit: CircuitId, now: Instant) {
        let Some(paced) = self.circuits.get_mut(&circuit).and_then(|state| state.paced.as_mut()) else {
            return;
        };
        let next = paced.received.as_mut().and_then(|bucket| {
            bucket.refill(now);
            let wanted = bucket.tokens() + bucket.step(GRANT_STEP);
            (!bucket.is_full()).then(|| bucket.due(wanted, now))
        });
        paced.is_listed[RECEIVED] = next.is_some();
        self.pacing.due.extend(next.map(|due| (due, circuit, RECEIVED)));
        self.set_cap(circuit);
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        if state.inbound.owes_a_grant() {
            self.receipts.owe(circuit, state);
            self.receipts.hurry(now, true);
        }
    }

    /// Lets the peer have credit for the tokens that there are.
    fn set_cap(&mut self, circuit: CircuitId) {
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        let cap = state.paced.as_ref().and_then(|paced| {
            let bucket = paced.received.as_ref()?;
            let most = state.inbound.charged() + paced.free + bucket.tokens();
            Some((most, bucket.step(GRANT_STEP)))
        });
        state.inbound.cap(cap);
    }
}

/// Another rate, or none.
fn change(bucket: &mut Option<Bucket>, rate: Option<Rate>) {
    match (bucket.as_mut(), rate) {
        (Some(bucket), Some(rate)) => bucket.set_rate(rate),
        (_, rate) => *bucket = rate.map(Bucket::new),
    }
}
