use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::Agreed;
use super::Event;
use super::Intake;
use super::SessionConfig;
use super::SessionStats;
use super::circuit::Circuit;
use super::circuit::admit;
use super::draining::Leaving;
use super::limits::Pacing;
use super::notices::Notices;
use super::outbox::Outboxes;
use super::receipts::Receipts;
use super::receipts::Unread;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Content;
use crate::wire::KnownPeer;
use crate::wire::LaneId;
use crate::wire::Notice;
use crate::wire::Open;

/// The lasting relation between two daemons.
///
/// After each `handle_*` or command, drain [`Session::poll_event`], [`Session::poll_ready`], [`Session::poll_control`]
/// and [`Session::poll_lane`], and call [`Session::poll_timeout`] again.
#[derive(Debug)]
pub struct Session {
    pub(super) config: SessionConfig,
    pub(super) outboxes: Outboxes,
    pub(super) receipts: Receipts,
    pub(super) unread: Unread,
    pub(super) circuits: FxHashMap<CircuitId, Circuit>,
    pub(super) notices: Notices,
    opened_last: u64,
    pub(super) opened_by_peer_last: u64,
    /// The circuit of a connection that the peer's policy denies, and its target, until the peer has said why.
    pub(super) denial: Option<(CircuitId, String)>,
    /// What may still arrive for circuits that have been removed, in bytes as counted by [`Content::cost`].
    pub(super) late_credit: u64,
    pub(super) events: VecDeque<Event>,
    ready: VecDeque<CircuitId>,
    /// Circuits whose signals wait until the lanes have room. Some may be there no more, or wait for credit by now.
    pub(super) crowded: VecDeque<CircuitId>,
    /// The number of looks at circuits that waited for room.
    #[cfg(test)]
    pub(super) looks: u64,
    /// Circuits that the peer closed, ordered by deadline. Some may have been removed already.
    pub(super) closing: VecDeque<(Instant, CircuitId)>,
    /// Circuits whose signals wait since there is a limit for them.
    pub(super) pacing: Pacing,
    pub(super) stats: SessionStats,
    pub(super) lanes: Lanes,
    pub(super) leaving: Option<Leaving>,
    /// Circuits of which the peer was told that their node is silent, or speaks again, with the number of the notice. The peer may
    /// not have received these.
    pub(super) telling: VecDeque<(u64, CircuitId)>,
    /// When the peer last acknowledged anything while something was outstanding, and the total acknowledged at that
    /// time.
    pub(super) progress: Option<(Instant, u64)>,
}

/// Whether frames may be sent on the trunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lanes {
    /// The trunk is new, and the peer has not reported what it received.
    Waiting,
    /// The peer has reported it: the lanes can begin.
    Ready,
    /// The lanes have begun.
    Open,
}

impl Session {
    /// Creates a session that was agreed on just now.
    pub fn new(config: SessionConfig) -> Self {
        let lanes = usize::from(config.lanes);
        Self {
            outboxes: Outboxes::new(lanes, config.backlog, !config.grace.is_zero()),
            receipts: Receipts::new(lanes, config.receipt_delay),
            unread: Unread::default(),
            circuits: FxHashMap::default(),
            notices: Notices::default(),
            opened_last: 0,
            opened_by_peer_last: 0,
            denial: None,
            late_credit: 0,
            events: VecDeque::new(),
            ready: VecDeque::new(),
            crowded: VecDeque::new(),
            #[cfg(test)]
            looks: 0,
            closing: VecDeque::new(),
            pacing: Pacing::default(),
            stats: SessionStats::default(),
            lanes: Lanes::Ready,
            leaving: None,
            telling: VecDeque::new(),
            progress: None,
            config,
        }
    }

    /// The number of lanes in each direction.
    pub const fn lanes(&self) -> u8 {
        self.config.lanes
    }

    /// The counters of the session.
    pub fn stats(&self) -> SessionStats {
        let mut aliases = self.stats.aliases;
        for state in self.circuits.values() {
            aliases += state.aliases.stats();
        }
        SessionStats {
            aliases,
            frames_sent: self.outboxes.numbers(),
            frames_received: self.receipts.received().to_vec(),
            ..self.stats.clone()
        }
    }

    /// The number of small frames that were sent on an idle lane while bulk data was in flight on others.
    pub const fn calls(&self) -> u64 {
        self.outboxes.calls()
    }

