//! Two real sessions joined by simulated streams that delay, stall and overtake each other, but never reorder within:
//! several circuits at once, in both directions, opened and closed meanwhile. The checker knows the true sender and receiver
//! of each signal.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::super::*;
use super::pair::Pair;
use super::pair::Random;
use super::pair::TERMS;
use super::pair::alias_of;
use super::pair::config;
use super::pair::intake;
use super::pair::monitor;
use super::pair::payloads;
use super::pair::run as run_of;
use super::pair::send;
use super::pair::send_by_name;
use super::pair::send_to_alias;
use super::pair::send_without_sender;
use crate::wire::CircuitId;
use crate::wire::Content;

const SENDERS: u64 = 10;
const RECEIVERS: u64 = 6;

/// The maximum number of bytes that a leg has sent and the session has not taken, and that it was handed and has not written.
const LEG_WINDOW: u64 = 16 * 1024;

/// The body of a part whose size does not vary, in bytes.
const SIZE: usize = 160;

#[derive(Clone, Copy)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) lanes: u8,
    pub(super) signals: usize,
    pub(super) budget: u64,
    pub(super) fences: bool,
    /// The BEAMs of the first circuit do not read for the first half of the run.
    pub(super) stopped: bool,
    /// Circuits end and begin while signals flow.
    pub(super) churn: bool,
    /// Trunks are lost.
    pub(super) cuts: bool,
    /// A bug that the checker must detect.
    pub(super) bug: Option<Bug>,
    /// Whether parts of signals vary in size. Otherwise all have the same size.
    pub(super) sizes_vary: bool,
    /// After how many reported strands a checkpoint is sent, and how many are remembered.
    pub(super) unread: (usize, usize),
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            seed: 0,
            lanes: 16,
            signals: 12_000,
            budget: 64 * 1024,
            fences: true,
            stopped: false,
            churn: true,
            cuts: false,
            bug: None,
            sizes_vary: false,
            unread: (1024, 32 * 1024),
        }
    }
}

/// The leg at one side of a circuit.
#[derive(Default)]
struct Leg {
    is_open: bool,
    is_established: bool,
    /// The sender and receiver of each signal that it sent.
    truths: Vec<(u64, u64)>,
    /// Signals whose fragments are being sent, and how many are left.
    making: VecDeque<(usize, u64)>,
    parts_sent: usize,
    cost_sent: u64,
    cost_taken: u64,
    /// The deliveries that it was handed and has not written.
    unwritten: u64,
    parts_seen: usize,
    last_seen: HashMap<(u64, u64), usize>,
}

struct Circuit {
    id: CircuitId,
    legs: [Leg; 2],
}

#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) sent: usize,
    pub(super) delivered: usize,
    pub(super) violations: usize,
    pub(super) fenced: u64,
    pub(super) runs: usize,
    pub(super) circuits: usize,
    pub(super) finished: usize,
    pub(super) cuts: usize,
    /// Receipts of frames at a side that was not established yet.
    pub(super) outran: usize,
    pub(super) beside_the_stopped: usize,
}

struct Simulation {
    setting: Setting,
    random: Random,
    pair: Pair,
    circuits: Vec<Circuit>,
    stalled: Vec<[bool; 2]>,
    outcome: Outcome,
}

impl Simulation {
    fn new(setting: Setting) -> Self {
        let mut pair = Pair::new(&SessionConfig {
            circuit_budget: setting.budget,
            bug: setting.bug,
            // Only a deadlock takes this long.
            close_deadline: Duration::from_secs(1 << 20),
            ..config(setting.lanes)
        });
        pair.keeps_fences = setting.fences;
        for side in &mut pair.sides {
            side.session.unread.limits = setting.unread;
        }
        let mut simulation = Self {
            random: Random(setting.seed),
            pair,
            circuits: Vec::new(),
            stalled: vec![[false; 2]; usize::from(setting.lanes) + 1],
            outcome: Outcome::default(),
            setting,
        };
        for side in [0, 1, 0] {
            simulation.open(side);
        }
        simulation
    }

