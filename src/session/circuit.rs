use std::collections::HashSet;
use std::collections::VecDeque;

use bytes::Bytes;

use super::Memory;
use super::SessionConfig;
use super::leaving::Draining;
use crate::dist;
use crate::dist::Control;
use crate::dist::Destination;
use crate::dist::Lesson;
use crate::dist::scan;
use crate::dist::scan_first;
use crate::lanes::Address;
use crate::lanes::Aliases;
use crate::lanes::Head;
use crate::lanes::Inbound;
use crate::lanes::InboundError;
use crate::lanes::Outbound;
use crate::lanes::Part;
use crate::wire::Content;
use crate::wire::FrameId;
use crate::wire::STRANDS;
use crate::wire::StrandId;

/// A signal, a part of one, or several that follow one another, as a local BEAM or a native node sent it.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Where it goes: for whole signals and for the first part of one.
    pub head: Option<Head>,
    /// What it teaches about the aliases of the *far* node: a DOWN ends the alias of its monitor.
    pub lesson: Option<Lesson>,
    /// What it carries.
    pub content: Content,
    /// Where it carries several whole signals with this head, one after another: their lengths.
    pub lengths: Vec<usize>,
}

impl Intake {
    /// A whole signal, or the first part of one, whose control term says where it goes.
    pub fn opening(control: &Control<'_>, content: Content) -> Self {
        let address = match &control.destination {
            Destination::Process(pid) => Address::Process(*pid),
            Destination::Alias(alias) => Address::Alias(*alias),
            Destination::Name(name) => Address::name(name),
            Destination::Node => Address::Node,
        };
        Self {
            head: Some(Head {
                sender: control.sender,
                address,
            }),
            lesson: control.lesson.filter(|_| !control.teaches_about_its_sender()),
            content,
            lengths: Vec::new(),
        }
    }

    /// A message, or the first part of one, of which it is known where it goes.
    pub const fn message(head: Head, content: Content) -> Self {
        Self {
            head: Some(head),
            lesson: None,
            content,
            lengths: Vec::new(),
        }
    }

    /// Messages that go the same way, one after another in `bytes`: cheaper than as many of their own.
    pub fn run(head: Head, bytes: Bytes, lengths: &[usize]) -> Self {
        Self {
            lengths: lengths.to_vec(),
            ..Self::message(head, Content::Signal(bytes))
        }
    }

    /// A later part of a signal.
    pub const fn following(content: Content) -> Self {
        Self {
            head: None,
            lesson: None,
            content,
            lengths: Vec::new(),
        }
    }

    /// What it costs of the circuit's credit, in bytes.
    pub fn cost(&self) -> u64 {
        self.content.cost() + Content::KEEPING * self.lengths.len().saturating_sub(1) as u64
    }

    /// How the lanes see it.
    pub(super) fn part(&self) -> Option<Part<'_>> {
        Some(match (&self.content, &self.head) {
            (Content::Signal(_), Some(head)) => match self.lengths.len() {
                0 => Part::Whole(head),
                count => Part::Run {
                    head,
                    count: count as u64,
                },
            },
            (Content::First { message, .. }, Some(head)) => Part::First {
                head,
                message: *message,
            },
            (Content::Next { message, remaining, .. }, _) => Part::Next {
                message: *message,
                last: *remaining == 1,
            },
            (Content::Signal(_) | Content::First { .. }, None) => return None,
        })
    }
}

/// What the two nodes agreed on, as far as the receiving side needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How packets look on the legs of this circuit.
    pub format: crate::dist::Format,
    /// The incarnation of the local node: a signal for an earlier one may end its connection (protocol reference §8).
    pub creation: u32,
    /// The leg reads control terms itself, and ends over what is none: messages, which teach and harm nothing, pass unread.
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
    pub(super) terms: Option<Terms>,
    /// The local leg has ended; once all of `waiting` has left, the peer is told why.
    pub(super) ending: Option<String>,
    /// The peer closed, and why.
    pub(super) closed: Option<String>,
    /// What is left to do when a daemon leaves.
    pub(super) draining: Draining,
    /// Signals in fragments of which nothing is delivered; at most [`DROPPED_MAX`].
    pub(super) dropped: HashSet<u64>,
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
            terms: None,
            ending: None,
            closed: None,
            draining: Draining::default(),
            dropped: HashSet::new(),
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
        Content::Next { .. } => false,
    }
}

/// Reads the control term of what is about to be delivered: learns aliases, and keeps from the BEAM what would end its
/// connection. The peer is not trusted blindly. `Ok(false)`: deliver nothing of this.
pub(super) fn admit(state: &mut Circuit, terms: &Terms, content: &Content) -> Result<bool, String> {
    if terms.is_reader && begins_message(content) {
        return Ok(true);
    }
    let (control, message) = match content {
        Content::Signal(body) => (scan(body, terms.format), None),
        // A control term may fill the first fragment, with all of the payload behind it.
        Content::First { body, message, .. } => (scan_first(body, terms.format), Some(*message)),
        Content::Next { message, remaining, .. } => {
            let is_dropped = state.dropped.contains(message);
            if *remaining == 1 {
                state.dropped.remove(message);
            }
            return Ok(!is_dropped);
        }
    };
    let control = control.map_err(|error| format!("the peer sent a signal that is none: {error}"))?;
    if let Some(lesson) = control.lesson
        && control.teaches_about_its_sender()
    {
        state.aliases.learn(lesson);
    }
    if control.harms_if_stale(terms.creation) {
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
