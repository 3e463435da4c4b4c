use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use bytes::BytesMut;
use rustc_hash::FxHashMap;

use super::Event;
use super::Intake;
use super::SessionConfig;
use super::SessionError;
use super::SessionStats;
use super::Terms;
use super::circuit::Circuit;
use super::circuit::admit;
use super::lane::Outbox;
use crate::dist::Lesson;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Content;
use crate::wire::Frame;
use crate::wire::LaneId;
use crate::wire::Mark;
use crate::wire::Notice;
use crate::wire::Open;
use crate::wire::Progress;
use crate::wire::Receipt;

/// Circuits told of in one receipt, so that it stays below the limit of a notice: 256 × 64 lanes × 13 bytes.
const RECEIPT_CIRCUITS: usize = 256;

/// The relation of two daemons.
///
/// After each `handle_*` or command drain [`Session::poll_event`], [`Session::poll_ready`], [`Session::poll_control`],
/// [`Session::poll_lane`] and ask [`Session::poll_timeout`] anew.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    outboxes: Vec<Outbox>,
    received: Vec<u64>,
    circuits: FxHashMap<CircuitId, Circuit>,
    control: BytesMut,
    notices_sent: u64,
    notices_received: u64,
    opened_last: u64,
    opened_by_peer_last: u64,
    granted: u64,
    events: VecDeque<Event>,
    ready: VecDeque<CircuitId>,
    owing: Vec<CircuitId>,
    receipt_due: Option<Instant>,
    /// Circuits that the peer closed, in the order of their deadlines; some may be over already.
    closing: VecDeque<(Instant, CircuitId)>,
    stats: SessionStats,
}

impl Session {
    /// A session that has just been agreed on.
    pub fn new(config: SessionConfig) -> Self {
        let lanes = usize::from(config.lanes);
        Self {
            outboxes: (0..lanes).map(|_| Outbox::default()).collect(),
            received: vec![0; lanes],
            circuits: FxHashMap::default(),
            control: BytesMut::new(),
            notices_sent: 0,
            notices_received: 0,
            opened_last: 0,
            opened_by_peer_last: 0,
            granted: 0,
            events: VecDeque::new(),
            ready: VecDeque::new(),
            owing: Vec::new(),
            receipt_due: None,
            closing: VecDeque::new(),
            stats: SessionStats::default(),
            config,
        }
    }

    /// Lanes in each direction.
    pub const fn lanes(&self) -> u8 {
        self.config.lanes
    }

    /// Counters.
    pub fn stats(&self) -> SessionStats {
        SessionStats {
            frames_sent: self.outboxes.iter().map(|outbox| outbox.number).collect(),
            frames_received: self.received.clone(),
            ..self.stats.clone()
        }
    }

    /// The circuits there are.
    pub fn circuits(&self) -> Vec<CircuitId> {
        self.circuits.keys().copied().collect()
    }

    // Commands of the gateway.

    /// A local BEAM wants to connect to `target`; `send_name` is its first handshake message.
    pub fn open(&mut self, target: String, send_name: Bytes) -> CircuitId {
        self.opened_last += 1;
        let circuit = CircuitId(self.opened_last * 2 - u64::from(self.config.is_lower));
        let budget = self.budget();
        self.circuits
            .insert(circuit, Circuit::new(self.config.lanes, 0, budget));
        self.notify(Notice::Open(Open {
            circuit,
            target,
            send_name,
            credit: budget,
        }));
        circuit
    }

    /// The next handshake message of the local leg, for the far one.
    pub fn handshake(&mut self, circuit: CircuitId, message: Bytes) {
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        let (credit, _) = state.inbound.grant();
        self.notify(Notice::Handshake {
            circuit,
            message,
            credit,
        });
    }

