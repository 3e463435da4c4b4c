//! What is fuzzed. Each target takes any bytes, and panics when a promise is broken. `tests/system/regressions.rs` replays what was
//! found here, and the seeds, with these same functions.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use beamway::etf::Pid;
use beamway::internals::codec::Buffers;
use beamway::internals::config;
use beamway::internals::dist::Format;
use beamway::internals::dist::Packet;
use beamway::internals::dist::Party;
use beamway::internals::dist::Relay;
use beamway::internals::dist::Relayed;
use beamway::internals::dist::Sender;
use beamway::internals::dist::StreamDecoder;
use beamway::internals::dist::StreamEncoder;
use beamway::internals::dist::handshake;
use beamway::internals::endpoint::packets;
use beamway::internals::endpoint::packets::intake;
use beamway::internals::epmd::Request;
use beamway::internals::order::Address;
use beamway::internals::order::Head;
use beamway::internals::session::Agreed;
use beamway::internals::session::Event;
use beamway::internals::session::Intake;
use beamway::internals::session::Session;
use beamway::internals::session::SessionConfig;
use beamway::internals::wire::CircuitId;
use beamway::internals::wire::Content;
use beamway::internals::wire::Frame;
use beamway::internals::wire::FrameDecoder;
use beamway::internals::wire::FrameHead;
use beamway::internals::wire::Notice;
use beamway::internals::wire::NoticeDecoder;
use bytes::Bytes;
use bytes::BytesMut;

/// A target and its name.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 8] = [
    ("packets", packets),
    ("handshake", shake_hands),
    ("epmd", port_mapper),
    ("frames", frames),
    ("notices", notices),
    ("peer", peer),
    ("resume", resume),
    ("config", configuration),
];

/// What steers a target, taken from the front of the bytes; zeros when they have run out.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The bytes in pieces whose lengths the first byte decides.
fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (size, rest) = data.split_first().unwrap_or((&0, &[]));
    rest.chunks(usize::from(*size).max(1))
}

fn decoded(format: Format, pieces: &mut dyn Iterator<Item = &[u8]>) -> Vec<Packet> {
    let mut decoder = StreamDecoder::new(format);
    let (mut input, mut packets) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(_) => return packets,
            }
        }
    }
    packets
}

/// The same packets with the signals of runs each by itself: how the bytes were cut decides which signals make a run.
fn apart(format: Format, packets: &[Packet]) -> Vec<Packet> {
    let mut all = Vec::new();
    for packet in packets {
        let Packet::Run(run) = packet else {
            all.push(packet.clone());
            continue;
        };
        let mut left = &run[..];
        while let Some(length) = left.first_chunk().copied().map(u32::from_be_bytes) {
            let (one, rest) = left.split_at(4 + length as usize);
            all.extend(decoded(format, &mut std::iter::once(one)));
            left = rest;
        }
    }
    all
}

/// Packets of a BEAM: control terms and fragments. What is read is the same however it is cut, and what is written of it
/// can be read again.
pub(crate) fn packets(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let format = if first & 1 == 0 {
        Format::Header
    } else {
        Format::PassThrough
    };
    let packets = decoded(format, &mut pieces(data));
    let whole = decoded(format, &mut std::iter::once(data.get(1..).unwrap_or_default()));
    assert_eq!(apart(format, &packets), apart(format, &whole), "as cut, and as a whole");
    let mut encoder = StreamEncoder::new(format);
    let mut out = Buffers::default();
    for packet in packets {
        if let Ok(Some(taken)) = intake(packet, format) {
            let _ = packets::encode(&taken.content, &mut encoder, &mut out);
        }
    }
    let mut out = BytesMut::from(&out.finish().concat()[..]);
    let mut again = StreamDecoder::new(format);
    while let Some(packet) = again.decode(&mut out).expect("what we write can be read") {
        intake(packet, format).expect("and means something");
    }
    assert!(out.is_empty(), "{} bytes are left", out.len());
}

