//! A simulation of the first promise: signals from one process to another arrive in the order sent, however the receiver is
//! addressed, over lanes that delay, stall and overtake each other. The checker knows the true sender and receiver of
//! each signal; the machines do not.

use std::collections::HashMap;
use std::collections::VecDeque;

use bytes::Bytes;

use super::*;
use crate::dist::Lesson;
use crate::dist::Sender;
use crate::etf::Pid;
use crate::etf::Reference;
use crate::wire::Content;
use crate::wire::FrameId;
use crate::wire::STRANDS;
use crate::wire::StrandId;

/// SplitMix64: one seed, one run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

const SENDERS: u32 = 12;

/// What the checker knows about a signal.
#[derive(Clone, Copy)]
struct Truth {
    circuit: usize,
    sender: u32,
    /// How the receiver is determined on arrival.
    target: Target,
    fragments: u64,
}

#[derive(Clone, Copy)]
enum Target {
    Process(u32),
    Name(u64),
}

/// A frame between the gateways: its circuit, its fences and its content.
type InTransit = (usize, Vec<FrameId>, Content);

struct Setting {
    seed: u64,
    strands: u16,
    signals: usize,
    budget: u64,
    fences: bool,
    /// The circuit whose BEAM does not read for the first half of the run.
    stopped: Option<usize>,
    receivers: u32,
    names: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            seed: 0,
            strands: 16,
            signals: 10_000,
            budget: 1 << 20,
            fences: true,
            stopped: None,
            receivers: 8,
            names: 4,
        }
    }
}

struct Circuit {
    outbound: Outbound,
    inbound: Inbound,
    aliases: Aliases,
    /// Signals that are partly sent. A process completes one before it starts the next.
    making: VecDeque<(usize, u64)>,
    names: Vec<u32>,
    /// The cost of the frames that were put in the order of the socket and not written yet.
    unwritten: u64,
    receipts: VecDeque<(u64, Vec<FrameId>)>,
}

#[derive(Debug, Default)]
struct Outcome {
    delivered: usize,
    violations: usize,
    fenced: usize,
    /// The number of frames that stood for many others.
    stood_in: usize,
    /// The number of signals that the other circuits delivered while one was stopped.
    beside_the_stopped: usize,
}

struct Simulation {
    setting: Setting,
    random: Random,
    circuits: Vec<Circuit>,
    /// Each strand has a line of its own. Lanes only restrict the possible orders.
    strands: Vec<VecDeque<InTransit>>,
    stalled: Vec<bool>,
    truths: Vec<Truth>,
    last_seen: HashMap<(usize, u32, u32), usize>,
    outcome: Outcome,
}

fn pid(id: u32) -> Pid {
    Pid {
        id,
        serial: 0,
        creation: 1,
    }
}

/// Alias `which` of a receiver. The gateway knows the even ones, and not the odd ones.
fn alias(receiver: u32, which: u32) -> Reference {
    Reference::new(1, &[receiver, 1 << 16, which]).unwrap()
}

impl Simulation {
    fn new(setting: Setting) -> Self {
        let circuit = || {
            let mut aliases = Aliases::default();
            for receiver in 0..setting.receivers {
                aliases.learn(Lesson::Learn {
                    owner: pid(receiver),
                    alias: alias(receiver, 0),
                });
            }
            // The window grows as the BEAM reads.
            let window = setting.budget.div_ceil(4);
            let outbound = Outbound::new(setting.strands, window);
            Circuit {
                outbound: if setting.fences {
                    outbound
                } else {
                    outbound.without_fences()
                },
                inbound: Inbound::new(window),
                aliases,
                making: VecDeque::new(),
                names: (0..setting.names as u32).map(|name| name % setting.receivers).collect(),
                unwritten: 0,
                receipts: VecDeque::new(),
            }
        };
        let strands = usize::from(setting.strands);
        Self {
            random: Random(setting.seed),
            circuits: vec![circuit(), circuit()],
            strands: (0..strands).map(|_| VecDeque::new()).collect(),
            stalled: vec![false; strands],
            truths: Vec::new(),
            last_seen: HashMap::new(),
            outcome: Outcome::default(),
            setting,
        }
    }

