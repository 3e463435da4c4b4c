//! Two session machines joined by simulated streams: each stream keeps its order, and overtakes all others at random.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;

use super::super::*;
use super::pair::payloads;
use super::pair::run;
use crate::dist::Format;
use crate::dist::Sender;
use crate::etf::Pid;
use crate::order::Address;
use crate::order::Head;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Content;
use crate::wire::Frame;
use crate::wire::FrameDecoder;
use crate::wire::Mark;
use crate::wire::Notice;
use crate::wire::NoticeDecoder;
use crate::wire::Receipt;
use crate::wire::SessionId;

const CREATION: u32 = 5;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn pid_term(id: u32, creation: u32) -> Vec<u8> {
    [
        b"\x58\x77\x03b@h",
        &id.to_be_bytes()[..],
        &[0; 4],
        &creation.to_be_bytes(),
    ]
    .concat()
}

fn pid(id: u32) -> Pid {
    Pid {
        id,
        serial: 0,
        creation: CREATION,
    }
}

/// `{22, From, To}` with a payload that begins with the signal's number.
fn message(from: u32, to: u32, number: u64, size: usize) -> Intake {
    let mut body = [b"\x68\x03\x61\x16".to_vec(), pid_term(from, 1), pid_term(to, CREATION)].concat();
    body.extend(number.to_be_bytes());
    body.resize(body.len() + size, 0);
    let head = Head {
        sender: Sender::Process(pid(from)),
        address: Address::Process(pid(to)),
    };
    Intake::message(head, Content::Signal(body.into()))
}

/// `{6, From, '', Name}`.
fn by_name(from: u32, name: &str, number: u64) -> Intake {
    let mut body = [
        b"\x68\x04\x61\x06".to_vec(),
        pid_term(from, 1),
        b"\x77\x00\x77".to_vec(),
    ]
    .concat();
    body.push(name.len() as u8);
    body.extend(name.as_bytes());
    body.extend(number.to_be_bytes());
    let head = Head {
        sender: Sender::Process(pid(from)),
        address: Address::name(name.as_bytes()),
    };
    Intake::message(head, Content::Signal(body.into()))
}

fn numbers_of(content: &Content) -> Vec<u64> {
    let number = |payload: &[u8]| u64::from_be_bytes(payload[..8].try_into().unwrap());
    let body = content.body();
    if let Content::Run(packets) = content {
        return payloads(packets).into_iter().map(number).collect();
    }
    let length = crate::dist::scan(body, Format::Header).unwrap().length;
    vec![number(&body[length..])]
}

/// One daemon: its session, and the bytes in the streams towards it.
struct Side {
    session: Session,
    lanes: Vec<(FrameDecoder, VecDeque<Bytes>)>,
    control: (NoticeDecoder, VecDeque<Bytes>),
    events: Vec<Event>,
    delivered: HashMap<CircuitId, Vec<u64>>,
    /// Circuits whose BEAM does not read.
    stopped: Vec<CircuitId>,
    unwritten: HashMap<CircuitId, u64>,
}

struct Pair {
    sides: [Side; 2],
    random: Random,
    now: Instant,
}

impl Pair {
    fn new(seed: u64, config: &SessionConfig) -> Self {
        let side = |is_lower| Side {
            session: Session::new(SessionConfig {
                is_lower,
                ..config.clone()
            }),
            lanes: (0..config.lanes)
                .map(|_| (FrameDecoder::default(), VecDeque::new()))
                .collect(),
            control: (NoticeDecoder::default(), VecDeque::new()),
            events: Vec::new(),
            delivered: HashMap::new(),
            stopped: Vec::new(),
            unwritten: HashMap::new(),
        };
        Self {
            sides: [side(true), side(false)],
            random: Random(seed),
            now: Instant::now(),
        }
    }

    /// Moves a side's output into the streams, and handles its events.
    fn drain(&mut self, from: usize) {
        while let Some(event) = self.sides[from].session.poll_event() {
            self.sides[from].events.push(event);
        }
        while let Some(bytes) = self.sides[from].session.poll_control() {
            self.sides[1 - from].control.1.push_back(bytes);
        }
        self.sides[from].session.poll_start();
        for lane in 0..self.sides[from].session.lanes() {
            while let Some(batch) = self.sides[from].session.poll_lane(lane) {
                self.sides[1 - from].lanes[usize::from(lane)].1.extend(batch);
            }
        }
    }

    fn arrive_control(&mut self, to: usize) {
        let side = &mut self.sides[to];
        let Some(bytes) = side.control.1.pop_front() else {
            return;
        };
        side.control.0.push(&bytes);
        while let Some((number, notice)) = side.control.0.poll_notice().unwrap() {
            side.session.handle_notice(number, notice, self.now).unwrap();
        }
    }