/// A handshake: each message is whose turn the data says.
pub(crate) fn shake_hands(data: &[u8]) {
    let mut input = BytesMut::from(data);
    let mut relay = None;
    while let Ok(Some(message)) = handshake::decode(&mut input) {
        let Some((who, message)) = message.split_first() else {
            continue;
        };
        let message = Bytes::copy_from_slice(message);
        match &mut relay {
            None => relay = Relay::new(&message).ok(),
            Some(relay) => {
                let party = if who & 1 == 0 {
                    Party::Acceptor
                } else {
                    Party::Initiator
                };
                let Ok(step) = relay.handle(party, &message) else {
                    return;
                };
                if let Relayed::Complete(_) = step {
                    assert!(relay.agreed().is_some(), "complete, so agreed");
                }
            }
        }
        if let Some(relay) = &relay {
            let first = relay.send_name();
            let again = Relay::new(&first).expect("a masked send_name is one");
            assert_eq!(again.send_name(), first, "masking twice changes nothing");
        }
    }
}

/// A request to the port mapper.
pub(crate) fn port_mapper(data: &[u8]) {
    if let Ok(request) = Request::parse(data) {
        let encoded = request.encode();
        let again = encoded.get(2..).map(Request::parse);
        assert!(matches!(again, Some(Ok(again)) if again == request), "{request:?}");
    }
}

fn all_frames(pieces: &mut dyn Iterator<Item = &[u8]>) -> Vec<Frame> {
    let mut decoder = FrameDecoder::default();
    let mut frames = Vec::new();
    for mut piece in pieces {
        if decoder.decode(&mut piece, &mut frames, usize::MAX).is_err() {
            break;
        }
    }
    frames
}

/// Frames of a lane: the same however they are cut, and written again.
pub(crate) fn frames(data: &[u8]) {
    let frames = all_frames(&mut pieces(data));
    assert_eq!(
        frames,
        all_frames(&mut std::iter::once(data.get(1..).unwrap_or_default()))
    );
    let mut out = BytesMut::new();
    for frame in &frames {
        let head = FrameHead {
            circuit: frame.circuit,
            strand: frame.strand,
            fences: &frame.fences,
            content: &frame.content,
        };
        head.encode(&mut out);
        out.extend_from_slice(frame.content.body());
    }
    assert_eq!(frames, all_frames(&mut std::iter::once(&out[..])));
}

fn all_notices(pieces: &mut dyn Iterator<Item = &[u8]>) -> Vec<(u64, Notice)> {
    let mut decoder = NoticeDecoder::default();
    let mut notices = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.poll_notice() {
                Ok(Some(notice)) => notices.push(notice),
                Ok(None) => break,
                Err(_) => return notices,
            }
        }
    }
    notices
}

/// Notices: the same however they are cut, and written again.
pub(crate) fn notices(data: &[u8]) {
    let notices = all_notices(&mut pieces(data));
    assert_eq!(
        notices,
        all_notices(&mut std::iter::once(data.get(1..).unwrap_or_default()))
    );
    let mut out = BytesMut::new();
    for (number, notice) in notices.clone() {
        notice.encode(number, &mut out);
    }
    assert_eq!(notices, all_notices(&mut std::iter::once(&out[..])));
}

const TERMS: Agreed = Agreed {
    format: Format::Header,
    creation: 1,
    is_reader: false,
    suspends: false,
};

/// A peer that says anything: notices and frames as the data has them, a local node that answers. Nothing panics, and
/// what is kept is accounted for.
pub(crate) fn peer(data: &[u8]) {
    let config = SessionConfig {
        lanes: 2,
        ..SessionConfig::default()
    };
    let memory = config.memory.account().clone();
    let mut session = Session::new(config);
    let mut script = Script(data);
    let mut now = Instant::now();
    let ours = session.open("b@h".into(), Bytes::from_static(b"N"));
    let mut number = 0;
    while !script.is_over() {
        let what = script.byte();
        let length = usize::from(script.byte());
        let outcome = match what % 8 {
            0 | 1 => {
                let notices = all_notices(&mut std::iter::once(script.take(length)));
                notices.into_iter().try_for_each(|(_, notice)| {
                    number += u64::from(notice.is_numbered());
                    let number = if notice.is_numbered() { number } else { 0 };
                    session.handle_notice(number, notice, now)
                })
            }
            2 | 3 => {
                let frames = all_frames(&mut std::iter::once(script.take(length)));
                session.handle_frames(what >> 7, frames, now)
            }
            4 => {
                now += Duration::from_millis(length as u64);
                session.handle_timeout(now);
                Ok(())
            }
            5 => session.handle_lane(what >> 7, length as u64),
            6 => {
                for circuit in session.circuits() {
                    session.established(circuit, TERMS);
                    session.signals(circuit, [signal(1, 2, u32::from(what))]);
                }
                Ok(())
            }
            _ => {
                session.close(ours, "done".into(), now);
                session.resume(now);
                Ok(())
            }
        };
        if outcome.is_err() {
            break;
        }
        drain(&mut session, now);
    }
    drop(session);
    assert_eq!(memory.kept(), 0, "what was kept is given back");
}