    fn open(&mut self, side: usize) {
        let id = self.pair.sides[side]
            .session
            .open("b@h".into(), Bytes::from_static(b"N"));
        assert!(
            self.circuits.iter().all(|other| other.id != id),
            "circuit id {id} was used twice"
        );
        self.outcome.circuits += 1;
        let mut legs = [Leg::default(), Leg::default()];
        legs[side].is_open = true;
        self.circuits.push(Circuit { id, legs });
    }

    fn index(&self, id: CircuitId) -> usize {
        self.circuits.iter().position(|circuit| circuit.id == id).unwrap()
    }

    /// The BEAMs' part of the handshake: status and challenge, reply, acknowledgement.
    fn handshake(&mut self, side: usize, index: usize, message: &[u8]) {
        let id = self.circuits[index].id;
        let now = self.pair.now;
        if !self.circuits[index].legs[side].is_open {
            return;
        }
        let session = &mut self.pair.sides[side].session;
        let answer: &[u8] = match message {
            b"N" => b"s",
            b"s" => b"r",
            b"r" => b"a",
            _ => b"",
        };
        if !answer.is_empty() {
            session.handshake(id, Bytes::from_static(answer));
        }
        if matches!(message, b"r" | b"a") {
            self.outcome.outran += usize::from(message == b"a" && self.pair.sides[side].arrived(id));
            let session = &mut self.pair.sides[side].session;
            assert_eq!(
                session.poll_delivery(id, now),
                None,
                "nothing before both legs are ready"
            );
            session.established(id, TERMS);
            self.circuits[index].legs[side].is_established = true;
            // The other side learns an alias of every second process here.
            for receiver in (0..RECEIVERS).step_by(2) {
                self.enter(side, index, (receiver, 0), &monitor(receiver, 0, receiver));
            }
        }
    }

