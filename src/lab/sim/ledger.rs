use std::collections::BTreeMap;
use std::time::Duration;

use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::Xxh3Default;

use super::signals::Truth;
use super::signals::number_of;
use super::signals::numbers_of_run;
use crate::wire::Content;

/// Why a leg closes that has simply done.
pub(super) const DONE: &str = "done";

/// How the reason ends for which a circuit is ended when its daemon has no memory left for it: stated, not silent.
const CROWDED_OUT: &str = "the memory for unread bytes is used up";

/// Complaints kept; one is enough to fail a run.
const COMPLAINTS: usize = 20;

/// Lines of a readable trace, at most.
const TRACE_LINES: usize = 2_000_000;

/// One end of a circuit: which one, and 0 for who opened it or 1.
pub(super) type EndId = (u64, usize);

/// A signal that was sent.
#[derive(Debug)]
struct Sent {
    truth: Truth,
    /// Its place among those of the same sender and receiver.
    place: u64,
    at: Duration,
    delivered: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No node has been asked yet.
    #[default]
    Absent,
    Opening,
    Established,
    /// Its node closed.
    Closed,
    /// It was told that nothing more comes.
    Finished,
}

#[derive(Debug, Default)]
struct End {
    state: State,
    /// When its session began.
    session: Duration,
    was_established: bool,
    sent: Vec<Sent>,
    undelivered: u64,
    places: FxHashMap<Truth, u64>,
    /// As a receiver: how many arrived for each sender and receiver.
    seen: FxHashMap<Truth, u64>,
    /// Parts that are left of signals in fragments.
    parts: FxHashMap<u64, u64>,
    delivered: u64,
    /// Where it stood when its node closed.
    last: Option<u64>,
}

/// Why a session of two hosts may end otherwise than in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excuse {
    pub(super) hosts: [usize; 2],
    /// When it went wrong.
    pub(super) from: Duration,
    /// Sessions that begin later have no part in it.
    pub(super) to: Duration,
    /// By then they have ended.
    pub(super) until: Duration,
}

/// A circuit as its two nodes see it.
#[derive(Debug, Default)]
struct Circuit {
    hosts: [usize; 2],
    ends: [End; 2],
    /// It ended otherwise than by its nodes' will, so the end of what was sent may be missing.
    is_broken: bool,
}

/// What a run comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) circuits: u64,
    pub(super) sent: u64,
    pub(super) delivered: u64,
    /// Of circuits that lived on or were closed in order.
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) reordered: u64,
    /// Never delivered, since a daemon died or the grace was over: what is not promised.
    pub(super) unpromised: u64,
    /// Ends of circuits that were ended to keep memory bounded.
    pub(super) crowded_out: u64,
    /// Sent to a node that had closed: who closes does not read on.
    pub(super) unread: u64,
    /// The longest that a signal was underway.
    pub(super) worst_stall: Duration,
    /// Sessions that began, and that ended before the run did.
    pub(super) sessions: u64,
    pub(super) ended: u64,
}

/// Remembers what was sent and checks what arrives: the one who knows the true sender and receiver of each signal.
#[derive(Default)]
pub(super) struct Ledger {
    /// Nodes send signals.
    pub(super) is_sending: bool,
    /// Nodes close their circuits now, and open no more.
    pub(super) is_closing: bool,
    circuits: BTreeMap<u64, Circuit>,
    tally: Tally,
    complaints: Vec<String>,
    excuses: Vec<Excuse>,
    /// When the session of a host with a peer began.
    begun: BTreeMap<(usize, usize), Duration>,
    digest: Xxh3Default,
    trace: Option<Vec<String>>,
}

