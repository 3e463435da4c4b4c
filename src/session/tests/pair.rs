//! Test support: two real sessions with the streams between them, and real control terms to send.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use bytes::BytesMut;

use super::super::*;
use crate::dist::Format;
use crate::dist::Run;
use crate::dist::StreamEncoder;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::FrameDecoder;
use crate::wire::LaneId;
use crate::wire::NoticeDecoder;

/// SplitMix64: one seed, one run.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

const CREATION: u8 = 5;

pub(super) const TERMS: Agreed = Agreed {
    format: Format::Header,
    creation: CREATION as u32,
    is_reader: false,
    suspends: false,
};

/// A pid of `a@h`, of its current incarnation or of another one.
pub(super) fn pid(id: u64, creation: u8) -> Vec<u8> {
    let mut term = b"\x58\x77\x03a@h\x00\x00\x00".to_vec();
    term.push(id as u8);
    term.extend([0, 0, 0, 0, 0, 0, 0, creation]);
    term
}

pub(super) fn alias_of(receiver: u64) -> Vec<u8> {
    let mut term = b"\x5a\x00\x03\x77\x03a@h\x00\x00\x00\x05\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00".to_vec();
    term.push(receiver as u8);
    term
}

pub(super) fn tuple(operation: u8, elements: &[&[u8]]) -> Vec<u8> {
    let mut term = vec![104, elements.len() as u8 + 1, 97, operation];
    elements.iter().for_each(|element| term.extend_from_slice(element));
    term
}

pub(super) fn send(sender: u64, receiver: u64) -> Vec<u8> {
    tuple(22, &[&pid(sender, CREATION), &pid(receiver, CREATION)])
}

pub(super) fn send_without_sender(receiver: u64) -> Vec<u8> {
    tuple(2, &[b"\x77\x00", &pid(receiver, CREATION)])
}

pub(super) fn send_by_name(sender: u64, receiver: u64) -> Vec<u8> {
    let name = [0x77, 2, b'r', b'0' + receiver as u8];
    tuple(6, &[&pid(sender, CREATION), b"\x77\x00", &name])
}

pub(super) fn send_to_alias(sender: u64, alias: Vec<u8>) -> Vec<u8> {
    tuple(33, &[&pid(sender, CREATION), &alias])
}

/// A monitor whose reference is an alias of its owner, as `gen_server:call` makes them.
pub(super) fn monitor(owner: u64, monitored: u64, alias: u64) -> Vec<u8> {
    tuple(
        19,
        &[&pid(owner, CREATION), &pid(monitored, CREATION), &alias_of(alias)],
    )
}

/// An exit signal for a process of another incarnation, which would make a node close its connection.
pub(super) fn stale_exit() -> Vec<u8> {
    tuple(24, &[&pid(1, CREATION), &pid(2, CREATION - 1)])
}

pub(super) fn signal(mut control: Vec<u8>, payload: &[u8]) -> Content {
    control.extend_from_slice(payload);
    Content::Signal(control.into())
}

/// These signals as one run, whether or not that is valid.
pub(super) fn run(signals: &[Content]) -> Content {
    let mut packets = BytesMut::new();
    for signal in signals {
        StreamEncoder::new(Format::Header).signal(signal.body().len(), &mut packets);
        packets.extend_from_slice(signal.body());
    }
    Content::Run(packets.freeze())
}

/// The payloads of a run.
pub(super) fn payloads(packets: &[u8]) -> Vec<&[u8]> {
    let mut run = Run::new(packets, Format::Header).unwrap();
    std::iter::from_fn(|| run.next_payload().unwrap()).collect()
}

/// How the gateway reads a packet.
pub(super) fn intake(content: Content) -> Intake {
    Intake::read(content, Format::Header).unwrap()
}

pub(super) fn config(lanes: u8) -> SessionConfig {
    SessionConfig {
        lanes,
        ..SessionConfig::default()
    }
}

fn decoder(memory: &Share) -> FrameDecoder {
    FrameDecoder::new(memory.account())
}

/// One daemon, and the bytes that are on their way to it.
pub(super) struct Side {
    pub(super) session: Session,
    decoders: Vec<FrameDecoder>,
    memory: Share,
    notices: NoticeDecoder,
    /// Bytes towards this side: the control stream first, then the lanes.
    pub(super) streams: Vec<VecDeque<u8>>,
    arrived: HashSet<CircuitId>,
}

impl Side {
    fn new(config: SessionConfig) -> Self {
        let lanes = usize::from(config.lanes);
        Self {
            decoders: (0..lanes).map(|_| decoder(&config.memory)).collect(),
            memory: config.memory.clone(),
            session: Session::new(config),
            notices: NoticeDecoder::default(),
            streams: vec![VecDeque::new(); lanes + 1],
            arrived: HashSet::new(),
        }
    }

    /// Whether a frame of the circuit has come in.
    pub(super) fn arrived(&self, circuit: CircuitId) -> bool {
        self.arrived.contains(&circuit)
    }
}

/// Two daemons and the streams between them.
pub(super) struct Pair {
    pub(super) sides: [Side; 2],
    pub(super) now: Instant,
    /// Whether the checks run. Turned off to show that they detect a fault.
    pub(super) keeps_fences: bool,
}