    /// Creates a random signal: its true sender and receiver, and what the gateway sees of them.
    fn invent(&mut self, circuit: usize) -> (Truth, Head) {
        let sender = 1000 + self.random.below(SENDERS.into()) as u32;
        let receiver = self.random.below(self.setting.receivers.into()) as u32;
        let name = self.random.below(self.setting.names);
        let known = Sender::Process(pid(sender));
        let to_process = (Target::Process(receiver), Address::Process(pid(receiver)));
        let to_name = (Target::Name(name), Address::name(&name.to_be_bytes()));
        let (seen, (target, address)) = match self.random.below(20) {
            0..=6 => (known, to_process),
            7..=11 => (known, to_name),
            12..=14 => (known, (Target::Process(receiver), Address::Alias(alias(receiver, 0)))),
            15..=16 => (known, (Target::Process(receiver), Address::Alias(alias(receiver, 1)))),
            // SEND without a sender, GROUP_LEADER, DOWN by name; and a SPAWN_REPLY, whose sender is its result.
            17..=18 => (Sender::Unknown, to_process),
            _ => (known, to_process),
        };
        let fragments = if self.random.one_in(8) {
            2 + self.random.below(6)
        } else {
            1
        };
        (
            Truth {
                circuit,
                sender,
                target,
                fragments,
            },
            Head { sender: seen, address },
        )
    }

    /// Hands one part of one signal to the gateway of `circuit`, if there is credit.
    fn intake(&mut self, circuit: usize) -> bool {
        if !self.circuits[circuit].outbound.has_credit() {
            return false;
        }
        let continues = !self.circuits[circuit].making.is_empty() && !self.random.one_in(3);
        if continues || self.truths.len() == self.setting.signals {
            let Some((signal, remaining)) = self.circuits[circuit].making.pop_front() else {
                return false;
            };
            let content = Content::Next {
                message: signal as u64,
                remaining,
                body: body(signal),
            };
            self.place(
                circuit,
                &Part::Next {
                    message: signal as u64,
                    last: remaining == 1,
                },
                content,
            );
            if remaining > 1 {
                self.circuits[circuit].making.push_back((signal, remaining - 1));
            }
            return true;
        }
        let (truth, head) = self.invent(circuit);
        // A process that is in the middle of a signal sends nothing else.
        let busy = self.circuits[circuit]
            .making
            .iter()
            .any(|(signal, _)| self.truths[*signal].sender == truth.sender);
        if busy {
            return true;
        }
        let signal = self.truths.len();
        self.truths.push(truth);
        if truth.fragments == 1 {
            self.place(circuit, &Part::Whole(&head), Content::Signal(body(signal)));
        } else {
            let message = signal as u64;
            let content = Content::First {
                message,
                fragments: truth.fragments,
                body: body(signal),
            };
            self.place(circuit, &Part::First { head: &head, message }, content);
            self.circuits[circuit].making.push_back((signal, truth.fragments - 1));
        }
        true
    }

    fn place(&mut self, circuit: usize, part: &Part<'_>, content: Content) {
        let Circuit { outbound, aliases, .. } = &mut self.circuits[circuit];
        outbound.charge(content.cost());
        let placed = outbound.place(part, aliases).unwrap();
        self.outcome.fenced += usize::from(!placed.fences.is_empty());
        self.strands[usize::from(placed.strand)].push_back((circuit, placed.fences, content));
    }

    /// Delivers the next frame of a strand to the other gateway.
    fn arrive(&mut self, strand: usize) -> bool {
        let Some((circuit, fences, content)) = self.strands[strand].pop_front() else {
            return false;
        };
        self.circuits[circuit]
            .inbound
            .accept(strand as StrandId, fences, content)
            .unwrap();
        true
    }

    fn deliver(&mut self, circuit: usize) -> bool {
        let Some(content) = self.circuits[circuit].inbound.poll_deliver() else {
            return false;
        };
        self.circuits[circuit].unwritten += content.cost();
        let whole = matches!(content, Content::Signal(_) | Content::Next { remaining: 1, .. });
        let signal = u64::from_be_bytes(content.body()[..8].try_into().unwrap()) as usize;
        if whole {
            self.check(signal, circuit);
        }
        true
    }