    /// Both legs speak packets now: delivery begins.
    pub fn established(&mut self, circuit: CircuitId, terms: Terms) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.terms = Some(terms);
            self.mark_ready(circuit);
        }
    }

    /// Signals of the local BEAM, in their order. What the credit does not allow yet waits here.
    pub fn signals(&mut self, circuit: CircuitId, signals: impl IntoIterator<Item = Intake>) {
        // After the peer closed it takes nothing more.
        if let Some(state) = self.circuits.get_mut(&circuit).filter(|state| state.closed.is_none()) {
            state.waiting.extend(signals);
            self.take_in(circuit);
        }
    }

    /// Bytes, as [`Content::cost`] counts them, were written to the local BEAM.
    pub fn written(&mut self, circuit: CircuitId, cost: u64, now: Instant) {
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        let cost = cost.min(state.underway);
        state.underway -= cost;
        state.inbound.written(cost);
        let soon = state.inbound.owes_a_grant();
        self.owe(circuit, now, soon);
        self.mark_ready(circuit);
    }

    /// The local leg has ended, or must: what it sent before still leaves, what was to come to it is dropped.
    pub fn close(&mut self, circuit: CircuitId, reason: String, now: Instant) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.ending = Some(reason);
            self.discard(circuit, now);
            self.take_in(circuit);
        }
    }

    /// A local node came up.
    pub fn node_up(&mut self, name: String, hosts: Vec<String>, hidden: bool) {
        self.notify(Notice::NodeUp { name, hosts, hidden });
    }

    /// A local node went down.
    pub fn node_down(&mut self, name: String) {
        self.notify(Notice::NodeDown { name });
    }

    /// Ends all circuits in order and tells the peer that we leave.
    pub fn goodbye(&mut self, reason: &str) {
        for circuit in self.circuits() {
            self.end(circuit, reason.to_owned(), true);
        }
        self.notify(Notice::Goodbye {
            reason: reason.to_owned(),
        });
    }

    // What the trunk brings.

    /// Frames of one lane, in order.
    ///
    /// # Errors
    /// If the session has no such lane.
    pub fn handle_frames(&mut self, lane: LaneId, frames: Vec<Frame>, now: Instant) -> Result<(), SessionError> {
        let lanes = self.config.lanes;
        for frame in frames {
            let received = self
                .received
                .get_mut(usize::from(lane))
                .ok_or(SessionError::Lane { lane, lanes })?;
            *received += 1;
            let number = *received;
            let Some(state) = self.circuits.get_mut(&frame.circuit) else {
                self.stats.frames_late += 1;
                continue;
            };
            match state.inbound.accept(lane, number, frame.fences, frame.content) {
                Ok(()) if state.ending.is_some() => self.discard(frame.circuit, now),
                Ok(()) => self.mark_ready(frame.circuit),
                Err(error) => self.end(frame.circuit, format!("the peer broke the protocol: {error}"), true),
            }
        }
        self.receipt_due.get_or_insert(now + self.config.receipt_delay);
        Ok(())
    }

    /// The next notice.
    ///
    /// # Errors
    /// If the peer broke the protocol; the session ends.
    pub fn handle_notice(&mut self, number: u64, notice: Notice, now: Instant) -> Result<(), SessionError> {
        if notice.is_numbered() {
            let expected = self.notices_received + 1;
            if number != expected {
                return Err(SessionError::NoticeNumber {
                    found: number,
                    expected,
                });
            }
            self.notices_received = number;
        }
        match notice {
            Notice::Hello(_) => return Err(SessionError::OutOfState("a hello")),
            Notice::Welcome { .. } => return Err(SessionError::OutOfState("a welcome")),
            Notice::Receipt(receipt) => self.handle_receipt(receipt)?,
            Notice::NodeUp { name, hosts, hidden } => self.events.push_back(Event::NodeUp { name, hosts, hidden }),
            Notice::NodeDown { name } => self.events.push_back(Event::NodeDown { name }),
            Notice::Open(open) => self.handle_open(open)?,
            Notice::Handshake {
                circuit,
                message,
                credit,
            } => self.handle_handshake(circuit, message, credit),
            Notice::Close(close) => self.handle_close(close, now),
            Notice::Goodbye { reason } => self.events.push_back(Event::Goodbye { reason }),
        }
        Ok(())
    }

    fn handle_open(&mut self, open: Open) -> Result<(), SessionError> {
        let circuit = open.circuit;
        let is_theirs = (circuit.0 % 2 == 1) != self.config.is_lower;
        if !is_theirs || circuit.0 <= self.opened_by_peer_last {
            return Err(SessionError::CircuitId { circuit });
        }
        self.opened_by_peer_last = circuit.0;
        let budget = self.budget();
        self.circuits
            .insert(circuit, Circuit::new(self.config.lanes, open.credit, budget));
        self.events.push_back(Event::Opened(open));
        Ok(())
    }

    fn handle_handshake(&mut self, circuit: CircuitId, message: Bytes, credit: u64) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.outbound.grant(credit);
            self.events.push_back(Event::Handshake { circuit, message });
        }
    }

    fn handle_close(&mut self, close: Close, now: Instant) {
        if let Some(state) = self
            .circuits
            .get_mut(&close.circuit)
            .filter(|state| state.closed.is_none())
        {
            state.inbound.close(close.last);
            state.waiting.clear();
            state.closed = Some(close.reason);
            if state.ending.is_some() {
                // Both legs have ended: nobody is left to deliver to, at either end.
                self.remove(close.circuit);
                return;
            }
            self.closing
                .push_back((now + self.config.close_deadline, close.circuit));
            self.mark_ready(close.circuit);
            self.finish_if_done(close.circuit);
        }
    }

    fn handle_receipt(&mut self, receipt: Receipt) -> Result<(), SessionError> {
        for mark in receipt.received {
            self.check_sent(mark)?;
            if let Some(outbox) = self.outboxes.get_mut(usize::from(mark.lane)) {
                outbox.acknowledged = mark.number.max(outbox.acknowledged);
            }
        }
        if receipt.notices > self.notices_sent {
            return Err(SessionError::Acknowledgement {
                what: "notice",
                number: receipt.notices,
                sent: self.notices_sent,
            });
        }
        for progress in receipt.circuits {
            for mark in &progress.delivered {
                self.check_sent(*mark)?;
            }
            if let Some(state) = self.circuits.get_mut(&progress.circuit) {
                state.outbound.grant(progress.credit);
                for mark in progress.delivered {
                    state.outbound.delivered(mark);
                }
                self.take_in(progress.circuit);
            }
        }
        Ok(())
    }

    fn check_sent(&self, mark: Mark) -> Result<(), SessionError> {
        let sent = self
            .outboxes
            .get(usize::from(mark.lane))
            .map_or(0, |outbox| outbox.number);
        if mark.number > sent {
            return Err(SessionError::Acknowledgement {
                what: "frame",
                number: mark.number,
                sent,
            });
        }
        Ok(())
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.receipt_due.is_some_and(|due| due <= now) {
            self.send_receipts();
        }
        while let Some(&(deadline, circuit)) = self.closing.front() {
            let is_over = !self.circuits.contains_key(&circuit);
            if !is_over && deadline > now {
                return;
            }
            self.closing.pop_front();
            self.end(
                circuit,
                "the local node did not read what was left in time".to_owned(),
                false,
            );
        }
    }

    // Work to do.

    /// The next thing that the gateway must hear.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next circuit that may have something to deliver: call [`Session::poll_delivery`] for it.
    pub fn poll_ready(&mut self) -> Option<CircuitId> {
        let circuit = self.ready.pop_front()?;
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.is_ready = false;
        }
        Some(circuit)
    }

    /// The next content for the BEAM of a circuit. It is delivered now: write it in this order, and say so with
    /// [`Session::written`]. Stop asking when enough is underway; the circuit is ready again after the next `written`.
    pub fn poll_delivery(&mut self, circuit: CircuitId, now: Instant) -> Option<Content> {
        let terms = self
            .circuits
            .get(&circuit)
            .filter(|state| state.ending.is_none())?
            .terms?;
        loop {
            let state = self.circuits.get_mut(&circuit)?;
            let Some((_, content)) = state.inbound.poll_deliver() else {
                self.finish_if_done(circuit);
                return None;
            };
            state.underway += content.cost();
            match admit(state, &terms, &content) {
                Ok(true) => {
                    self.owe(circuit, now, false);
                    return Some(content);
                }
                Ok(false) => {
                    self.stats.signals_stale += 1;
                    self.written(circuit, content.cost(), now);
                }
                Err(reason) => {
                    self.end(circuit, reason, true);
                    return None;
                }
            }
        }
    }

    /// Bytes for the control stream.
    pub fn poll_control(&mut self) -> Option<Bytes> {
        (!self.control.is_empty()).then(|| self.control.split().freeze())
    }

    /// The next batch of bytes for a lane's stream.
    pub fn poll_lane(&mut self, lane: LaneId) -> Option<Vec<Bytes>> {
        self.outboxes.get_mut(usize::from(lane))?.take()
    }

    /// When [`Session::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.closing.front().map(|(deadline, _)| *deadline);
        [self.receipt_due, deadline].into_iter().flatten().min()
    }

    // Inside.

    fn notify(&mut self, notice: Notice) {
        let number = if notice.is_numbered() {
            self.notices_sent += 1;
            self.notices_sent
        } else {
            0
        };
        notice.encode(number, &mut self.control);
    }

    /// What a new circuit is granted: the whole budget while memory lasts, then ever less.
    fn budget(&mut self) -> u64 {
        let left = self.config.memory.saturating_sub(self.granted);
        let budget = self
            .config
            .circuit_budget
            .min(left / 4)
            .max(SessionConfig::CIRCUIT_BUDGET_MIN);
        let budget = budget.min(self.config.circuit_budget.max(1));
        self.granted += budget;
        budget
    }

    fn mark_ready(&mut self, circuit: CircuitId) {
        if let Some(state) = self.circuits.get_mut(&circuit)
            && !state.is_ready
        {
            state.is_ready = true;
            self.ready.push_back(circuit);
        }
    }

    fn owe(&mut self, circuit: CircuitId, now: Instant, soon: bool) {
        if let Some(state) = self.circuits.get_mut(&circuit)
            && !state.owes
        {
            state.owes = true;
            self.owing.push(circuit);
        }
        let due = if soon { now } else { now + self.config.receipt_delay };
        self.receipt_due = Some(self.receipt_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// Moves what the credit allows from a leg into the lanes; then, if the leg has ended, says so.
    fn take_in(&mut self, circuit: CircuitId) {
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        let mut taken = 0;
        while state.outbound.has_credit()
            && let Some(intake) = state.waiting.pop_front()
        {
            let cost = intake.content.cost();
            taken += cost;
            state.outbound.charge(cost);
            if let Some(lesson @ Lesson::Forget(_)) = intake.lesson {
                state.aliases.learn(lesson);
            }
            let outboxes = &self.outboxes;
            let next = |lane: LaneId| outboxes.get(usize::from(lane)).map_or(0, |outbox| outbox.number + 1);
            let placed = intake
                .part()
                .and_then(|part| state.outbound.place(&part, &mut state.aliases, next));
            let Some(placed) = placed else {
                continue;
            };
            self.stats.frames_fenced += u64::from(!placed.fences.is_empty());
            if let Some(outbox) = self.outboxes.get_mut(usize::from(placed.lane)) {
                outbox.push(circuit, &placed.fences, &intake.content);
            }
        }
        let ending = if state.waiting.is_empty() {
            state.ending.take()
        } else {
            None
        };
        if taken > 0 {
            self.events.push_back(Event::Taken { circuit, cost: taken });
        }
        if let Some(reason) = ending {
            self.forget(circuit, reason);
        }
    }

    /// Once the local leg has ended, what comes for it counts as written: else two ends whose legs have both gone would
    /// wait for each other's credit to send what is left.
    fn discard(&mut self, circuit: CircuitId, now: Instant) {
        let Some(state) = self.circuits.get_mut(&circuit).filter(|state| state.ending.is_some()) else {
            return;
        };
        while let Some((_, content)) = state.inbound.poll_deliver() {
            state.underway += content.cost();
        }
        let underway = state.underway;
        self.written(circuit, underway, now);
    }

    /// Tells the peer where the circuit ends, and forgets it.
    fn forget(&mut self, circuit: CircuitId, reason: String) {
        if let Some(state) = self.remove(circuit)
            && state.closed.is_none()
        {
            self.notify(Notice::Close(Close {
                circuit,
                last: state.outbound.last(),
                reason,
            }));
        }
    }

    fn remove(&mut self, circuit: CircuitId) -> Option<Circuit> {
        let state = self.circuits.remove(&circuit)?;
        self.granted = self.granted.saturating_sub(state.inbound.budget());
        let frames = state.outbound.frames().to_vec();
        self.events.push_back(Event::Ended { circuit, frames });
        Some(state)
    }

    /// Ends a circuit from our side while its leg is still there.
    fn end(&mut self, circuit: CircuitId, reason: String, and_tell: bool) {
        if !self.circuits.contains_key(&circuit) {
            return;
        }
        if and_tell {
            self.forget(circuit, reason.clone());
        } else {
            self.remove(circuit);
        }
        self.events.push_back(Event::Finished { circuit, reason });
    }

    fn finish_if_done(&mut self, circuit: CircuitId) {
        let Some(state) = self.circuits.get(&circuit) else {
            return;
        };
        let Some(reason) = &state.closed else {
            return;
        };
        // Frames, and the end, may outrun the local leg's handshake: then they wait for it, within the deadline.
        if state.inbound.is_finished() {
            let reason = reason.clone();
            self.end(circuit, reason, false);
        }
    }

    fn send_receipts(&mut self) {
        self.receipt_due = None;
        let owing = std::mem::take(&mut self.owing);
        let mut rest = owing.as_slice();
        loop {
            let (now, later) = rest.split_at_checked(RECEIPT_CIRCUITS).unwrap_or((rest, &[]));
            let circuits = now.iter().filter_map(|circuit| self.progress(*circuit)).collect();
            let received = (0..).zip(&self.received).filter(|(_, number)| **number > 0);
            let receipt = Receipt {
                received: received.map(|(lane, number)| Mark { lane, number: *number }).collect(),
                notices: self.notices_received,
                circuits,
            };
            self.notify(Notice::Receipt(receipt));
            if later.is_empty() {
                return;
            }
            rest = later;
        }
    }

    fn progress(&mut self, circuit: CircuitId) -> Option<Progress> {
        let state = self.circuits.get_mut(&circuit)?;
        state.owes = false;
        let (credit, delivered) = state.inbound.grant();
        Some(Progress {
            circuit,
            delivered,
            credit,
        })
    }
}