impl Pair {
    pub(super) fn new(config: &SessionConfig) -> Self {
        let side = |is_lower, memory| {
            Side::new(SessionConfig {
                is_lower,
                memory,
                ..config.clone()
            })
        };
        // The account given is the second side's.
        let other = SessionConfig::default().memory;
        Self {
            sides: [side(true, other), side(false, config.memory.clone())],
            now: Instant::now(),
            keeps_fences: true,
        }
    }

    /// Moves everything that a side has to write into the streams.
    pub(super) fn flush(&mut self, from: usize) {
        let [one, other] = &mut self.sides;
        let (from, to) = if from == 0 { (one, other) } else { (other, one) };
        while let Some(bytes) = from.session.poll_control() {
            to.streams[0].extend(bytes);
        }
        for (lane, first) in (0..).zip(from.session.poll_start().unwrap_or_default()) {
            to.session.handle_lane(lane, first).unwrap();
        }
        for lane in 0..from.session.lanes() {
            while let Some(batch) = from.session.poll_lane(lane) {
                batch
                    .into_iter()
                    .for_each(|bytes| to.streams[usize::from(lane) + 1].extend(bytes));
            }
        }
    }

    /// Delivers some bytes of one stream to a side. Returns `false` if there were none.
    pub(super) fn arrive(&mut self, at: usize, stream: usize, bytes: usize) -> bool {
        let now = self.now;
        let side = &mut self.sides[at];
        let waiting = &mut side.streams[stream];
        if waiting.is_empty() {
            return false;
        }
        let bytes: Vec<u8> = waiting.drain(..bytes.min(waiting.len())).collect();
        if stream == 0 {
            side.notices.push(&bytes);
            while let Some((number, notice)) = side.notices.poll_notice().unwrap() {
                side.session.handle_notice(number, notice, now).unwrap();
            }
            return true;
        }
        let mut input = &bytes[..];
        let mut frames = Vec::new();
        side.decoders[stream - 1]
            .decode(&mut input, &mut frames, usize::MAX)
            .unwrap();
        for frame in &mut frames {
            if !self.keeps_fences {
                frame.fences.clear();
            }
            side.arrived.insert(frame.circuit);
        }
        side.session.handle_frames((stream - 1) as LaneId, frames, now).unwrap();
        true
    }

    /// Loses the trunk, with the bytes in flight, and resumes both sides on another one. `first` resumes earlier, so some of what
    /// it sent before still arrives at the other side.
    pub(super) fn cut(&mut self, first: usize, mut arrive: impl FnMut(&mut Self)) {
        self.resume(first);
        arrive(self);
        self.resume(1 - first);
    }

    fn resume(&mut self, at: usize) {
        let now = self.now;
        let side = &mut self.sides[at];
        side.session.resume(now);
        side.streams.iter_mut().for_each(VecDeque::clear);
        side.decoders.iter_mut().for_each(|lane| *lane = decoder(&side.memory));
        side.notices = NoticeDecoder::default();
    }

    /// Delivers everything, with the control stream first or last, until nothing is in flight.
    pub(super) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for side in [0, 1] {
                let now = self.now;
                self.sides[side].session.handle_timeout(now);
                self.sides[side].session.give_up_memory().unwrap();
                self.flush(side);
                for stream in 0..self.sides[1 - side].streams.len() {
                    moved |= self.arrive(1 - side, stream, usize::MAX);
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Delivers the bytes of the lanes to a side. Those of the control stream stay in flight.
    pub(super) fn settle_lanes(&mut self, at: usize) {
        self.flush(1 - at);
        for stream in 1..self.sides[at].streams.len() {
            self.arrive(at, stream, usize::MAX);
        }
    }

    pub(super) fn events(&mut self, side: usize) -> Vec<Event> {
        let events = std::iter::from_fn(|| self.sides[side].session.poll_event());
        // For logs only.
        events.filter(|event| !matches!(event, Event::Ended { .. })).collect()
    }

    pub(super) fn deliveries(&mut self, side: usize, circuit: CircuitId) -> Vec<Content> {
        let now = self.now;
        std::iter::from_fn(|| self.sides[side].session.poll_delivery(circuit, now)).collect()
    }

    pub(super) fn signal(&mut self, side: usize, circuit: CircuitId, content: Content) {
        self.sides[side].session.signals(circuit, [intake(content)]);
    }

    pub(super) fn close(&mut self, side: usize, circuit: CircuitId) {
        let now = self.now;
        self.sides[side].session.close(circuit, "bye".into(), now);
    }

    /// A circuit opened by the first side. Both legs are ready, and no event is left.
    pub(super) fn established(&mut self) -> CircuitId {
        let circuit = self.sides[0].session.open("b@h".into(), Bytes::from_static(b"N"));
        self.settle();
        self.sides[1].session.handshake(circuit, Bytes::from_static(b"a"));
        self.settle();
        for side in [0, 1] {
            self.events(side);
            self.sides[side].session.established(circuit, TERMS);
        }
        self.settle();
        circuit
    }
}
