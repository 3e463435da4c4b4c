use std::collections::HashSet;
use std::collections::VecDeque;
use std::fmt::Display;

use super::Intake;
use super::Memory;
use super::SessionConfig;
use super::draining::Draining;
use crate::dist;
use crate::dist::Run;
use crate::dist::scan;
use crate::dist::scan_first;
use crate::order::Aliases;
use crate::order::Inbound;
use crate::order::InboundError;
use crate::order::Outbound;
use crate::wire::Content;
use crate::wire::FrameId;
use crate::wire::STRANDS;
use crate::wire::StrandId;

/// What the two nodes agreed on, as far as the receiving side needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// How packets look on the legs of this circuit.
    pub format: crate::dist::Format,
    /// The incarnation of the local node: a signal for an earlier one may end its connection (protocol reference §8).
    pub creation: u32,
    /// The leg reads control agreed itself, and ends over what is none: messages, which teach and harm nothing, pass unread.
    pub is_reader: bool,
}

/// Signals in fragments that may be withheld at once: as many as a BEAM may have underway, so that an honest peer never
/// gets there, and one that never ends its fragments cannot fill the memory.
pub(super) const DROPPED_MAX: usize = 65_536;

/// One circuit, seen from this daemon.
#[derive(Debug)]
pub(super) struct Circuit {
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    memory: Memory,
    /// Aliases of the far node's processes.
    pub(super) aliases: Aliases,
    /// What the BEAM sent and the credit does not allow yet; bounded by what the leg may read ahead.
    pub(super) waiting: VecDeque<Intake>,
    /// Set once both legs speak packets: before, nothing may be delivered.
    pub(super) agreed: Option<Agreed>,
    /// The local leg has ended; once all of `waiting` has left, the peer is told why.
    pub(super) ending: Option<String>,
    /// The peer closed, and why.
    pub(super) closed: Option<String>,
    /// What is left to do when a daemon leaves.
    pub(super) draining: Draining,
    /// Signals in fragments of which nothing is delivered; at most [`DROPPED_MAX`].
    pub(super) dropped: HashSet<u64>,
    /// Frames that each lane has carried towards the peer.
    pub(super) carried: Vec<u64>,
    /// Cost of what was handed to the leg and not written yet.
    pub(super) underway: u64,
    /// Whether the circuit stands in the queue of those with something to deliver.
    pub(super) is_ready: bool,
    /// Whether the next receipt tells of this circuit.
    pub(super) owes: bool,
}

impl Circuit {
    /// A circuit whose far side granted `granted` bytes so far.
    pub(super) fn new(config: &SessionConfig, granted: u64) -> Self {
        let window = config
            .memory
            .window(config.circuit_budget.min(SessionConfig::FIRST_WINDOW));
        Self {
            // One lane promises the order of the whole connection, so there is nothing to take turns.
            outbound: Outbound::new(if config.lanes == 1 { 1 } else { STRANDS }, granted),
            inbound: Inbound::new(window),
            memory: config.memory.clone(),
            aliases: Aliases::default(),
            waiting: VecDeque::new(),
            agreed: None,
            ending: None,
            closed: None,
            draining: Draining::default(),
            dropped: HashSet::new(),
            carried: vec![0; usize::from(config.lanes)],
            underway: 0,
            is_ready: false,
            owes: false,
        }
    }

    /// Takes in a frame and accounts for it.
    pub(super) fn accept(
        &mut self,
        strand: StrandId,
        fences: Vec<FrameId>,
        content: Content,
    ) -> Result<(), InboundError> {
        let cost = content.cost();
        self.inbound.accept(strand, fences, content)?;
        self.memory.keep(cost);
        Ok(())
    }

    /// So much of what was handed to the leg is written.
    pub(super) fn written(&mut self, cost: u64) {
        let cost = cost.min(self.underway);
        self.underway -= cost;
        self.inbound.written(cost);
        self.memory.free(cost);
    }

    /// The credit and what was delivered, for the far side.
    pub(super) fn grant(&mut self, config: &SessionConfig) -> (u64, Vec<FrameId>) {
        self.inbound.grant(self.memory.window(config.circuit_budget))
    }
}

impl Drop for Circuit {
    fn drop(&mut self) {
        self.memory.free(self.inbound.kept());
    }
}

fn begins_message(content: &Content) -> bool {
    match content {
        Content::Signal(body) | Content::First { body, .. } => dist::begins_message(body),
        Content::Run(_) => true,
        Content::Next { .. } => false,
    }
}

/// Reads the control term of what is about to be delivered: learns aliases, and keeps from the BEAM what would end its
/// connection. The peer is not trusted blindly. `Ok(false)`: deliver nothing of this.
pub(super) fn admit(state: &mut Circuit, agreed: &Agreed, content: &Content) -> Result<bool, String> {
    if agreed.is_reader && begins_message(content) {
        return Ok(true);
    }
    let none = |error: &dyn Display| format!("the peer sent a signal that is none: {error}");
    let (control, message) = match content {
        // Messages teach nothing and harm nobody.
        Content::Run(packets) => {
            let run = Run::new(packets, agreed.format).and_then(Run::check);
            return run.map(|()| true).map_err(|error| none(&error));
        }
        Content::Signal(body) => (scan(body, agreed.format), None),
        // A control term may fill the first fragment, with all of the payload behind it.
        Content::First { body, message, .. } => (scan_first(body, agreed.format), Some(*message)),
        Content::Next { message, remaining, .. } => {
            let is_dropped = state.dropped.contains(message);
            if *remaining == 1 {
                state.dropped.remove(message);
            }
            return Ok(!is_dropped);
        }
    };
    let control = control.map_err(|error| none(&error))?;
    if let Some(lesson) = control.lesson
        && control.teaches_about_its_sender()
    {
        state.aliases.learn(lesson);
    }
    if control.harms_if_stale(agreed.creation) {
        if state.dropped.len() >= DROPPED_MAX {
            return Err(format!(
                "the peer began more than {DROPPED_MAX} fragmented signals for an earlier life of the node"
            ));
        }
        state.dropped.extend(message);
        return Ok(false);
    }
    Ok(true)
}
