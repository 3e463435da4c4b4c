use super::Event;
use super::Session;
use super::limits::SENT;
use crate::dist::Lesson;
use crate::wire::CircuitId;
use crate::wire::FrameId;

/// Signals of local nodes on their way to the lanes.
impl Session {
    /// Moves on signals for which the lanes have room now. Circuits without room are not looked at: there may be thousands, and
    /// each batch gives room to few of them.
    pub(super) fn relieve(&mut self) {
        while let Some(circuit) = self.outboxes.poll_relieved() {
            self.send_crowded(circuit);
        }
        while self.outboxes.has_room_for_all()
            && let Some(circuit) = self.crowded.pop_front()
        {
            if let Some(state) = self.circuits.get_mut(&circuit) {
                state.is_crowded = false;
            }
            self.send_crowded(circuit);
        }
    }

    fn send_crowded(&mut self, circuit: CircuitId) {
        #[cfg(test)]
        {
            self.looks += 1;
        }
        self.send_waiting(circuit);
    }

    /// Moves signals of a leg to the lanes as far as the credit and the backlog allow. If the leg has ended and nothing
    /// is left, closes the circuit.
    pub(super) fn send_waiting(&mut self, circuit: CircuitId) {
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        let is_leaving = self.leaving.is_some();
        let mut taken = 0;
        while state.outbound.has_credit()
            && (is_leaving || state.has_tokens())
            && self.outboxes.has_room(circuit)
            && let Some(intake) = state.waiting.pop_front()
        {
            let cost = intake.content.cost();
            taken += cost;
            state.charge(&intake.content);
            if let Some(lesson @ Lesson::Forget(_)) = intake.lesson {
                state.aliases.learn(lesson);
            }
            let placed = intake
                .part()
                .and_then(|part| state.outbound.place(&part, &mut state.aliases));
            let Some(placed) = placed else {
                continue;
            };
            self.stats.frames_fenced += u64::from(!placed.fences.is_empty());
            #[cfg(test)]
            let placed = super::tests::with_bug(self.config.bug, self.stats.frames_fenced, placed);
            #[cfg(test)]
            if self.config.bug == Some(super::Bug::ChangeLanes) {
                self.outboxes.change_lanes();
            }
            if let Some(backpressure) = &mut state.backpressure {
                let (strand, number) = (placed.strand, placed.number);
                backpressure.sent(FrameId { strand, number }, placed.sender, cost);
            }
            let lane = self.outboxes.push(&placed, circuit, &intake.content);
            if let Some(count) = state.carried.get_mut(usize::from(lane)) {
                *count += 1;
            }
        }
        state.settle();
        if !state.waiting.is_empty() {
            if !is_leaving && !state.has_tokens() {
                if let Some(paced) = &mut state.paced
                    && paced.wait()
                {
                    self.pacing.add(circuit, SENT);
                }
            } else if state.outbound.has_credit() && !state.is_crowded {
                state.is_crowded = true;
                self.crowded.push_back(circuit);
            }
        }
        let ending = if state.waiting.is_empty() {
            state.closed_here.take()
        } else {
            None
        };
        let credit = state.outbound.credit();
        if let Some(senders) = state
            .backpressure
            .as_mut()
            .and_then(|backpressure| backpressure.poll(credit))
        {
            self.events.push_back(Event::Suspend { circuit, senders });
        }
        if taken > 0 {
            self.events.push_back(Event::Taken { circuit, cost: taken });
        }
        if let Some(reason) = ending {
            self.close_and_remove(circuit, reason);
        }
    }
}
