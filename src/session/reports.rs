use std::time::Instant;

use super::Session;
use super::machine::Lanes;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Notice;
use crate::wire::Progress;
use crate::wire::Receipt;

/// The maximum number of strands in one receipt, which keeps it well below the limit of a notice: 8192 strands and
/// those of one circuit, 16 bytes each.
const RECEIPT_STRANDS: usize = 8192;

/// What the peer is told of what has arrived, and told again on another trunk.
impl Session {
    /// Another trunk carries the session. Tells the peer everything that arrived here, and what was delivered as far as it may
    /// not know it: a session with 500 old circuits has two million strands. Once the peer has done the same, both sides
    /// retransmit what is missing. Input from the former trunk must be ignored from now on.
    pub fn resume(&mut self, now: Instant) {
        self.lanes = Lanes::Waiting;
        self.outboxes.cut();
        self.notices.cut();
        let unread = self.unread.take();
        for (&circuit, state) in &mut self.circuits {
            if unread.is_none() {
                state.inbound.restate();
            }
            self.receipts.owe(circuit, state);
        }
        for (circuit, strand) in unread.unwrap_or_default() {
            if let Some(state) = self.circuits.get_mut(&circuit) {
                state.inbound.restate_strand(strand);
            }
        }
        self.receipts.hurry(now, true);
        self.receipts.restate();
        self.progress = None;
    }

    /// The peer has reported what it received: the rest is retransmitted.
    pub(super) fn replay(&mut self) {
        self.lanes = Lanes::Ready;
        self.notices.replay();
    }

    /// Writes what is due into receipts of a limited size, and now and then a checkpoint after them.
    pub(super) fn write_receipts(&mut self, owing: Vec<CircuitId>) {
        let mut owing = owing.into_iter().peekable();
        loop {
            let mut circuits = Vec::new();
            let mut strands = 0;
            while strands < RECEIPT_STRANDS
                && let Some(circuit) = owing.next()
            {
                let progress = self.progress(circuit);
                strands += progress.as_ref().map_or(0, |progress| 1 + progress.delivered.len());
                circuits.extend(progress);
            }
            let receipt = Receipt {
                received: self.receipts.marks(),
                notices: self.notices.received,
                circuits,
            };
            self.notify(Notice::Receipt(receipt));
            if owing.peek().is_none() {
                break;
            }
        }
        if self.unread.wants_checkpoint() {
            self.notify(Notice::Close(Close {
                circuit: CircuitId::NONE,
                last: Vec::new(),
                reason: String::new(),
            }));
            self.unread.sent_checkpoint(self.notices.sent);
        }
    }

    fn progress(&mut self, circuit: CircuitId) -> Option<Progress> {
        let state = self.circuits.get_mut(&circuit)?;
        state.owes = false;
        let (credit, delivered) = state.grant(&self.config);
        let progress = Progress {
            circuit,
            delivered,
            credit,
        };
        self.unread.tell(&progress);
        Some(progress)
    }
}