    fn arrive_lane(&mut self, to: usize, lane: usize) {
        let side = &mut self.sides[to];
        let Some(bytes) = side.lanes[lane].1.pop_front() else {
            return;
        };
        let mut input = &bytes[..];
        let mut frames = Vec::new();
        side.lanes[lane].0.decode(&mut input, &mut frames, usize::MAX).unwrap();
        side.session.handle_frames(lane as u8, frames, self.now).unwrap();
    }

    fn deliver(&mut self, at: usize) {
        let side = &mut self.sides[at];
        let mut again = Vec::new();
        while let Some(circuit) = side.session.poll_ready() {
            if side.stopped.contains(&circuit) {
                again.push(circuit);
                continue;
            }
            while let Some(content) = side.session.poll_delivery(circuit, self.now) {
                side.delivered.entry(circuit).or_default().extend(numbers_of(&content));
                *side.unwritten.entry(circuit).or_default() += content.cost();
            }
        }
        for (circuit, cost) in std::mem::take(&mut side.unwritten) {
            side.session.written(circuit, cost, self.now);
        }
        // A stopped BEAM writes nothing. When it reads again, the driver polls again.
        for circuit in again {
            side.session.written(circuit, 0, self.now);
            while side.session.poll_ready().is_some() {}
        }
    }

    fn step(&mut self) {
        let side = self.random.below(2) as usize;
        match self.random.below(4) {
            0 => self.arrive_control(side),
            1 => self.deliver(side),
            _ => {
                let lane = self.random.below(self.sides[side].lanes.len() as u64) as usize;
                self.arrive_lane(side, lane);
            }
        }
        self.now += Duration::from_millis(1);
        for side in 0..2 {
            self.sides[side].session.handle_timeout(self.now);
            self.drain(side);
        }
    }

    /// Runs until nothing moves any more.
    fn settle(&mut self) {
        // Receipts are delayed to be combined, so a few rounds without any arrival are not the end yet.
        let mut quiet = 0;
        while quiet < 5 {
            let is_quiet = self
                .sides
                .iter()
                .all(|side| side.control.1.is_empty() && side.lanes.iter().all(|(_, stream)| stream.is_empty()));
            quiet = if is_quiet { quiet + 1 } else { 0 };
            for side in 0..2 {
                for _ in 0..64 {
                    self.arrive_control(side);
                }
                for lane in 0..self.sides[side].lanes.len() {
                    while !self.sides[side].lanes[lane].1.is_empty() {
                        self.arrive_lane(side, lane);
                    }
                }
                self.deliver(side);
            }
            self.now += Duration::from_millis(20);
            for side in 0..2 {
                self.sides[side].session.handle_timeout(self.now);
                self.drain(side);
            }
        }
    }

    /// A circuit whose two legs exchange packets.
    fn circuit(&mut self, opener: usize) -> CircuitId {
        let circuit = self.sides[opener].session.open("b@h".into(), Bytes::from_static(b"N"));
        self.drain(opener);
        self.settle();
        self.sides[1 - opener]
            .session
            .handshake(circuit, Bytes::from_static(b"sok"));
        self.drain(1 - opener);
        self.settle();
        for side in 0..2 {
            self.establish(side, circuit);
        }
        circuit
    }

    fn establish(&mut self, side: usize, circuit: CircuitId) {
        self.sides[side].session.established(
            circuit,
            Agreed {
                format: Format::Header,
                creation: CREATION,
                is_reader: false,
                suspends: false,
            },
        );
    }

    fn send(&mut self, from: usize, circuit: CircuitId, signals: Vec<Intake>) {
        self.sides[from].session.signals(circuit, signals);
        self.drain(from);
    }

    fn closed(&self, side: usize, circuit: CircuitId) -> bool {
        self.sides[side]
            .events
            .iter()
            .any(|event| matches!(event, Event::Closed { circuit: other, .. } if *other == circuit))
    }
}

/// Sends `count` numbered signals from one process, to pids and names at random, on several circuits in both directions.
fn traffic(seed: u64, config: &SessionConfig, count: u64) -> Pair {
    let mut pair = Pair::new(seed, config);
    let circuits = [(0, pair.circuit(0)), (1, pair.circuit(1)), (0, pair.circuit(0))];
    for number in 0..count {
        for (opener, circuit) in circuits {
            let from = if number % 2 == 0 { opener } else { 1 - opener };
            let to = pair.random.below(6) as u32;
            // All names belong to process 0 here, so every form of address has one true receiver.
            let signal = match pair.random.below(3) {
                0 => by_name(100, ["x", "y"][number as usize / 2 % 2], number),
                1 => message(100, 0, number, 50),
                _ => message(100, to, number, if pair.random.below(20) == 0 { 20_000 } else { 10 }),
            };
            pair.send(from, circuit, vec![signal]);
        }
        for _ in 0..pair.random.below(8) {
            pair.step();
        }
    }
    pair.settle();
    pair
}

