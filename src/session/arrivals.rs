use std::time::Instant;

use bytes::Bytes;

use super::Event;
use super::Session;
use super::SessionConfig;
use super::SessionError;
use super::circuit::Circuit;
use super::limits::RECEIVED;
use super::machine::Lanes;
use crate::dist::NodeName;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Frame;
use crate::wire::LaneId;
use crate::wire::Notice;
use crate::wire::Open;
use crate::wire::Receipt;

/// Input from the trunk.
impl Session {
    /// Handles frames of one lane, in order.
    ///
    /// # Errors
    /// If the session has no such lane.
    pub fn handle_frames(&mut self, lane: LaneId, frames: Vec<Frame>, now: Instant) -> Result<(), SessionError> {
        for frame in frames {
            match self.receipts.frame(lane, now) {
                Some(true) => {}
                #[cfg(test)]
                Some(false) if self.config.bug == Some(super::Bug::TakeTwice) => {}
                Some(false) => continue,
                None => return Err(self.no_such(lane)),
            }
            let Some(state) = self.circuits.get_mut(&frame.circuit) else {
                self.handle_late(&frame)?;
                continue;
            };
            state.draining.has_spoken = true;
            if let Some(paced) = &mut state.paced
                && paced.arrived(frame.content.cost(), frame.content.body().len() as u64)
            {
                self.pacing.add(frame.circuit, RECEIVED);
            }
            match state.accept(frame.strand, frame.fences, frame.content) {
                Ok(()) if state.closed_here.is_some() => self.drop_deliveries(frame.circuit, now),
                Ok(()) if state.is_ready => {}
                Ok(()) => self.mark_ready(frame.circuit),
                Err(error) => self.close_now(frame.circuit, format!("the peer broke the protocol: {error}"), true),
            }
            if self.config.memory.is_exceeded() {
                self.give_up_memory()?;
            }
        }
        Ok(())
    }

    /// A frame for no circuit was on its way when its circuit was closed. Whoever sends more of them than credit was left, or names a
    /// circuit that never was, sends without a bound.
    fn handle_late(&mut self, frame: &Frame) -> Result<(), SessionError> {
        let circuit = frame.circuit;
        let is_theirs = (circuit.0 % 2 == 1) != self.config.is_lower;
        let last = if is_theirs {
            self.opened_by_peer_last
        } else {
            self.opened_last_id()
        };
        if circuit.0 == 0 || circuit.0 > last {
            return Err(SessionError::NeverOpened { circuit });
        }
        self.stats.frames_late += 1;
        let left = self.late_credit.checked_sub(frame.content.cost());
        self.late_credit = left.ok_or(SessionError::Late { circuit })?;
        Ok(())
    }

    /// The stream of a lane begins with frame `first`.
    ///
    /// # Errors
    /// If the session has no such lane, or frames before `first` did not arrive.
    pub fn handle_lane(&mut self, lane: LaneId, first: u64) -> Result<(), SessionError> {
        match self.receipts.begin(lane, first) {
            Some(true) => Ok(()),
            Some(false) => Err(SessionError::Missing {
                lane,
                first,
                received: self.receipts.received().get(usize::from(lane)).copied().unwrap_or(0),
            }),
            None => Err(self.no_such(lane)),
        }
    }

    const fn no_such(&self, lane: LaneId) -> SessionError {
        let lanes = self.config.lanes;
        SessionError::Lane { lane, lanes }
    }

    /// If the memory limit is exceeded and nobody keeps more: closes the circuit with the most buffered bytes, so that all
    /// others survive.
    ///
    /// # Errors
    /// If the memory is not in circuits: it holds parts of frames, or frames that no circuit was there for.
    pub fn give_up_memory(&mut self) -> Result<(), SessionError> {
        if !self.config.memory.take_claim() {
            return Ok(());
        }
        let kept = |(id, state): (&CircuitId, &Circuit)| (state.kept(), *id);
        let in_circuits: u64 = self.circuits.values().map(Circuit::kept).sum();
        let in_all = self.config.memory.account().kept();
        match self.circuits.iter().map(kept).max() {
            Some((kept, circuit)) if in_circuits >= in_all / 4 => {
                let reason =
                    format!("{kept} bytes are kept for this connection, and the memory for unread bytes is used up");
                self.close_now(circuit, reason, true);
                Ok(())
            }
            _ => Err(SessionError::Memory { kept: in_all }),
        }
    }

    /// Wakes the task when this session keeps most, and the memory is used up.
    pub fn poll_claim(&self, context: &std::task::Context<'_>) -> std::task::Poll<()> {
        self.config.memory.poll_claim(context)
    }