    fn check(&mut self, signal: usize, circuit: usize) {
        let truth = self.truths[signal];
        assert_eq!(truth.circuit, circuit, "a signal crossed circuits");
        let receiver = match truth.target {
            Target::Process(receiver) => receiver,
            Target::Name(name) => self.circuits[circuit].names[name as usize],
        };
        let seen = self
            .last_seen
            .entry((circuit, truth.sender, receiver))
            .or_insert(signal);
        if *seen > signal {
            self.outcome.violations += 1;
        }
        *seen = signal.max(*seen);
        self.outcome.delivered += 1;
    }

    fn write(&mut self, circuit: usize) {
        let circuit = &mut self.circuits[circuit];
        circuit.inbound.written(circuit.unwritten);
        circuit.unwritten = 0;
        if circuit.inbound.owes_a_grant() || (circuit.receipts.is_empty() && self.random.one_in(10)) {
            circuit.receipts.push_back(circuit.inbound.grant(self.setting.budget));
        }
    }

    fn acknowledge(&mut self, circuit: usize) {
        let circuit = &mut self.circuits[circuit];
        if let Some((credit, marks)) = circuit.receipts.pop_front() {
            circuit.outbound.grant(credit);
            for mark in marks {
                circuit.outbound.delivered(mark).unwrap();
            }
        }
    }

    fn is_stopped(&self, circuit: usize) -> bool {
        self.setting.stopped == Some(circuit) && self.truths.len() < self.setting.signals / 2
    }

    fn step(&mut self) {
        let circuit = self.random.below(2) as usize;
        match self.random.below(16) {
            0..=5 => {
                self.intake(circuit);
            }
            6..=11 => {
                let strand = self.random.below(self.setting.strands.into()) as usize;
                if !self.stalled[strand] {
                    for _ in 0..=self.random.below(6) {
                        self.arrive(strand);
                    }
                }
            }
            12..=13 if !self.is_stopped(circuit) => {
                while self.deliver(circuit) {
                    let beside = self
                        .setting
                        .stopped
                        .is_some_and(|stopped| stopped != circuit && self.is_stopped(stopped));
                    self.outcome.beside_the_stopped += usize::from(beside);
                }
                self.write(circuit);
            }
            14 => self.acknowledge(circuit),
            _ => {
                let strand = self.random.below(self.setting.strands.into()) as usize;
                self.stalled[strand] = self.random.one_in(4);
                let (name, receiver) = (
                    self.random.below(self.setting.names),
                    self.random.below(self.setting.receivers.into()) as u32,
                );
                self.circuits[circuit].names[name as usize] = receiver;
            }
        }
    }

    /// Runs until every signal was sent, then without any stall until nothing moves. All signals must be delivered.
    fn run(mut self) -> Outcome {
        let mut steps = 0u64;
        while self.truths.len() < self.setting.signals {
            self.step();
            steps += 1;
            assert!(
                steps < self.setting.signals as u64 * 4000,
                "no progress: {} signals sent",
                self.truths.len()
            );
        }
        loop {
            let mut moved = false;
            for circuit in 0..self.circuits.len() {
                moved |= self.intake(circuit);
                moved |= self.deliver(circuit);
                self.write(circuit);
                self.acknowledge(circuit);
            }
            for strand in 0..self.strands.len() {
                moved |= self.arrive(strand);
            }
            if !moved && self.circuits.iter().all(|circuit| circuit.receipts.is_empty()) {
                break;
            }
        }
        assert_eq!(self.outcome.delivered, self.setting.signals, "deadlock");
        for circuit in &mut self.circuits {
            self.outcome.stood_in += circuit.outbound.stood_in();
            let (credit, marks) = circuit.inbound.grant(self.setting.budget);
            circuit.outbound.grant(credit);
            marks
                .into_iter()
                .for_each(|mark| circuit.outbound.delivered(mark).unwrap());
            assert_eq!(
                circuit.outbound.outstanding(),
                0,
                "senders are forgotten when nothing of them is outstanding"
            );
            circuit.inbound.close(circuit.outbound.undelivered());
            assert!(circuit.inbound.is_complete());
            assert_eq!(circuit.inbound.kept(), 0);
            assert_eq!(circuit.inbound.queues(), 0, "an idle strand keeps no room for frames");
        }
        self.outcome
    }
}