    /// Whether the next data of the lane is only such a frame.
    pub fn has_call(&self, lane: LaneId) -> bool {
        self.outboxes.has_call(lane)
    }

    /// The ids of all circuits.
    pub fn circuits(&self) -> Vec<CircuitId> {
        self.circuits.keys().copied().collect()
    }

    // Commands from local endpoints.

    /// A local BEAM wants to connect to `target`. `send_name` is its first handshake message.
    pub fn open(&mut self, target: String, send_name: Bytes) -> CircuitId {
        self.opened_last += 1;
        let circuit = CircuitId(self.opened_last_id());
        if let Some(reason) = self.refusal() {
            self.events.push_back(Event::Closed { circuit, reason });
            return circuit;
        }
        let state = Circuit::new(&self.config, 0);
        let credit = state.inbound.window();
        self.circuits.insert(circuit, state);
        self.notify(Notice::Open(Open {
            circuit,
            target,
            send_name,
            credit,
        }));
        circuit
    }

    /// The policy of this daemon denies a connection to `target`: the peer's log shall have it. Nothing is opened.
    pub fn deny(&mut self, target: String, reason: String) {
        if self.refusal().is_some() {
            return;
        }
        self.opened_last += 1;
        let circuit = CircuitId(self.opened_last_id());
        self.notify(Notice::Open(Open {
            circuit,
            target,
            send_name: Bytes::new(),
            credit: 0,
        }));
        let last = Vec::new();
        self.notify(Notice::Close(Close { circuit, last, reason }));
    }

    /// The id of the circuit that this side opened last. 0 if it has opened none.
    pub(super) const fn opened_last_id(&self) -> u64 {
        (self.opened_last * 2).saturating_sub(self.config.is_lower as u64)
    }

    /// The next handshake message from the local leg, for the remote one.
    pub fn handshake(&mut self, circuit: CircuitId, message: Bytes) {
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        let (credit, _) = state.grant(&self.config);
        self.notify(Notice::Handshake {
            circuit,
            message,
            credit,
        });
    }