impl Ledger {
    /// `is_traced`: every event is kept as a line.
    pub(super) fn new(is_traced: bool) -> Self {
        Self {
            is_sending: true,
            trace: is_traced.then(Vec::new),
            ..Self::default()
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally.clone()
    }

    pub(super) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// A fingerprint of all events so far.
    pub(super) fn digest(&self) -> u64 {
        self.digest.digest()
    }

    pub(super) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    /// Something happened.
    pub(super) fn note(&mut self, at: Duration, text: &str) {
        self.digest.update(&(at.as_micros() as u64).to_le_bytes());
        self.digest.update(text.as_bytes());
        if let Some(trace) = self.trace.as_mut().filter(|trace| trace.len() < TRACE_LINES) {
            trace.push(format!("{:>10.3} {text}", at.as_secs_f64()));
        }
    }

    /// Something happened that must not.
    pub(super) fn complain(&mut self, at: Duration, text: &str) {
        self.note(at, &format!("WRONG: {text}"));
        if self.complaints.len() < COMPLAINTS {
            self.complaints.push(format!("after {:.3} s: {text}", at.as_secs_f64()));
        }
    }

    // Sessions.

    pub(super) fn excuse(&mut self, excuse: Excuse) {
        self.excuses.push(excuse);
    }

    /// Whether a session of two hosts that began at `since` may end now.
    fn is_excused(&self, hosts: [usize; 2], since: Duration, at: Duration) -> bool {
        let swapped = [hosts[1], hosts[0]];
        self.excuses.iter().any(|excuse| {
            (excuse.hosts == hosts || excuse.hosts == swapped)
                && since <= excuse.to
                && (excuse.from..=excuse.until).contains(&at)
        })
    }

    pub(super) fn session_begins(&mut self, at: Duration, host: usize, peer: usize) {
        self.tally.sessions += 1;
        self.begun.insert((host, peer), at);
        self.note(at, &format!("{host}: a session with {peer} begins"));
    }

    pub(super) fn session_ends(&mut self, at: Duration, host: usize, peer: usize, reason: &str) {
        self.tally.ended += 1;
        self.note(at, &format!("{host}: the session with {peer} ends: {reason}"));
        let since = self.begun(host, peer);
        if !self.is_excused([host, peer], since, at) && !self.is_barren(host, peer, since) {
            self.complain(
                at,
                &format!("{host}: the session with {peer} ended without need: {reason}"),
            );
        }
    }

    /// Whether no node was ever connected over the session of a host that began then: its end harms nobody. One that has
    /// just begun may be replaced, as when its welcome is lost, or so late that the other side has greeted anew.
    fn is_barren(&self, host: usize, peer: usize, since: Duration) -> bool {
        !self.circuits.values().any(|circuit| {
            let [one, other] = &circuit.ends;
            let mine = match circuit.hosts {
                hosts if hosts == [host, peer] => one,
                hosts if hosts == [peer, host] => other,
                _ => return false,
            };
            mine.session == since && mine.was_established
        })
    }

    /// When the session of a host with a peer began.
    pub(super) fn begun(&self, host: usize, peer: usize) -> Duration {
        self.begun.get(&(host, peer)).copied().unwrap_or_default()
    }

    // Circuits.

    /// A node opens a circuit over a session that began at `since`: its key.
    pub(super) fn open(&mut self, at: Duration, host: usize, peer: usize, since: Duration) -> u64 {
        self.tally.circuits += 1;
        let key = self.tally.circuits;
        let mut circuit = Circuit {
            hosts: [host, peer],
            ..Circuit::default()
        };
        circuit.ends[0].state = State::Opening;
        circuit.ends[0].session = since;
        self.circuits.insert(key, circuit);
        self.note(at, &format!("{host}: opens circuit {key} to {peer}"));
        key
    }

    fn end(&mut self, (key, side): EndId) -> Option<&mut End> {
        self.circuits.get_mut(&key)?.ends.get_mut(side)
    }

    /// A node is asked to accept a circuit.
    pub(super) fn accept(&mut self, at: Duration, id: EndId, host: usize, peer: usize) {
        let session = self.begun(host, peer);
        match self.end(id) {
            Some(end) if end.state == State::Absent => {
                end.state = State::Opening;
                end.session = session;
            }
            _ => self.complain(at, &format!("circuit {}/{}: opened twice", id.0, id.1)),
        }
    }

    pub(super) fn established(&mut self, at: Duration, id: EndId) {
        if let Some(end) = self.end(id) {
            end.state = State::Established;
            end.was_established = true;
        }
        self.note(at, &format!("circuit {}/{}: established", id.0, id.1));
    }

    /// A node sends a signal: its number.
    pub(super) fn send(&mut self, at: Duration, id: EndId, truth: Truth) -> u64 {
        self.tally.sent += 1;
        let Some(end) = self.end(id) else {
            return 0;
        };
        let place = end.places.entry(truth).or_default();
        let number = end.sent.len() as u64;
        let sent = Sent {
            truth,
            place: *place,
            at,
            delivered: false,
        };
        *place += 1;
        end.undelivered += 1;
        end.sent.push(sent);
        let (sender, receiver) = truth;
        let text = format!("circuit {}/{}: sends {number}, {sender} to {receiver}", id.0, id.1);
        self.note(at, &text);
        number
    }

    /// A node is given this.
    pub(super) fn deliver(&mut self, at: Duration, id: EndId, content: &Content) {
        let Some(end) = self.end(id) else {
            return;
        };
        let state = end.state;
        let numbers = match content {
            Content::Signal(body) => Vec::from_iter(number_of(body)),
            Content::Run(packets) => numbers_of_run(packets),
            Content::First { message, fragments, .. } => {
                end.parts.insert(*message, fragments - 1);
                Vec::new()
            }
            Content::Next { message, remaining, .. } => {
                let left = end.parts.get_mut(message).filter(|left| **left == *remaining);
                let Some(left) = left else {
                    let text = format!("circuit {}/{}: part {remaining} of {message} out of turn", id.0, id.1);
                    return self.complain(at, &text);
                };
                *left -= 1;
                Vec::from_iter((*remaining == 1).then_some(*message))
            }
        };
        if state != State::Established {
            let text = format!(
                "circuit {}/{}: something is delivered to it while {state:?}",
                id.0, id.1
            );
            self.complain(at, &text);
        }
        for number in numbers {
            self.arrive(at, id, number);
        }
    }

    fn arrive(&mut self, at: Duration, (key, side): EndId, number: u64) {
        let Some(circuit) = self.circuits.get_mut(&key) else {
            return;
        };
        let [one, other] = &mut circuit.ends;
        let (here, there) = if side == 0 { (one, other) } else { (other, one) };
        let Some(sent) = there.sent.get_mut(number as usize) else {
            return self.complain(at, &format!("circuit {key}/{side}: nobody sent {number}"));
        };
        here.delivered += 1;
        let is_again = std::mem::replace(&mut sent.delivered, true);
        let seen = here.seen.entry(sent.truth).or_default();
        let (place, expected, truth) = (sent.place, *seen, sent.truth);
        let waited = at.saturating_sub(sent.at);
        *seen = (place + 1).max(expected);
        self.tally.delivered += u64::from(!is_again);
        self.note(at, &format!("circuit {key}/{side}: gets {number}"));
        if is_again {
            self.tally.doubled += 1;
            return self.complain(at, &format!("circuit {key}/{side}: {number} came twice"));
        }
        self.tally.worst_stall = self.tally.worst_stall.max(waited);
        if let Some(end) = self.end((key, 1 - side)) {
            end.undelivered -= 1;
        }
        if place != expected {
            self.tally.reordered += 1;
            let (sender, receiver) = truth;
            let text =
                format!("circuit {key}/{side}: {sender} to {receiver}: number {place} came where {expected} was due");
            self.complain(at, &text);
        }
    }

    /// A node closes: what it sent by now must still arrive.
    pub(super) fn close(&mut self, at: Duration, id: EndId) {
        if let Some(end) = self.end(id) {
            end.state = State::Closed;
            end.last = Some(end.sent.len() as u64);
        }
        self.note(at, &format!("circuit {}/{}: closes", id.0, id.1));
    }

    /// An end is told that nothing more comes; or its session is gone, if there is no reason.
    pub(super) fn finish(&mut self, at: Duration, (key, side): EndId, reason: Option<&str>) {
        self.note(
            at,
            &format!("circuit {key}/{side}: has ended: {}", reason.unwrap_or("no session")),
        );
        let Some(circuit) = self.circuits.get_mut(&key) else {
            return;
        };
        let hosts = circuit.hosts;
        let [one, other] = &mut circuit.ends;
        let (here, there) = if side == 0 { (one, other) } else { (other, one) };
        let (host, peer) = if side == 0 {
            (hosts[0], hosts[1])
        } else {
            (hosts[1], hosts[0])
        };
        let before = std::mem::replace(&mut here.state, State::Finished);
        let (missing, since) = (there.undelivered, here.session);
        let is_orderly = reason == Some(DONE);
        let is_crowded_out = reason.is_some_and(|reason| reason.ends_with(CROWDED_OUT));
        self.tally.crowded_out += u64::from(is_crowded_out);
        circuit.is_broken |= !is_orderly;
        if before == State::Finished {
            self.complain(at, &format!("circuit {key}/{side}: ended twice"));
        } else if is_orderly && missing > 0 {
            self.tally.lost += missing;
            self.complain(
                at,
                &format!("circuit {key}/{side}: ended before the last {missing} signals came"),
            );
        } else if !is_orderly
            && !is_crowded_out
            && !self.is_excused(hosts, since, at)
            && !self.is_barren(host, peer, since)
        {
            let reason = reason.unwrap_or("no session");
            self.complain(at, &format!("circuit {key}/{side}: ended without need: {reason}"));
        }
    }

    /// A daemon is killed: its ends are gone, and the sessions it had may end at its peers.
    pub(super) fn crash(&mut self, host: usize) {
        self.begun.retain(|(of, _), _| *of != host);
        for circuit in self.circuits.values_mut() {
            for side in 0..2 {
                if circuit.hosts.get(side) == Some(&host)
                    && let Some(end) = circuit.ends.get_mut(side)
                    && end.state != State::Finished
                {
                    end.state = State::Finished;
                    circuit.is_broken = true;
                }
            }
        }
    }

    /// Circuits that are up at both ends with everything delivered; and those of which one end only is left, or something
    /// is still underway.
    pub(super) fn settled(&self) -> (usize, usize) {
        let is_live = |end: &End| matches!(end.state, State::Opening | State::Established);
        let mut settled = (0, 0);
        for circuit in self
            .circuits
            .values()
            .filter(|circuit| circuit.ends.iter().any(is_live))
        {
            let is_well = circuit
                .ends
                .iter()
                .all(|end| end.state == State::Established && end.undelivered == 0);
            if is_well { settled.0 += 1 } else { settled.1 += 1 }
        }
        settled
    }

    /// The first circuit that is not settled, for people.
    pub(super) fn unsettled(&self) -> String {
        let is_well = |end: &End| end.state == State::Established && end.undelivered == 0;
        let is_over = |end: &End| matches!(end.state, State::Absent | State::Closed | State::Finished);
        let found = self
            .circuits
            .iter()
            .find(|(_, circuit)| !circuit.ends.iter().all(is_well) && !circuit.ends.iter().all(is_over));
        found.map_or_else(String::new, |(key, circuit)| {
            let [one, other] = &circuit.ends;
            format!(
                "circuit {key}: {:?} and {:?}, {} and {} signals underway",
                one.state, other.state, one.undelivered, other.undelivered
            )
        })
    }

    /// The run is over: what never came.
    pub(super) fn sum_up(&mut self, at: Duration) {
        let mut lost = 0;
        for circuit in self.circuits.values() {
            let [one, other] = &circuit.ends;
            for (from, to) in [(one, other), (other, one)] {
                if circuit.is_broken {
                    self.tally.unpromised += from.undelivered;
                } else if to.state == State::Closed {
                    self.tally.unread += from.undelivered;
                } else if to.state != State::Finished {
                    lost += from.undelivered;
                }
            }
        }
        if lost > 0 {
            self.tally.lost += lost;
            self.complain(at, &format!("{lost} signals never came"));
        }
    }

    /// Circuits of which an end is left.
    pub(super) fn live(&self) -> usize {
        let is_live = |end: &End| matches!(end.state, State::Opening | State::Established);
        let live = |circuit: &&Circuit| circuit.ends.iter().any(is_live);
        self.circuits.values().filter(live).count()
    }
}
