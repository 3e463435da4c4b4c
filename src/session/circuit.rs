use std::collections::HashSet;
use std::collections::VecDeque;
use std::fmt::Display;

use super::Intake;
use super::SessionConfig;
use super::Share;
use super::backpressure::Backpressure;
use super::bucket::Bucket;
use super::draining::Draining;
use super::limits::Paced;
use super::quiet::Quiet;
use crate::codec::Charge;
use crate::dist;
use crate::dist::Run;
use crate::dist::scan;
use crate::dist::scan_first;
use crate::order::Aliases;
use crate::order::Inbound;
use crate::order::InboundError;
use crate::order::Outbound;
use crate::wire;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::FrameId;
use crate::wire::STRANDS;
use crate::wire::StrandId;

/// What the two nodes agreed on in their handshake, as far as the receiving side needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The packet format of the legs of this circuit.
    pub format: crate::dist::Format,
    /// The incarnation of the local node. A signal for an earlier one may close its connection.
    pub creation: u32,
    /// The leg checks control terms itself. Messages, which carry no alias information and cannot harm the node, pass
    /// unchecked.
    pub is_reader: bool,
    /// The local end can suspend single processes of its node.
    pub suspends: bool,
}

/// The maximum number of fragmented signals that are withheld at once. It equals the number that a BEAM may have
/// incomplete, so a well-behaved peer never reaches it, and a peer that never completes its signals cannot exhaust
/// memory.
pub const DROPPED_MAX: usize = 65_536;

/// The memory that a frame needs besides its body, in bytes: its entry in a queue that may be half empty, and what the
/// allocator rounds up.
const FRAME: u64 = 160;

/// The account of a circuit may be wrong by this many bytes, since counting costs more than carrying a small frame.
const CHANGE: u64 = 4096;

/// A circuit that keeps this many bytes lags: from then on each small body gets memory of its own, so that it keeps no page with
/// bodies of others. As much may be underway to a node that reads.
const LAG: u64 = 256 * 1024;

/// What each circuit counts from its beginning: its own state, and what is not counted yet.
const CIRCUIT: u64 = 4096 + CHANGE;

/// One circuit, as seen by this daemon.
#[derive(Debug)]
pub(super) struct Circuit {
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    memory: Share,
    /// The memory of everything that arrived and was not written: all frames, and their fences; and of the circuit itself.
    charge: Charge,
    /// The part of it that frames have without their fences.
    frames: u64,
    /// The aliases of the remote node's processes.
    pub(super) aliases: Aliases,
    /// Signals from the BEAM that the credit does not allow yet. Bounded by the read-ahead of the leg.
    pub(super) waiting: VecDeque<Intake>,
    /// Set once both legs exchange packets. Nothing may be delivered before.
    pub(super) agreed: Option<Agreed>,
    /// The local leg has ended, for this reason. The peer is told once `waiting` is empty.
    pub(super) closed_here: Option<String>,
    /// The peer closed the circuit, for this reason.
    pub(super) closed_by_peer: Option<String>,
    /// What is left to do when a daemon leaves.
    pub(super) draining: Draining,
    /// Fragmented signals that are not delivered. At most [`DROPPED_MAX`].
    pub(super) dropped: HashSet<u64>,
    /// The number of frames that each lane has carried to the peer.
    pub(super) carried: Vec<u64>,
    /// The number of frames that have arrived, and of those with fences.
    pub(super) frames_received: u64,
    pub(super) frames_fenced: u64,
    /// The cost of what was handed to the leg and has not been written.
    pub(super) underway: u64,
    /// Whether the circuit is in the queue of those with something to deliver.
    pub(super) is_ready: bool,
    /// Whether the circuit is in the queue of those that wait for room in the lanes.
    pub(super) is_crowded: bool,
    /// Whether the next receipt includes this circuit.
    pub(super) owes: bool,
    /// Whether the two nodes are silent.
    pub(super) quiet: Quiet,
    /// Which processes have most on the way, if they can be suspended.
    pub(super) backpressure: Option<Box<Backpressure>>,
    /// How much the nodes may send, if that is limited.
    pub(super) paced: Option<Box<Paced>>,
}

impl Circuit {
    /// Creates a circuit whose remote side has granted `granted` bytes.
    pub(super) fn new(config: &SessionConfig, granted: u64) -> Self {
        let window = config
            .memory
            .window(config.circuit_budget.min(SessionConfig::HANDSHAKE_WINDOW));
        Self {
            // With one lane the whole connection is in order, so one strand is enough.
            outbound: Outbound::new(if config.lanes == 1 { 1 } else { STRANDS }, granted),
            inbound: Inbound::new(window),
            charge: config.memory.account().charge(CIRCUIT),
            frames: 0,
            memory: config.memory.clone(),
            aliases: Aliases::default(),
            waiting: VecDeque::new(),
            agreed: None,
            closed_here: None,
            closed_by_peer: None,
            draining: Draining::default(),
            dropped: HashSet::new(),
            carried: vec![0; usize::from(config.lanes)],
            frames_received: 0,
            frames_fenced: 0,
            underway: 0,
            is_ready: false,
            is_crowded: false,
            owes: false,
            quiet: Quiet::default(),
            backpressure: None,
            paced: None,
        }
    }

    /// Whether the limit lets the next signal pass.
    pub(super) fn has_tokens(&self) -> bool {
        let bucket = self.paced.as_ref().and_then(|paced| paced.sent.as_ref());
        // Nobody waits for what is left when the local node has ended.
        self.closed_here.is_some() || bucket.is_none_or(Bucket::has_tokens)
    }

