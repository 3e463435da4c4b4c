use super::Event;
use super::Session;
use super::SessionError;
use crate::wire::CircuitId;
use crate::wire::Notice;
use crate::wire::VERSION_OF_SILENCE;

/// Silence is told across: a node that says nothing more, not even that it lives, is not vouched for at the other end, so that
/// the tick time of the node there applies.
impl Session {
    /// The local node of an established circuit has fallen silent, or speaks again.
    pub fn silence(&mut self, circuit: CircuitId, is_silent: bool) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.quiet.is_here = is_silent;
            self.tell_silence(circuit);
        }
    }

    /// Tells the peer, if it does not know and has received what it was told before.
    fn tell_silence(&mut self, circuit: CircuitId) {
        if self.config.version < VERSION_OF_SILENCE {
            return;
        }
        let lives = |state: &&mut super::circuit::Circuit| {
            state.agreed.is_some() && state.closed_by_peer.is_none() && !state.draining.is_half_closed
        };
        let state = self.circuits.get_mut(&circuit).filter(lives);
        if let Some(is_silent) = state.and_then(|state| state.quiet.poll_news()) {
            self.notify(Notice::Silence { circuit, is_silent });
            self.telling.push_back((self.notices.sent, circuit));
        }
    }

    /// The peer has received more notices.
    pub(super) fn silence_received(&mut self) {
        while let Some(&(number, circuit)) = self.telling.front()
            && number <= self.notices.acknowledged_count()
        {
            self.telling.pop_front();
            if let Some(state) = self.circuits.get_mut(&circuit) {
                state.quiet.received();
                self.tell_silence(circuit);
            }
        }
    }

    /// The peer says whether the far node of a circuit is silent. Circuits that are over are ignored.
    pub(super) fn handle_silence(&mut self, circuit: CircuitId, is_silent: bool) -> Result<(), SessionError> {
        if self.config.version < VERSION_OF_SILENCE {
            return Err(SessionError::OutOfState("silence"));
        }
        if let Some(state) = self.circuits.get_mut(&circuit)
            && state.quiet.is_there != is_silent
        {
            state.quiet.is_there = is_silent;
            if state.agreed.is_some() {
                self.events.push_back(Event::Silence { circuit, is_silent });
            }
        }
        Ok(())
    }
}