/// The number of the signal, and padding. Sizes differ, so that overdrawn credit is detected in whatever order lanes arrive.
fn body(signal: usize) -> Bytes {
    let mut body = (signal as u64).to_be_bytes().to_vec();
    body.resize(8 + signal * 7919 % 1500, 0);
    body.into()
}

fn run(setting: Setting) -> Outcome {
    Simulation::new(setting).run()
}

#[test]
fn a_million_signals_keep_their_order() {
    let mut delivered = 0;
    for seed in 0..100 {
        let outcome = run(Setting {
            seed,
            ..Setting::default()
        });
        assert_eq!(outcome.violations, 0, "seed {seed}");
        assert!(outcome.fenced > 1000, "the run never needed a fence: it shows nothing");
        delivered += outcome.delivered;
    }
    assert!(delivered >= 1_000_000);
}

#[test]
fn without_fences_the_checker_reports_violations() {
    for seed in 0..5 {
        let outcome = run(Setting {
            seed,
            fences: false,
            ..Setting::default()
        });
        assert!(outcome.violations > 100, "seed {seed}: {outcome:?}");
    }
}

#[test]
fn tight_credit_never_deadlocks() {
    for seed in 0..40 {
        for budget in [1, 200, 2000] {
            let outcome = run(Setting {
                seed,
                budget,
                signals: 2000,
                ..Setting::default()
            });
            assert_eq!(outcome.violations, 0, "seed {seed}, budget {budget}");
        }
    }
}

#[test]
fn any_number_of_strands_keeps_order() {
    for strands in [1, 2, 3, 64, STRANDS] {
        for seed in 0..5 {
            let outcome = run(Setting {
                seed,
                strands,
                signals: 4000,
                ..Setting::default()
            });
            assert_eq!(outcome.violations, 0, "seed {seed}, {strands} strands");
            assert_eq!(outcome.fenced == 0, strands == 1, "one strand needs no fence");
        }
    }
}

/// So many receivers and names that one frame stands for many others, again and again.
#[test]
fn frames_that_stand_for_others_keep_order() {
    let mut stood_in = 0;
    for seed in 0..40 {
        let outcome = run(Setting {
            seed,
            strands: STRANDS,
            signals: 8000,
            receivers: 200,
            names: 400,
            ..Setting::default()
        });
        assert_eq!(outcome.violations, 0, "seed {seed}");
        stood_in += outcome.stood_in;
    }
    assert!(
        stood_in > 1000,
        "only {stood_in} frames stood for others: the run shows nothing"
    );
}

#[test]
fn a_stopped_receiver_slows_only_its_own_senders() {
    for seed in 0..10 {
        let setting = Setting {
            seed,
            budget: 20_000,
            signals: 4000,
            stopped: Some(0),
            ..Setting::default()
        };
        let outcome = run(setting);
        assert_eq!(outcome.violations, 0, "seed {seed}");
        assert!(outcome.beside_the_stopped > 1000, "{outcome:?}");
    }
}

#[test]
fn a_fence_that_can_never_open_is_refused() {
    let mut inbound = Inbound::new(1000);
    let fence = FrameId { strand: 2, number: 1 };
    let refused = inbound.accept(2, vec![fence], Content::Signal(Bytes::new()));
    assert_eq!(refused, Err(InboundError::Fence { frame: fence, fence }));
}

#[test]
fn credit_is_enforced_by_the_receiver() {
    let mut inbound = Inbound::new(100);
    let frame = |size| Content::Signal(Bytes::from(vec![0; size]));
    assert_eq!(
        inbound.accept(0, Vec::new(), frame(200)),
        Ok(()),
        "one frame may overdraw"
    );
    assert_eq!(inbound.kept(), 264);
    let refused = inbound.accept(0, Vec::new(), frame(crate::wire::BODY_MAX));
    assert!(
        matches!(refused, Err(InboundError::Credit { granted: 100, .. })),
        "not by more than the largest frame"
    );
}