    /// Both legs exchange packets now: delivery begins.
    pub fn established(&mut self, circuit: CircuitId, agreed: Agreed) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.establish(agreed, &self.config);
            if state.quiet.is_there {
                let is_silent = true;
                self.events.push_back(Event::Silence { circuit, is_silent });
            }
            self.receipts.owe(circuit, state);
            self.receipts.restate();
            self.mark_ready(circuit);
        }
    }

    /// Accepts signals of the local BEAM, in order. Signals that exceed the credit wait here.
    pub fn signals(&mut self, circuit: CircuitId, signals: impl IntoIterator<Item = Intake>) {
        // After the peer has closed the circuit it accepts nothing more, unless both ends wait for what is left.
        let takes = |state: &&mut Circuit| {
            !state.draining.is_draining && (state.closed_by_peer.is_none() || self.leaving.is_some())
        };
        if let Some(state) = self.circuits.get_mut(&circuit).filter(takes) {
            state.draining.has_spoken = true;
            state.waiting.extend(signals);
            self.send_waiting(circuit);
        }
    }

    /// Bytes, as counted by [`Content::cost`], were written to the local BEAM.
    pub fn written(&mut self, circuit: CircuitId, cost: u64, now: Instant) {
        let Some(state) = self.circuits.get_mut(&circuit) else {
            return;
        };
        state.written(cost);
        let soon = state.inbound.owes_a_grant();
        self.receipts.owe(circuit, state);
        self.receipts.hurry(now, soon);
        state.mark_ready(circuit, &mut self.ready);
    }

    /// The local leg has ended, or must end. Signals it sent earlier are still sent to the peer; deliveries to it are
    /// dropped.
    pub fn close(&mut self, circuit: CircuitId, reason: String, now: Instant) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.closed_here = Some(reason);
            self.drop_deliveries(circuit, now);
            self.send_waiting(circuit);
        }
    }

    /// The circuit may not be any more. Signals that wait are dropped, or a peer that takes few of them would put off the end.
    pub fn cut(&mut self, circuit: CircuitId, reason: String, now: Instant) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.waiting.clear();
        }
        self.close(circuit, reason, now);
    }

    /// Sends something that the peer's QUIC acknowledges if it is there: what has arrived, once more.
    pub fn probe(&mut self) {
        self.receipts.restate();
    }

    /// A local node is up.
    pub fn node_up(&mut self, name: String, hosts: Vec<String>, hidden: bool) {
        self.notify(Notice::NodeUp { name, hosts, hidden });
    }

    /// A local node is down.
    pub fn node_down(&mut self, name: String) {
        self.notify(Notice::NodeDown { name });
    }

    /// Tells the peer of other peers. It must have said that it understands this.
    pub fn tell_peers(&mut self, peers: Vec<KnownPeer>) {
        self.notify(Notice::Peers(peers));
    }

    /// Closes all circuits in order and tells the peer that this daemon leaves.
    pub fn end(&mut self, reason: &str) {
        for circuit in self.circuits() {
            // Where so much is left that the notices that say so are too many, it is given up: its time is over.
            if self.notices.waiting() > SessionConfig::CONTROL_MAX / 2
                && let Some(state) = self.circuits.get_mut(&circuit)
            {
                state.outbound.give_up();
            }
            self.close_now(circuit, reason.to_owned(), true);
        }
        self.notify(Notice::Goodbye {
            reason: reason.to_owned(),
        });
    }

    /// The time given by [`Session::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.pace(now);
        self.receipts.handle_timeout(now);
        self.watch_progress(now);
        self.drain(now);
        while let Some(&(deadline, circuit)) = self.closing.front() {
            let is_over = !self.circuits.contains_key(&circuit);
            if !is_over && deadline > now {
                return;
            }
            self.closing.pop_front();
            self.close_now(
                circuit,
                "the local node did not read the remaining signals in time".to_owned(),
                false,
            );
        }
    }

    // Output.

    /// The next event for the owner of the session.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next circuit that may have something to deliver. Call [`Session::poll_delivery`] for it.
    pub fn poll_ready(&mut self) -> Option<CircuitId> {
        let circuit = self.ready.pop_front()?;
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.is_ready = false;
        }
        Some(circuit)
    }

    /// The next content for the BEAM of a circuit. It counts as delivered: write everything in this order, and report
    /// it with [`Session::written`]. Stop polling when enough is being written; the circuit becomes ready again after
    /// the next `written`.
    pub fn poll_delivery(&mut self, circuit: CircuitId, now: Instant) -> Option<Content> {
        loop {
            let state = self.circuits.get_mut(&circuit)?;
            let agreed = state.agreed.filter(|_| state.closed_here.is_none())?;
            let Some(content) = state.inbound.poll_deliver() else {
                self.close_if_delivered(circuit);
                return None;
            };
            state.underway += content.cost();
            match admit(state, &agreed, &content) {
                Ok(true) => {
                    self.receipts.owe(circuit, state);
                    self.receipts.hurry(now, false);
                    return Some(content);
                }
                Ok(false) => {
                    self.stats.signals_stale += 1;
                    self.written(circuit, content.cost(), now);
                }
                Err(reason) => {
                    self.close_now(circuit, reason, true);
                    return None;
                }
            }
        }
    }

    /// The next bytes for the control stream. Call it when the stream can accept them.
    pub fn poll_control(&mut self) -> Option<Bytes> {
        if let Some(owing) = self.receipts.take() {
            self.write_receipts(owing);
        }
        self.notices.take()
    }

    /// Returns the number of each lane's first frame once the streams of the lanes may begin. Call this before
    /// [`Session::poll_lane`], which returns nothing until then.
    pub fn poll_start(&mut self) -> Option<Vec<u64>> {
        if self.lanes != Lanes::Ready {
            return None;
        }
        self.lanes = Lanes::Open;
        let first = self.outboxes.rewind();
        #[cfg(test)]
        if self.config.bug == Some(super::Bug::SkipReplay) {
            self.outboxes.skip_replay();
        }
        Some(first)
    }

    /// The next batch of bytes for the stream of a lane.
    pub fn poll_lane(&mut self, lane: LaneId) -> Option<Vec<Bytes>> {
        if self.lanes != Lanes::Open {
            return None;
        }
        let batch = self.outboxes.take(lane)?;
        #[cfg(test)]
        if self.config.bug == Some(super::Bug::AcknowledgeEarly) {
            let number = self.outboxes.number(lane);
            self.outboxes.acknowledged(crate::wire::Mark { lane, number });
        }
        self.relieve();
        Some(batch)
    }

    /// The number of bytes that wait for the control stream. More than [`SessionConfig::CONTROL_MAX`] means that the
    /// peer does not read.
    pub fn control_waiting(&self) -> usize {
        self.notices.waiting()
    }

    /// Since when the peer has acknowledged nothing although something is outstanding.
    pub fn stalled_since(&self) -> Option<Instant> {
        self.progress.map(|(since, _)| since)
    }

    /// When [`Session::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.closing.front().map(|(deadline, _)| *deadline);
        let paced = self.pacing.poll_timeout();
        let all = [self.receipts.poll_timeout(), deadline, self.poll_leaving(), paced];
        all.into_iter().flatten().min()
    }

    // Internals.

    pub(super) fn notify(&mut self, notice: Notice) {
        self.notices.send(notice);
    }

    /// Whether the peer has received everything.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.outboxes.acknowledged_count().1 && self.notices.are_acknowledged()
    }

    fn watch_progress(&mut self, now: Instant) {
        let (frames, are_all) = self.outboxes.acknowledged_count();
        let count = frames + self.notices.acknowledged_count();
        if are_all && self.notices.are_acknowledged() {
            self.progress = None;
        } else if self.progress.is_none_or(|(_, before)| before != count) {
            self.progress = Some((now, count));
        }
    }

    pub(super) fn mark_ready(&mut self, circuit: CircuitId) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.mark_ready(circuit, &mut self.ready);
        }
    }

    /// Once the local leg has ended, deliveries to it count as written. Otherwise two ends whose legs have both ended
    /// would wait for each other's credit.
    pub(super) fn drop_deliveries(&mut self, circuit: CircuitId, now: Instant) {
        let Some(state) = self
            .circuits
            .get_mut(&circuit)
            .filter(|state| state.closed_here.is_some())
        else {
            return;
        };
        while let Some(content) = state.inbound.poll_deliver() {
            state.underway += content.cost();
        }
        let underway = state.underway;
        self.written(circuit, underway, now);
    }

    /// Tells the peer where the circuit ends, and removes it.
    pub(super) fn close_and_remove(&mut self, circuit: CircuitId, reason: String) {
        if let Some(state) = self.remove(circuit)
            && state.closed_by_peer.is_none()
            && !state.draining.is_half_closed
        {
            self.notify(Notice::Close(Close {
                circuit,
                last: state.outbound.undelivered(),
                reason,
            }));
        }
    }

    pub(super) fn remove(&mut self, circuit: CircuitId) -> Option<Circuit> {
        let mut state = self.circuits.remove(&circuit)?;
        self.outboxes.forget_priority(circuit);
        if state.paced.is_some() {
            self.pacing.forget(circuit);
        }
        self.stats.aliases += state.aliases.stats();
        let report = state.report(circuit);
        self.stats.bytes_sent += report.bytes_sent;
        self.stats.bytes_received += report.bytes_received;
        self.late_credit = self.late_credit.saturating_add(state.inbound.may_arrive());
        if self.crowded.len() > 2 * self.circuits.len() + 64 {
            self.crowded.retain(|circuit| self.circuits.contains_key(circuit));
        }
        let frames = std::mem::take(&mut state.carried);
        self.events.push_back(Event::Ended { circuit, frames });
        Some(state)
    }

    /// Closes a circuit from this side while its leg still exists.
    pub(super) fn close_now(&mut self, circuit: CircuitId, reason: String, and_tell: bool) {
        if !self.circuits.contains_key(&circuit) {
            return;
        }
        if and_tell {
            self.close_and_remove(circuit, reason.clone());
        } else {
            self.remove(circuit);
        }
        self.events.push_back(Event::Closed { circuit, reason });
    }

    pub(super) fn close_if_delivered(&mut self, circuit: CircuitId) {
        let Some(state) = self.circuits.get(&circuit) else {
            return;
        };
        let Some(reason) = &state.closed_by_peer else {
            return;
        };
        if self.leaving.is_some() && !state.draining.is_half_closed {
            return;
        }
        // Frames, and the close, may overtake the handshake of the local leg. They wait for it, until the deadline.
        if state.inbound.is_complete() {
            let reason = reason.clone();
            self.close_now(circuit, reason, false);
        }
    }
}