/// Does all that is to be done, as a fast local node would.
fn drain(session: &mut Session, now: Instant) {
    while let Some(event) = session.poll_event() {
        if let Event::Opened(open) = event {
            session.handshake(open.circuit, Bytes::from_static(b"n"));
        }
    }
    while let Some(circuit) = session.poll_ready() {
        while let Some(content) = session.poll_delivery(circuit, now) {
            session.written(circuit, content.cost(), now);
        }
    }
    while session.poll_control().is_some() {}
    session.poll_start();
    for lane in 0..session.lanes() {
        while session.poll_lane(lane).is_some() {}
    }
    let _ = session.poll_timeout();
}

fn pid_term(id: u32) -> Vec<u8> {
    let mut term = b"\x58\x77\x03a@h".to_vec();
    for word in [id, 0, 1] {
        term.extend(word.to_be_bytes());
    }
    term
}

/// A signal from one process to another, with its number at the end.
fn signal(from: u32, to: u32, number: u32) -> Intake {
    let mut body = b"\x68\x03\x61\x16".to_vec();
    body.extend([pid_term(from), pid_term(to)].concat());
    body.extend(from.to_be_bytes());
    body.extend(to.to_be_bytes());
    body.extend(number.to_be_bytes());
    let pid = |id| Pid {
        id,
        serial: 0,
        creation: 1,
    };
    let head = Head {
        sender: Sender::Process(pid(from)),
        address: Address::Process(pid(to)),
    };
    Intake::message(head, Content::Signal(body.into()))
}

/// These signals as a gateway finds them in one read.
fn run<'a>(signals: impl Iterator<Item = &'a Content>) -> Content {
    let mut out = Buffers::default();
    for signal in signals {
        packets::encode(signal, &mut StreamEncoder::new(TERMS.format), &mut out).expect("a whole signal");
    }
    let packet = StreamDecoder::new(TERMS.format).decode(&mut BytesMut::from(&out.finish().concat()[..]));
    packets::content(packet.expect("packets").expect("whole ones")).expect("a run")
}

fn packet(content: Content) -> Packet {
    match content {
        Content::Run(run) => Packet::Run(run),
        other => Packet::Signal(other.body().clone()),
    }
}

/// One of two daemons, and what is on its way to it.
struct Side {
    session: Session,
    control: Vec<u8>,
    lanes: Vec<Vec<u8>>,
    notices: NoticeDecoder,
    frames: Vec<FrameDecoder>,
    sent: HashMap<(u32, u32), u32>,
    seen: HashMap<(u32, u32), u32>,
}

const LANES: u8 = 3;