    fn events(&mut self, side: usize) {
        while let Some(event) = self.pair.sides[side].session.poll_event() {
            match event {
                Event::Opened(open) => {
                    let index = self.index(open.circuit);
                    self.circuits[index].legs[side].is_open = true;
                    self.handshake(side, index, b"N");
                }
                Event::Handshake { circuit, message } => {
                    let index = self.index(circuit);
                    self.handshake(side, index, &message);
                }
                Event::Taken { circuit, cost } => {
                    let index = self.index(circuit);
                    self.circuits[index].legs[side].cost_taken += cost;
                }
                Event::Closed { circuit, reason } => {
                    assert_eq!(reason, "done");
                    let index = self.index(circuit);
                    let [one, other] = &mut self.circuits[index].legs;
                    let (here, there) = if side == 0 { (one, other) } else { (other, one) };
                    assert!(here.is_open, "finished once, and not after the leg has ended");
                    assert_eq!(here.parts_seen, there.parts_sent, "all that was sent before the end");
                    here.is_open = false;
                    self.outcome.finished += 1;
                }
                Event::Ended { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Creates a signal with this control term, and registers it with the checker.
    fn body(&mut self, side: usize, index: usize, truth: (u64, u64), control: &[u8]) -> (usize, Bytes) {
        let leg = &mut self.circuits[index].legs[side];
        let number = leg.truths.len();
        leg.truths.push(truth);
        self.outcome.sent += 1;
        // The payload: a binary that ends with the signal's number.
        let padding = if self.setting.sizes_vary {
            self.random.below(300) as usize
        } else {
            SIZE - control.len() - 13
        };
        let mut body = control.to_vec();
        body.extend([109, 0, 0]);
        body.extend((padding as u16 + 8).to_be_bytes());
        body.resize(body.len() + padding, 0);
        body.extend((number as u64).to_be_bytes());
        (number, body.into())
    }

    fn enter(&mut self, side: usize, index: usize, truth: (u64, u64), control: &[u8]) {
        let (number, body) = self.body(side, index, truth, control);
        let fragments = if self.random.one_in(8) {
            2 + self.random.below(5)
        } else {
            1
        };
        let content = if fragments == 1 {
            Content::Signal(body)
        } else {
            let leg = &mut self.circuits[index].legs[side];
            leg.making.push_back((number, fragments - 1));
            Content::First {
                message: number as u64,
                fragments,
                body,
            }
        };
        self.push(side, index, content);
    }

    /// Several messages that the gateway found in one read.
    fn enter_run(&mut self, side: usize, index: usize, truth: (u64, u64), control: &[u8]) {
        let messages: Vec<Content> = (0..2 + self.random.below(4))
            .map(|_| Content::Signal(self.body(side, index, truth, control).1))
            .collect();
        self.outcome.runs += 1;
        self.push(side, index, run_of(&messages));
    }

    fn push(&mut self, side: usize, index: usize, content: Content) {
        let circuit = &mut self.circuits[index];
        circuit.legs[side].parts_sent += 1;
        circuit.legs[side].cost_sent += content.cost();
        self.pair.sides[side].session.signals(circuit.id, [intake(content)]);
    }

    /// Hands one part of one signal to the session.
    fn intake(&mut self, side: usize, index: usize) {
        let leg = &mut self.circuits[index].legs[side];
        if !leg.is_open || !leg.is_established || leg.cost_sent - leg.cost_taken > LEG_WINDOW {
            return;
        }
        if !leg.making.is_empty() && !self.random.one_in(3) || self.outcome.sent >= self.setting.signals {
            let Some((number, remaining)) = leg.making.pop_front() else {
                return;
            };
            if remaining > 1 {
                leg.making.push_back((number, remaining - 1));
            }
            let size = match self.setting.sizes_vary {
                true if self.random.one_in(20) => 20_000,
                true => self.random.below(300) as usize,
                false => SIZE,
            };
            let content = Content::Next {
                message: number as u64,
                remaining,
                body: vec![7; size].into(),
            };
            return self.push(side, index, content);
        }
        let (sender, receiver) = (100 + self.random.below(SENDERS), self.random.below(RECEIVERS));
        // A process that is in the middle of a signal sends nothing else.
        let busy = leg.making.iter().any(|(number, _)| leg.truths[*number].0 == sender);
        if busy {
            return;
        }
        let control = match self.random.below(12) {
            0..=4 => send(sender, receiver),
            5..=7 => send_by_name(sender, receiver),
            8 => send_without_sender(receiver),
            _ => send_to_alias(sender, alias_of(receiver)),
        };
        if self.random.one_in(4) {
            self.enter_run(side, index, (sender, receiver), &control);
        } else {
            self.enter(side, index, (sender, receiver), &control);
        }
    }

    fn is_stopped(&self, index: usize) -> bool {
        self.setting.stopped && index == 0 && self.outcome.sent < self.setting.signals / 2
    }

    fn deliver(&mut self, side: usize, index: usize) {
        let id = self.circuits[index].id;
        while self.circuits[index].legs[side].unwritten < LEG_WINDOW {
            let now = self.pair.now;
            let Some(content) = self.pair.sides[side].session.poll_delivery(id, now) else {
                break;
            };
            assert!(self.circuits[index].legs[side].is_open, "delivered after the end");
            assert!(self.circuits[index].legs[side].is_established);
            self.circuits[index].legs[side].unwritten += content.cost();
            self.circuits[index].legs[side].parts_seen += 1;
            self.check(side, index, &content);
            self.outcome.beside_the_stopped += usize::from(index != 0 && self.is_stopped(0));
        }
    }

    fn check(&mut self, side: usize, index: usize, content: &Content) {
        let last = |payload: &[u8]| u64::from_be_bytes(*payload.last_chunk().unwrap());
        let numbers = match content {
            Content::Signal(body) => vec![last(body)],
            Content::Run(packets) => payloads(packets).into_iter().map(last).collect(),
            Content::Next {
                message, remaining: 1, ..
            } => vec![*message],
            _ => return,
        };
        for number in numbers {
            let number = number as usize;
            let truth = self.circuits[index].legs[1 - side].truths[number];
            let leg = &mut self.circuits[index].legs[side];
            let seen = leg.last_seen.entry(truth).or_insert(number);
            self.outcome.violations += usize::from(*seen > number);
            *seen = number.max(*seen);
            self.outcome.delivered += 1;
        }
    }

    fn write(&mut self, side: usize, index: usize) {
        let circuit = &mut self.circuits[index];
        let cost = std::mem::take(&mut circuit.legs[side].unwritten);
        if cost > 0 {
            self.pair.sides[side].session.written(circuit.id, cost, self.pair.now);
        }
    }

    fn close(&mut self, side: usize, index: usize) {
        let now = self.pair.now;
        let circuit = &mut self.circuits[index];
        if std::mem::take(&mut circuit.legs[side].is_open) {
            self.pair.sides[side].session.close(circuit.id, "done".into(), now);
        }
    }

    fn churn(&mut self) {
        let index = self.random.below(self.circuits.len() as u64) as usize;
        if !self.setting.churn || index == 0 || self.circuits[index].legs.iter().all(|leg| !leg.is_open) {
            return;
        }
        let side = self.random.below(2) as usize;
        self.close(side, index);
        if self.random.one_in(3) {
            self.close(1 - side, index);
        }
        self.open(1 - side);
    }

    fn cut(&mut self) {
        self.outcome.cuts += 1;
        let first = self.random.below(2) as usize;
        let (random, streams) = (&mut self.random, self.stalled.len() as u64);
        self.pair.cut(first, |pair| {
            for _ in 0..random.below(40) {
                let (stream, bytes) = (random.below(streams) as usize, 1 + random.below(2000) as usize);
                pair.arrive(1 - first, stream, bytes);
            }
        });
    }

    fn step(&mut self) {
        let side = self.random.below(2) as usize;
        let live = |circuit: &Circuit| circuit.legs.iter().any(|leg| leg.is_open);
        let live: Vec<usize> = (0..self.circuits.len())
            .filter(|index| live(&self.circuits[*index]))
            .collect();
        let index = live[self.random.below(live.len() as u64) as usize];
        match self.random.below(40) {
            0..=14 => self.intake(side, index),
            15..=24 => {
                let stream = self.random.below(self.stalled.len() as u64) as usize;
                if !self.stalled[stream][side] {
                    self.pair.flush(1 - side);
                    for _ in 0..=self.random.below(6) {
                        let cut = 1 + self.random.below(400) as usize;
                        self.pair.arrive(side, stream, cut);
                    }
                }
            }
            25..=35 if !self.is_stopped(index) => {
                self.deliver(side, index);
                self.write(side, index);
            }
            36..=37 => {
                self.pair.now += Duration::from_millis(self.random.below(8));
                let now = self.pair.now;
                self.pair.sides[side].session.handle_timeout(now);
            }
            38 => {
                let stream = self.random.below(self.stalled.len() as u64) as usize;
                self.stalled[stream][side] = self.random.one_in(4);
            }
            _ if self.random.one_in(25) => self.churn(),
            _ if self.setting.cuts && self.random.one_in(8) => self.cut(),
            _ => {}
        }
        self.events(0);
        self.events(1);
    }

    /// Runs without any stall until nothing moves.
    fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 5 {
            let before = (self.outcome.delivered, self.outcome.finished, self.parts());
            self.pair.now += Duration::from_millis(6);
            for side in [0, 1] {
                for index in 0..self.circuits.len() {
                    self.intake(side, index);
                    self.deliver(side, index);
                    self.write(side, index);
                }
                let now = self.pair.now;
                self.pair.sides[side].session.handle_timeout(now);
                self.pair.flush(side);
                for stream in 0..self.stalled.len() {
                    while self.pair.arrive(1 - side, stream, usize::MAX) {}
                }
                self.events(0);
                self.events(1);
            }
            let after = (self.outcome.delivered, self.outcome.finished, self.parts());
            quiet = if before == after { quiet + 1 } else { 0 };
        }
    }

    fn parts(&self) -> usize {
        let legs = self.circuits.iter().flat_map(|circuit| &circuit.legs);
        legs.map(|leg| leg.parts_sent + leg.parts_seen).sum()
    }

    fn run(mut self) -> Outcome {
        let start = self.pair.now;
        let mut steps = 0u64;
        while self.outcome.sent < self.setting.signals {
            self.step();
            steps += 1;
            assert!(
                steps < self.setting.signals as u64 * 2000,
                "no progress: {:?}",
                self.outcome
            );
        }
        self.settle();
        let open = |circuit: &Circuit| circuit.legs.iter().all(|leg| leg.is_open);
        for circuit in self.circuits.iter().filter(|circuit| open(circuit)) {
            let [one, other] = &circuit.legs;
            assert_eq!(
                one.parts_seen, other.parts_sent,
                "no progress in circuit {}",
                circuit.id
            );
            assert_eq!(
                other.parts_seen, one.parts_sent,
                "no progress in circuit {}",
                circuit.id
            );
        }
        for index in 0..self.circuits.len() {
            let side = self.random.below(2) as usize;
            if self.circuits[index].legs[side].is_open {
                self.close(side, index);
            }
        }
        self.settle();
        let waited = self.pair.now - start;
        for side in &self.pair.sides {
            assert_eq!(side.session.circuits(), [], "circuits are forgotten after {waited:?}");
            self.outcome.fenced += side.session.stats().frames_fenced;
        }
        self.outcome
    }
}

pub(super) fn run(setting: Setting) -> Outcome {
    Simulation::new(setting).run()
}

#[test]
fn signals_keep_their_order_while_circuits_come_and_go() {
    let mut all = Outcome::default();
    for seed in 0..10 {
        let outcome = run(Setting {
            seed,
            ..Setting::default()
        });
        assert_eq!(outcome.violations, 0, "seed {seed}");
        assert!(outcome.fenced > 500 && outcome.finished > 5, "seed {seed}: {outcome:?}");
        assert!(outcome.runs > 500, "seed {seed}: {outcome:?}");
        all.sent += outcome.sent;
        all.delivered += outcome.delivered;
        all.outran += outcome.outran;
    }
    assert!(all.sent >= 100_000 && all.delivered > all.sent / 2, "{all:?}");
    assert!(
        all.outran > 0,
        "no frame ever outran a handshake: the runs do not show that it waits"
    );
}

#[test]
fn without_fences_the_checker_reports_violations() {
    for seed in 0..3 {
        let outcome = run(Setting {
            seed,
            fences: false,
            ..Setting::default()
        });
        assert!(outcome.violations > 20, "seed {seed}: {outcome:?}");
    }
}

#[test]
fn signals_of_any_size_never_exceed_their_credit() {
    for seed in 0..3 {
        let outcome = run(Setting {
            seed,
            sizes_vary: true,
            ..Setting::default()
        });
        assert_eq!(outcome.violations, 0, "seed {seed}");
    }
}

#[test]
fn tight_credit_never_deadlocks() {
    for seed in 0..4 {
        for budget in [1, 300, 3000] {
            let outcome = run(Setting {
                seed,
                budget,
                signals: 1000,
                ..Setting::default()
            });
            assert_eq!(outcome.violations, 0, "seed {seed}, budget {budget}");
        }
    }
}

#[test]
fn any_number_of_lanes_keeps_order() {
    for lanes in [1, 2, 3, 64] {
        let outcome = run(Setting {
            lanes,
            signals: 4000,
            ..Setting::default()
        });
        assert_eq!(outcome.violations, 0, "{lanes} lanes");
        assert_eq!(outcome.fenced == 0, lanes == 1, "one lane needs no fence");
    }
}

#[test]
fn a_stopped_reader_does_not_hold_up_other_circuits() {
    for seed in 0..4 {
        let outcome = run(Setting {
            seed,
            budget: 20_000,
            signals: 4000,
            stopped: true,
            churn: false,
            ..Setting::default()
        });
        assert_eq!(
            (outcome.violations, outcome.delivered),
            (0, outcome.sent),
            "seed {seed}"
        );
        assert!(outcome.beside_the_stopped > 500, "{outcome:?}");
    }
}