    /// The next signal passes.
    pub(super) fn charge(&mut self, content: &Content) {
        self.outbound.charge(content.cost());
        if let Some(bucket) = self.paced.as_mut().and_then(|paced| paced.sent.as_mut()) {
            bucket.charge(content.body().len() as u64);
        }
    }

    /// Accepts a frame and accounts for it.
    pub(super) fn accept(
        &mut self,
        strand: StrandId,
        fences: Vec<FrameId>,
        mut content: Content,
    ) -> Result<(), InboundError> {
        let size = FRAME + content.body().len() as u64;
        self.frames_received += 1;
        self.frames_fenced += u64::from(!fences.is_empty());
        if self.frames >= LAG {
            wire::detach(content.body_mut());
        }
        self.inbound.accept(strand, fences, content)?;
        self.frames += size;
        self.settle();
        Ok(())
    }

    /// Bytes that were handed to the leg have been written.
    pub(super) fn written(&mut self, cost: u64) {
        let cost = cost.min(self.underway);
        let kept = self.inbound.kept();
        self.underway -= cost;
        self.inbound.written(cost);
        // Which frames these were is not known here: they have their share, and the last ones what is left.
        let share = match self.frames.checked_mul(cost) {
            Some(product) => product / kept.max(1),
            None => self.frames / kept.max(1) * cost,
        };
        self.frames -= if cost == kept {
            self.frames
        } else {
            share.min(self.frames)
        };
        self.settle();
    }

    /// Puts the circuit into the queue of those with something to deliver, unless it is there.
    pub(super) fn mark_ready(&mut self, id: CircuitId, ready: &mut VecDeque<CircuitId>) {
        if !self.is_ready {
            self.is_ready = true;
            ready.push_back(id);
        }
    }

    /// Updates the account, unless little has changed: calls come and go without it.
    pub(super) fn settle(&mut self) {
        let kept = self.frames + self.inbound.fence_bytes() + self.own();
        let counted = self.charge.bytes();
        if kept.abs_diff(counted) >= CHANGE || (self.frames == 0 && kept != counted) {
            self.charge.set(kept);
        }
    }

    /// The memory of the circuit itself: it grows with the strands that the two nodes have used, and with what is on the way.
    fn own(&self) -> u64 {
        let backpressure = self
            .backpressure
            .as_ref()
            .map_or(0, |backpressure| backpressure.bytes());
        CIRCUIT + self.inbound.table_bytes() + self.outbound.table_bytes() + backpressure
    }

    /// The memory that ends with the circuit, in bytes.
    pub(super) fn kept(&self) -> u64 {
        self.inbound.kept() + self.inbound.fence_bytes() + self.own()
    }

    /// Both legs exchange packets from now on: the peer may have as much in flight as a node that reads.
    pub(super) fn establish(&mut self, agreed: Agreed, config: &SessionConfig) {
        self.agreed = Some(agreed);
        self.backpressure = agreed.suspends.then(Box::default);
        let most = config.circuit_budget.min(SessionConfig::FIRST_WINDOW);
        self.inbound.widen(self.memory.window(most));
    }

    /// The credit and the delivered frames, for the remote side.
    pub(super) fn grant(&mut self, config: &SessionConfig) -> (u64, Vec<FrameId>) {
        self.inbound.grant(self.memory.window(config.circuit_budget))
    }
}

fn begins_message(content: &Content) -> bool {
    match content {
        Content::Signal(body) | Content::First { body, .. } => dist::begins_message(body),
        Content::Run(_) => true,
        Content::Next { .. } => false,
    }
}

/// Checks the control term of a signal that is about to be delivered: learns aliases, and withholds signals that would
/// make the BEAM close its connection. The peer is not trusted. Returns `Ok(false)` if the content must not be
/// delivered.
pub(super) fn admit(state: &mut Circuit, agreed: &Agreed, content: &Content) -> Result<bool, String> {
    if agreed.is_reader && begins_message(content) {
        return Ok(true);
    }
    let malformed = |error: &dyn Display| format!("the peer sent a malformed signal: {error}");
    let (control, message) = match content {
        // Messages carry no alias information and cannot harm the node.
        Content::Run(packets) => {
            let run = Run::new(packets, agreed.format).and_then(Run::check);
            return run.map(|()| true).map_err(|error| malformed(&error));
        }
        Content::Signal(body) => (scan(body, agreed.format), None),
        // A control term may fill the first fragment, with the whole payload after it.
        Content::First { body, message, .. } => (scan_first(body, agreed.format), Some(*message)),
        Content::Next { message, remaining, .. } => {
            let is_dropped = state.dropped.contains(message);
            if *remaining == 1 {
                state.dropped.remove(message);
            }
            return Ok(!is_dropped);
        }
    };
    let control = control.map_err(|error| malformed(&error))?;
    if let Some(lesson) = control.lesson
        && control.teaches_about_its_sender()
    {
        state.aliases.learn(lesson);
    }
    if control.harms_if_stale(agreed.creation) {
        if state.dropped.len() >= DROPPED_MAX {
            return Err(format!(
                "the peer began more than {DROPPED_MAX} fragmented signals for an earlier incarnation of the node"
            ));
        }
        state.dropped.extend(message);
        return Ok(false);
    }
    Ok(true)
}