    /// Handles the next notice.
    ///
    /// # Errors
    /// If the peer violated the protocol. The session ends.
    pub fn handle_notice(&mut self, number: u64, notice: Notice, now: Instant) -> Result<(), SessionError> {
        if notice.is_numbered() {
            let expected = self.notices.received + 1;
            if number != expected {
                return Err(SessionError::NoticeNumber {
                    found: number,
                    expected,
                });
            }
            self.notices.received = number;
            self.receipts.hurry(now, false);
        }
        match notice {
            Notice::Hello(_) => return Err(SessionError::OutOfState("hello")),
            Notice::Welcome(_) => return Err(SessionError::OutOfState("welcome")),
            Notice::Receipt(receipt) => self.handle_receipt(receipt)?,
            Notice::NodeUp { name, hosts, hidden } => {
                let count = hosts.len();
                let hosts: Vec<_> = hosts
                    .into_iter()
                    .filter(|host| is_node(&name, host))
                    // One more, so that the hub can tell that there were more.
                    .take(SessionConfig::HOSTS_OF_A_NODE + 1)
                    .collect();
                self.stats.names_refused += (count - hosts.len()) as u64;
                if !hosts.is_empty() {
                    self.events.push_back(Event::NodeUp { name, hosts, hidden });
                }
            }
            Notice::NodeDown { name } if is_node(&name, "host") => self.events.push_back(Event::NodeDown { name }),
            Notice::NodeDown { .. } => self.stats.names_refused += 1,
            Notice::Open(open) => self.handle_open(open)?,
            Notice::Handshake {
                circuit,
                message,
                credit,
            } => self.handle_handshake(circuit, message, credit),
            Notice::Close(close) => self.handle_close(close, now),
            Notice::Silence { circuit, is_silent } => self.handle_silence(circuit, is_silent)?,
            Notice::Peers(peers) => self.events.push_back(Event::Peers(peers)),
            Notice::Leaving { reason } => self.start_leaving(reason, now),
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
        if open.send_name.is_empty() {
            // Nothing is opened: the close that follows says why.
            self.denial = Some((circuit, open.target));
            return Ok(());
        }
        let full = self.circuits.len() >= SessionConfig::CIRCUITS_MAX;
        let full = full.then(|| {
            format!(
                "the session already has the maximum of {} circuits",
                SessionConfig::CIRCUITS_MAX
            )
        });
        if let Some(reason) = self.refusal().or(full) {
            let last = Vec::new();
            self.notify(Notice::Close(Close { circuit, last, reason }));
            return Ok(());
        }
        self.circuits.insert(circuit, Circuit::new(&self.config, open.credit));
        self.events.push_back(Event::Opened(open));
        Ok(())
    }

    fn handle_handshake(&mut self, circuit: CircuitId, message: Bytes, credit: u64) {
        if let Some(state) = self.circuits.get_mut(&circuit) {
            state.outbound.grant(credit);
            self.events.push_back(Event::Handshake { circuit, message });
            self.send_waiting(circuit);
        }
    }

    fn handle_close(&mut self, close: Close, now: Instant) {
        if let Some((_, target)) = self.denial.take_if(|(circuit, _)| *circuit == close.circuit) {
            let reason = close.reason;
            return self.events.push_back(Event::Denied { target, reason });
        }
        if let Some(state) = self
            .circuits
            .get_mut(&close.circuit)
            .filter(|state| state.closed_by_peer.is_none())
        {
            state.inbound.close(close.last);
            if self.leaving.is_none() {
                state.waiting.clear();
            }
            state.closed_by_peer = Some(close.reason);
            if state.closed_here.is_some() {
                // Both legs have ended: nothing can be delivered at either end.
                self.remove(close.circuit);
                return;
            }
            if self.closing.len() > SessionConfig::CIRCUITS_MAX {
                self.closing.retain(|(_, circuit)| self.circuits.contains_key(circuit));
            }
            self.closing
                .push_back((now + self.config.close_deadline, close.circuit));
            self.mark_ready(close.circuit);
            self.close_if_delivered(close.circuit);
        }
    }

    fn handle_receipt(&mut self, receipt: Receipt) -> Result<(), SessionError> {
        for mark in receipt.received {
            let sent = self.outboxes.number(mark.lane);
            if mark.number > sent {
                return Err(unsent("frame", mark.number, sent));
            }
            self.outboxes.acknowledged(mark);
        }
        let acknowledged = self.notices.acknowledged(receipt.notices);
        acknowledged.map_err(|sent| unsent("notice", receipt.notices, sent))?;
        self.unread.acknowledged(receipt.notices);
        self.silence_received();
        for progress in receipt.circuits {
            if let Some(state) = self.circuits.get_mut(&progress.circuit) {
                state.outbound.grant(progress.credit);
                for frame in progress.delivered {
                    if let Some(backpressure) = &mut state.backpressure {
                        backpressure.delivered(frame);
                    }
                    state
                        .outbound
                        .delivered(frame)
                        .map_err(|sent| unsent("frame", frame.number, sent))?;
                }
                self.send_waiting(progress.circuit);
            }
        }
        if self.lanes == Lanes::Waiting {
            self.replay();
        }
        Ok(())
    }
}

/// Whether a node may have this name. What a peer announces is looked up, logged and shown.
fn is_node(name: &str, host: &str) -> bool {
    NodeName::new(&format!("{name}@{host}")).is_ok()
}

const fn unsent(what: &'static str, number: u64, sent: u64) -> SessionError {
    SessionError::Acknowledgement { what, number, sent }
}