/// The frame that overdraws the credit is charged last, but may arrive first.
#[test]
fn an_overdrawn_credit_holds_in_any_order_of_arrival() {
    let mut outbound = Outbound::new(2, 1000);
    let frames = [
        Content::Signal(Bytes::from(vec![0; 500])),
        Content::Signal(Bytes::from(vec![0; 60_000])),
    ];
    for frame in &frames {
        assert!(outbound.has_credit());
        outbound.charge(frame.cost());
    }
    assert!(!outbound.has_credit());
    let mut inbound = Inbound::new(1000);
    for (strand, frame) in (0..).zip(frames.into_iter().rev()) {
        assert_eq!(inbound.accept(strand, Vec::new(), frame), Ok(()));
    }
}

#[test]
fn small_frames_pass_bulk_on_other_strands() {
    let mut inbound = Inbound::new(1 << 30);
    for _ in 0..50 {
        inbound
            .accept(0, Vec::new(), Content::Signal(Bytes::from(vec![0; 65536])))
            .unwrap();
    }
    inbound
        .accept(2, Vec::new(), Content::Signal(Bytes::from_static(b"small")))
        .unwrap();
    let order: Vec<usize> = std::iter::from_fn(|| inbound.poll_deliver())
        .map(|content| content.body().len())
        .collect();
    assert_eq!(order.iter().position(|length| *length == 5), Some(0), "{order:?}");
    assert_eq!(order.len(), 51);
}

/// A process has sent to a thousand others, alternately by name and by pid, and none of it is known to be delivered. Its next
/// signal has a fence on the last one only, not on a thousand.
#[test]
fn fences_stay_few() {
    let mut outbound = Outbound::new(STRANDS, 1 << 30);
    let mut aliases = Aliases::default();
    let mut place = |address| {
        let sender = Sender::Process(pid(1));
        outbound
            .place(&Part::Whole(&Head { sender, address }), &mut aliases)
            .unwrap()
            .fences
    };
    let mut most = 0;
    for number in 0..1000 {
        place(Address::Process(pid(number)));
        most = most.max(place(Address::name(&number.to_be_bytes())).len());
    }
    assert_eq!(most, 2, "the process and the name before it");
    for number in 1000..2000 {
        assert!(place(Address::Process(pid(number))).len() <= 1, "the last name");
    }
    let all = place(Address::name(b"all"));
    assert!(all.len() > 500, "all those processes: {}", all.len());
    assert_eq!(
        place(Address::name(b"last")).len(),
        1,
        "one that waits for all of them stands for them"
    );
}

/// A registered server with thousands of monitors ends: DOWN says its name, not its pid, so it might be the sender of anything that
/// was sent by name, and of what follows. One frame stands for all of them.
#[test]
fn a_storm_of_downs_by_name_costs_those_who_follow_little() {
    const CALLERS: u32 = 4000;
    let mut outbound = Outbound::new(STRANDS, 1 << 30);
    let mut aliases = Aliases::default();
    let mut place = |sender, address| {
        let placed = outbound.place(&Part::Whole(&Head { sender, address }), &mut aliases);
        placed.unwrap().fences
    };
    for caller in 0..CALLERS {
        assert_eq!(place(Sender::Unknown, Address::Process(pid(caller))), []);
    }
    let first = place(Sender::Process(pid(9000)), Address::name(b"first"));
    assert!(first.len() > 2000, "it waits for all of them: {}", first.len());
    // Each of these used to have 2500 fences.
    let mut fences = 0;
    for number in 0..1000u32 {
        let sender = Sender::Process(pid(10_000 + number));
        fences += place(sender, Address::name(&number.to_be_bytes())).len();
    }
    assert!(
        fences <= 1000,
        "{fences} fences of 1000 signals, behind the one that waits for all"
    );
    // And the same the other way round: those thousand names, and a thousand more signals of nobody.
    let mut fences = 0;
    for caller in 0..1000 {
        fences += place(Sender::Unknown, Address::Process(pid(caller))).len();
    }
    assert!(
        fences < 2500,
        "{fences} fences: the names once, then the one that waits for them"
    );
}