#[test]
fn everything_arrives_once_and_ambiguous_signals_stay_in_order() {
    let mut total = 0;
    for (seed, lanes) in [(1, 16), (2, 16), (3, 4), (4, 1)] {
        for circuit_budget in [2_000, 1 << 26] {
            let config = SessionConfig {
                lanes,
                circuit_budget,
                ..SessionConfig::default()
            };
            let pair = traffic(seed, &config, 2_000);
            for side in &pair.sides {
                for (circuit, numbers) in &side.delivered {
                    let mut sorted = numbers.clone();
                    sorted.sort_unstable();
                    sorted.dedup();
                    assert_eq!(sorted.len(), numbers.len(), "doubled on {circuit}");
                    assert_eq!(numbers.len(), 1_000, "lost on {circuit}, seed {seed}");
                    assert!(
                        lanes > 1 || numbers.is_sorted(),
                        "one lane keeps the order of everything"
                    );
                    total += numbers.len();
                }
            }
        }
    }
    assert_eq!(total, 4 * 2 * 6 * 1_000);
}

#[test]
fn a_run_has_one_place_and_keeps_order_as_its_messages_would() {
    let mut pair = Pair::new(5, &SessionConfig::default());
    let circuit = pair.circuit(0);
    for first in (0..4_000).step_by(8) {
        let messages: Vec<Intake> = (first..first + 7).map(|number| message(100, 0, number, 40)).collect();
        let head = messages[0].head.unwrap();
        let contents: Vec<Content> = messages.into_iter().map(|message| message.content).collect();
        // The name belongs to process 0 too, but uses another strand: each run waits for the signal to the name before it, and
        // each signal to the name waits for the run before it.
        let signals = vec![Intake::message(head, run(&contents)), by_name(100, "x", first + 7)];
        pair.send(0, circuit, signals);
        for _ in 0..pair.random.below(8) {
            pair.step();
        }
    }
    pair.settle();
    assert_eq!(pair.sides[1].delivered[&circuit], (0..4_000).collect::<Vec<u64>>());
    let stats = pair.sides[0].session.stats();
    assert_eq!(stats.frames_sent.iter().sum::<u64>(), 1_000);
    assert!(stats.frames_fenced > 900, "{} frames were fenced", stats.frames_fenced);
}

#[test]
fn what_outruns_the_handshake_waits() {
    let mut pair = Pair::new(1, &SessionConfig::default());
    let circuit = pair.sides[0].session.open("b@h".into(), Bytes::from_static(b"N"));
    pair.drain(0);
    pair.settle();
    pair.sides[1].session.handshake(circuit, Bytes::from_static(b"sok"));
    pair.establish(1, circuit);
    pair.send(1, circuit, vec![message(1, 2, 7, 0)]);
    pair.settle();
    assert!(
        pair.sides[0].delivered.is_empty(),
        "the opener's leg is not through its handshake"
    );
    pair.establish(0, circuit);
    pair.settle();
    assert_eq!(pair.sides[0].delivered[&circuit], [7]);
}

#[test]
fn a_close_delivers_everything_before_it_and_nothing_after() {
    for seed in 0..50 {
        let mut pair = Pair::new(
            seed,
            &SessionConfig {
                circuit_budget: 1_000,
                ..SessionConfig::default()
            },
        );
        let circuit = pair.circuit(0);
        let signals = (0..200)
            .map(|number| message(1, number % 7, number.into(), 30))
            .collect();
        pair.send(0, circuit, signals);
        pair.send(1, circuit, vec![message(1, 2, 1, 0)]);
        for _ in 0..seed * 10 {
            pair.step();
        }
        let now = pair.now;
        pair.sides[0].session.close(circuit, "the node is gone".into(), now);
        pair.drain(0);
        pair.settle();
        assert_eq!(pair.sides[1].delivered[&circuit].len(), 200, "seed {seed}");
        assert!(pair.closed(1, circuit));
        pair.send(1, circuit, vec![message(1, 2, 2, 0)]);
        pair.settle();
        let arrived = pair.sides[0].delivered.get(&circuit).map_or(0, Vec::len);
        assert!(arrived <= 1, "nothing is delivered to a leg that has ended");
        assert!(pair.sides.iter().all(|side| side.session.circuits().is_empty()));
        assert_ne!(pair.circuit(0), circuit, "ids are never used again");
    }
}