impl Side {
    fn new(is_lower: bool) -> Self {
        let config = SessionConfig {
            lanes: LANES,
            is_lower,
            circuit_budget: 256 << 10,
            ..SessionConfig::default()
        };
        Self {
            session: Session::new(config),
            control: Vec::new(),
            lanes: vec![Vec::new(); LANES.into()],
            notices: NoticeDecoder::default(),
            frames: (0..LANES).map(|_| FrameDecoder::default()).collect(),
            sent: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Says one thing, or several in a run.
    fn say(&mut self, circuit: CircuitId, from: u32, to: u32, count: u32) {
        let number = self.sent.entry((from, to)).or_default();
        let mut said: Vec<Intake> = (1..=count).map(|n| signal(from, to, *number + n)).collect();
        *number += count;
        if count > 1 {
            let run = run(said.iter().map(|signal| &signal.content));
            said = vec![Intake::read(run, TERMS.format).expect("messages with one control term")];
        }
        self.session.signals(circuit, said);
    }

    fn hear(&mut self, circuit: CircuitId, now: Instant) {
        while let Some(content) = self.session.poll_delivery(circuit, now) {
            self.session.written(circuit, content.cost(), now);
            for signal in apart(TERMS.format, &[packet(content)]) {
                let Packet::Signal(body) = signal else {
                    panic!("nobody sends parts here");
                };
                self.heard(&body);
            }
        }
    }

    fn heard(&mut self, body: &[u8]) {
        let tail: Vec<u32> = body[body.len() - 12..]
            .chunks(4)
            .map(|word| u32::from_be_bytes(word.try_into().expect("four bytes")))
            .collect();
        let seen = self.seen.entry((tail[0], tail[1])).or_default();
        assert_eq!(tail[2], *seen + 1, "lost, doubled or reordered");
        *seen = tail[2];
    }

    /// Bytes of one stream arrive.
    fn arrive(&mut self, stream: u8, length: usize, now: Instant) {
        if stream == 0 {
            let length = length.min(self.control.len());
            self.notices.push(&self.control[..length]);
            self.control.drain(..length);
            while let Some((number, notice)) = self.notices.poll_notice().expect("notices") {
                self.session.handle_notice(number, notice, now).expect("an honest peer");
            }
            return;
        }
        let index = usize::from(stream - 1);
        let lane = &mut self.lanes[index];
        let length = length.min(lane.len());
        let arrived: Vec<u8> = lane.drain(..length).collect();
        let mut input = &arrived[..];
        let mut frames = Vec::new();
        self.frames[index]
            .decode(&mut input, &mut frames, usize::MAX)
            .expect("frames");
        self.session
            .handle_frames(stream - 1, frames, now)
            .expect("an honest peer");
    }

    fn resume(&mut self, now: Instant) {
        self.session.resume(now);
        self.control.clear();
        self.lanes.iter_mut().for_each(Vec::clear);
        self.notices = NoticeDecoder::default();
        self.frames = (0..LANES).map(|_| FrameDecoder::default()).collect();
    }
}

fn flush(from: &mut Side, to: &mut Side) {
    while from.session.poll_event().is_some() || from.session.poll_ready().is_some() {}
    while let Some(bytes) = from.session.poll_control() {
        to.control.extend(bytes);
    }
    for (lane, first) in (0..).zip(from.session.poll_start().unwrap_or_default()) {
        to.session.handle_lane(lane, first).expect("an honest peer");
    }
    for lane in 0..LANES {
        while let Some(batch) = from.session.poll_lane(lane) {
            batch.iter().for_each(|bytes| to.lanes[usize::from(lane)].extend(bytes));
        }
    }
}

/// Two honest daemons whose trunk is lost whenever the data says so, with whatever has arrived by then.
pub(crate) fn resume(data: &[u8]) {
    let mut now = Instant::now();
    let (mut one, mut other) = (Side::new(true), Side::new(false));
    let circuit = one.session.open("b@h".into(), Bytes::from_static(b"N"));
    settle(&mut one, &mut other, circuit, &mut now);
    other.session.handshake(circuit, Bytes::from_static(b"a"));
    for side in [&mut one, &mut other] {
        side.session.established(circuit, TERMS);
    }
    let mut script = Script(data);
    while !script.is_over() {
        let what = script.byte();
        let (near, far) = if what & 0x80 == 0 {
            (&mut one, &mut other)
        } else {
            (&mut other, &mut one)
        };
        let argument = script.byte();
        match what % 8 {
            0 | 1 => {
                let count = u32::from(argument / 45) + 1;
                near.say(circuit, u32::from(argument % 5), u32::from(argument / 5 % 9), count);
            }
            2 => flush(near, far),
            3 | 4 => near.arrive(argument % (LANES + 1), usize::from(argument) * 3, now),
            5 => near.hear(circuit, now),
            6 => {
                now += Duration::from_millis(u64::from(argument % 16));
                near.session.handle_timeout(now);
            }
            _ => {
                near.resume(now);
                far.arrive(argument % (LANES + 1), usize::from(argument), now);
                far.resume(now);
            }
        }
    }
    settle(&mut one, &mut other, circuit, &mut now);
    assert_eq!(one.sent, other.seen, "all arrives in the end");
    assert_eq!(other.sent, one.seen, "all arrives in the end");
}

fn settle(one: &mut Side, other: &mut Side, circuit: CircuitId, now: &mut Instant) {
    for _ in 0..12 {
        *now += Duration::from_millis(6);
        for _ in 0..2 {
            one.session.handle_timeout(*now);
            flush(one, other);
            for stream in 0..=LANES {
                other.arrive(stream, usize::MAX, *now);
            }
            other.hear(circuit, *now);
            std::mem::swap(one, other);
        }
    }
}

/// A configuration: any text is one, or has mistakes that say where.
pub(crate) fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match config::parse(text, config::Purpose::Daemon) {
        Ok(config) => assert!(config.worst_case().process >= config.worst_case().nodes),
        Err(mistakes) => assert!(!mistakes.list.is_empty(), "refused, so something is wrong"),
    }
}