/// A few signals of unknown senders are not bundled: nobody waits for more than it must.
#[test]
fn a_few_signals_of_nobody_are_waited_for_one_by_one() {
    let mut outbound = Outbound::new(STRANDS, 1 << 30);
    let mut aliases = Aliases::default();
    let mut place = |sender, address| {
        let placed = outbound.place(&Part::Whole(&Head { sender, address }), &mut aliases);
        placed.unwrap()
    };
    let mut downs: Vec<_> = (0..8)
        .map(|caller| place(Sender::Unknown, Address::Process(pid(caller))).strand)
        .collect();
    downs.sort_unstable();
    for (sender, name) in [(100, b"one"), (101, b"two")] {
        let fences = place(Sender::Process(pid(sender)), Address::name(name)).fences;
        assert_eq!(fences.iter().map(|fence| fence.strand).collect::<Vec<_>>(), downs);
    }
}

/// All strands of a circuit wait for one frame, with many others before it on its strand: each of these is delivered without a look
/// at all that wait.
#[test]
fn a_frame_that_all_wait_for_is_cheap() {
    const BEFORE: u64 = 1000;
    let mut inbound = Inbound::new(1 << 30);
    let small = || Content::Signal(Bytes::from_static(b"12345678"));
    let gate = FrameId {
        strand: 0,
        number: BEFORE + 1,
    };
    for strand in 1..STRANDS {
        inbound.accept(strand, vec![gate], small()).unwrap();
    }
    assert_eq!(inbound.poll_deliver(), None);
    for _ in 0..=BEFORE {
        inbound.accept(0, Vec::new(), small()).unwrap();
    }
    let delivered = std::iter::from_fn(|| inbound.poll_deliver()).count() as u64;
    assert_eq!(delivered, BEFORE + u64::from(STRANDS));
    assert!(inbound.looks <= 3 * (BEFORE + u64::from(STRANDS)), "{}", inbound.looks);
}

/// A signal to a name waits for all undelivered signals of its sender, whether few or many.
#[test]
fn a_name_stands_behind_all_that_is_undelivered() {
    let sorted = |mut frames: Vec<FrameId>| {
        frames.sort_unstable_by_key(|frame| frame.strand);
        frames
    };
    for (told, delivered_in) in [(3, 1), (16, 2), (17, 1), (17, 2), (500, 1), (500, 2), (500, 3)] {
        let mut outbound = Outbound::new(STRANDS, 1 << 30);
        let mut aliases = Aliases::default();
        let mut place = |outbound: &mut Outbound, address| {
            let sender = Sender::Process(pid(1));
            let placed = outbound.place(&Part::Whole(&Head { sender, address }), &mut aliases);
            placed.unwrap()
        };
        for number in 0..told {
            place(&mut outbound, Address::Process(pid(number)));
        }
        let mut waited = sorted(outbound.undelivered());
        waited.retain(|frame| {
            let is_delivered = frame.strand % delivered_in != 0;
            if is_delivered {
                outbound.delivered(*frame).unwrap();
            }
            !is_delivered
        });
        let name = place(&mut outbound, Address::name(b"name"));
        waited.retain(|frame| frame.strand != name.strand);
        assert_eq!(
            sorted(name.fences),
            waited,
            "{told} told, one in {delivered_in} not delivered"
        );
    }
}

/// The protocol's documentation defines the hash: its values never change, and the strands change only with the protocol version.
#[test]
fn the_lane_hash_is_the_documented_one() {
    use super::address::hash_of_pid;
    use super::address::hash_of_reference;
    assert_eq!(Address::name(b"rex"), Address::Name(0xa370_17b1_ecc5_b84a));
    let process = Pid {
        id: 300_089,
        serial: 2,
        creation: 1_700_000_000,
    };
    assert_eq!(hash_of_pid(&pid(100)), 0x3226_eea7_7739_0b58);
    assert_eq!(hash_of_pid(&process), 0xdfd5_16d6_6dcd_69e7);
    assert_eq!(strand_of(hash_of_pid(&process), STRANDS), 3581);
    assert_eq!(lane_of(3581, 16), 13);
    let reference = Reference::new(7, &[1, 1 << 16, 3]).unwrap();
    assert_eq!(hash_of_reference(&reference), 0xa9c7_5bda_c484_d811);
}