#[test]
fn a_beam_that_does_not_read_ends_its_own_circuit_at_the_deadline() {
    let mut pair = Pair::new(
        1,
        &SessionConfig {
            circuit_budget: 5_000,
            ..SessionConfig::default()
        },
    );
    let (stopped, running) = (pair.circuit(0), pair.circuit(0));
    pair.sides[1].stopped.push(stopped);
    for number in 0..300 {
        for circuit in [stopped, running] {
            pair.send(0, circuit, vec![message(1, 2, number, 100)]);
        }
        pair.settle();
    }
    assert_eq!(
        pair.sides[1].delivered[&running].len(),
        300,
        "the other circuit is not slowed"
    );
    assert!(!pair.sides[1].delivered.contains_key(&stopped));
    pair.sides[0].session.end("over");
    pair.drain(0);
    pair.settle();
    assert!(!pair.closed(1, stopped));
    pair.now += Duration::from_secs(11);
    pair.settle();
    assert!(pair.closed(1, stopped) && pair.closed(1, running));
}

#[test]
fn what_would_harm_the_beam_is_withheld_or_ends_only_its_circuit() {
    let mut pair = Pair::new(1, &SessionConfig::default());
    let (bad, good) = (pair.circuit(0), pair.circuit(0));
    // PAYLOAD_EXIT for a process of an earlier incarnation.
    let mut stale = [b"\x68\x03\x61\x18".to_vec(), pid_term(1, 1), pid_term(2, CREATION - 1)].concat();
    stale.push(0x6a);
    let head = Head {
        sender: Sender::Process(pid(1)),
        address: Address::Process(pid(2)),
    };
    let unread = |body: Vec<u8>| Intake::message(head, Content::Signal(body.into()));
    pair.send(0, bad, vec![unread(stale), message(1, 2, 1, 0)]);
    pair.settle();
    assert_eq!(pair.sides[1].delivered[&bad], [1]);
    assert_eq!(pair.sides[1].session.stats().signals_stale, 1);
    pair.send(0, bad, vec![unread(vec![0xff; 20])]);
    pair.send(0, good, vec![message(1, 2, 2, 0)]);
    pair.settle();
    assert!(pair.closed(1, bad) && pair.closed(0, bad));
    assert_eq!(pair.sides[1].delivered[&good], [2]);
}

#[test]
fn a_peer_that_breaks_the_rules_ends_the_session() {
    let now = Instant::now();
    let session = || {
        Session::new(SessionConfig {
            lanes: 2,
            ..SessionConfig::default()
        })
    };
    let down = || Notice::NodeDown { name: "a".into() };
    assert_eq!(
        session().handle_notice(2, down(), now),
        Err(SessionError::NoticeNumber { found: 2, expected: 1 })
    );
    let open = |circuit| {
        Notice::Open(crate::wire::Open {
            circuit: CircuitId(circuit),
            target: "b@h".into(),
            send_name: Bytes::new(),
            credit: 1,
        })
    };
    assert!(
        matches!(
            session().handle_notice(1, open(1), now),
            Err(SessionError::CircuitId { .. })
        ),
        "an id of ours"
    );
    let mut twice = session();
    twice.handle_notice(1, open(2), now).unwrap();
    assert!(matches!(
        twice.handle_notice(2, open(2), now),
        Err(SessionError::CircuitId { .. })
    ));
}

#[test]
fn acknowledgements_and_frames_out_of_place_are_refused() {
    let now = Instant::now();
    let session = || {
        Session::new(SessionConfig {
            lanes: 2,
            ..SessionConfig::default()
        })
    };
    let received = vec![Mark { lane: 0, number: 1 }];
    let receipt = Notice::Receipt(Receipt {
        received,
        ..Receipt::default()
    });
    assert!(matches!(
        session().handle_notice(0, receipt, now),
        Err(SessionError::Acknowledgement { .. })
    ));
    let receipt = Notice::Receipt(Receipt {
        notices: 1,
        ..Receipt::default()
    });
    assert!(matches!(
        session().handle_notice(0, receipt, now),
        Err(SessionError::Acknowledgement { .. })
    ));
    assert!(matches!(
        session().handle_notice(0, Notice::Welcome(SessionId { session: 1, trunk: 1 }), now),
        Err(SessionError::OutOfState(_))
    ));
    let frame = || Frame {
        circuit: CircuitId(1),
        strand: 0,
        fences: Vec::new(),
        content: Content::Signal(Bytes::new()),
    };
    assert_eq!(
        session().handle_frames(2, vec![frame()], now),
        Err(SessionError::Lane { lane: 2, lanes: 2 })
    );
    for circuit in [0, 1, 2] {
        let circuit = CircuitId(circuit);
        assert_eq!(
            session().handle_frames(0, vec![Frame { circuit, ..frame() }], now),
            Err(SessionError::NeverOpened { circuit })
        );
    }
    let mut late = session();
    let close = Notice::Close(Close {
        circuit: CircuitId(9),
        last: Vec::new(),
        reason: String::new(),
    });
    assert_eq!(late.handle_notice(1, close, now), Ok(()));
}
