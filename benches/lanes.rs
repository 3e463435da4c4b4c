//! Signals per second through the pure machines: lanes alone, and two sessions joined in memory.

#![allow(missing_docs, reason = "criterion's macros write functions without")]
#![allow(clippy::indexing_slicing, reason = "the bytes are our own")]

use std::hint::black_box;
use std::time::Instant;

use beamway::dist::Format;
use beamway::dist::Sender;
use beamway::etf::Pid;
use beamway::lanes::Address;
use beamway::lanes::Aliases;
use beamway::lanes::Head;
use beamway::lanes::Inbound;
use beamway::lanes::Outbound;
use beamway::lanes::Part;
use beamway::session::Intake;
use beamway::session::Session;
use beamway::session::SessionConfig;
use beamway::session::Terms;
use beamway::wire::CircuitId;
use beamway::wire::Content;
use beamway::wire::FrameDecoder;
use beamway::wire::NoticeDecoder;
use beamway::wire::STRANDS;
use bytes::Bytes;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;

/// Credit is never short here.
const WINDOW: u64 = 1 << 40;
const LANES: u8 = 16;
const PAIRS: u32 = 16;
const BATCH: u64 = 1024;

fn pid(id: u32) -> Pid {
    Pid {
        id,
        serial: 0,
        creation: 5,
    }
}

/// `{22, From, To}` and a payload of `size` bytes.
fn body(pair: u32, size: usize) -> Bytes {
    let term = |id: u32| {
        [
            b"\x58\x77\x0bb@127.0.0.1",
            &id.to_be_bytes()[..],
            &[0; 4],
            &5u32.to_be_bytes(),
        ]
        .concat()
    };
    let mut body = [b"\x68\x03\x61\x16".to_vec(), term(pair), term(1000 + pair)].concat();
    body.resize(body.len() + size, 7);
    body.into()
}

fn head(pair: u32, by_name: bool) -> Head {
    Head {
        sender: Sender::Process(pid(pair)),
        address: if by_name {
            Address::name(b"server")
        } else {
            Address::Process(pid(1000 + pair))
        },
    }
}

/// Placing, parking and delivering, with receipts every batch; `ambiguous_in` of 8 signals go to a name.
fn lanes(out: &mut Outbound, inbound: &mut Inbound, aliases: &mut Aliases, content: &Content, ambiguous_in: u64) {
    for signal in 0..BATCH {
        let head = head(signal as u32 % PAIRS, signal % 8 < ambiguous_in);
        out.charge(content.cost());
        let placed = out
            .place(&Part::Whole(&head), aliases)
            .expect("a whole signal is placed");
        inbound
            .accept(placed.strand, placed.fences, content.clone())
            .expect("within credit");
    }
    let mut delivered = 0;
    while let Some(content) = inbound.poll_deliver() {
        inbound.written(black_box(content).cost());
        delivered += 1;
    }
    assert_eq!(delivered, BATCH, "every signal is delivered");
    let (credit, marks) = inbound.grant(WINDOW);
    out.grant(credit);
    marks
        .into_iter()
        .for_each(|frame| out.delivered(frame).expect("it was sent"));
}

fn bench_lanes(c: &mut Criterion) {
    let mut group = c.benchmark_group("lanes out and in");
    group.throughput(Throughput::Elements(BATCH));
    for (name, ambiguous_in) in [("by pid", 0), ("one in eight by name", 1)] {
        let mut out = Outbound::new(STRANDS, WINDOW);
        let mut inbound = Inbound::new(WINDOW);
        let mut aliases = Aliases::default();
        let content = Content::Signal(body(0, 100));
        group.bench_function(name, |b| {
            b.iter(|| {
                lanes(&mut out, &mut inbound, &mut aliases, &content, ambiguous_in);
            });
        });
    }
    group.finish();
}

/// Two sessions with one circuit between them, and nothing but memory in place of the trunk.
struct Joined {
    near: Session,
    far: Session,
    streams: Vec<FrameDecoder>,
    circuit: CircuitId,
}

impl Joined {
    fn new() -> Self {
        let session = |is_lower| {
            Session::new(SessionConfig {
                is_lower,
                ..SessionConfig::default()
            })
        };
        let (mut near, mut far) = (session(true), session(false));
        let circuit = near.open("b@127.0.0.1".into(), Bytes::new());
        notices(&mut near, &mut far);
        far.handshake(circuit, Bytes::from_static(b"sok"));
        notices(&mut far, &mut near);
        let terms = Terms {
            format: Format::Header,
            creation: 5,
        };
        far.established(circuit, terms);
        Self {
            near,
            far,
            streams: (0..LANES).map(|_| FrameDecoder::default()).collect(),
            circuit,
        }
    }

    fn carry(&mut self, bodies: &[Bytes], signals: u64) {
        let now = Instant::now();
        let intake = (0..signals).map(|signal| {
            let pair = signal as u32 % PAIRS;
            Intake {
                head: Some(head(pair, false)),
                lesson: None,
                content: Content::Signal(bodies[pair as usize].clone()),
            }
        });
        self.near.signals(self.circuit, intake);
        self.near.poll_start();
        for lane in 0..LANES {
            let stream = &mut self.streams[usize::from(lane)];
            while let Some(batch) = self.near.poll_lane(lane) {
                batch.iter().for_each(|bytes| stream.push(bytes));
            }
            let frames: Vec<_> = std::iter::from_fn(|| stream.poll_frame().expect("frames")).collect();
            self.far
                .handle_frames(lane, frames, now)
                .expect("a lane of the session");
        }
        let mut delivered = 0;
        while let Some(content) = self.far.poll_delivery(self.circuit, now) {
            self.far.written(self.circuit, black_box(content).cost(), now);
            delivered += 1;
        }
        assert_eq!(delivered, signals, "every signal is delivered");
        self.far.handle_timeout(now + SessionConfig::default().receipt_delay);
        notices(&mut self.far, &mut self.near);
        while self.near.poll_event().is_some() || self.far.poll_event().is_some() || self.far.poll_ready().is_some() {}
    }
}

fn notices(from: &mut Session, to: &mut Session) {
    let mut decoder = NoticeDecoder::default();
    while let Some(bytes) = from.poll_control() {
        decoder.push(&bytes);
    }
    while let Some((number, notice)) = decoder.poll_notice().expect("notices") {
        to.handle_notice(number, notice, Instant::now())
            .expect("a notice of the session");
    }
}

fn bench_sessions(c: &mut Criterion) {
    let mut group = c.benchmark_group("a pair of sessions");
    for (name, size, signals) in [("100 B", 100, BATCH), ("64 KiB", 64 * 1024, 64)] {
        let bodies: Vec<Bytes> = (0..PAIRS).map(|pair| body(pair, size)).collect();
        let mut joined = Joined::new();
        group.throughput(Throughput::Elements(signals));
        group.bench_function(name, |b| b.iter(|| joined.carry(&bodies, signals)));
    }
    group.finish();
}

criterion_group!(benches, bench_lanes, bench_sessions);
criterion_main!(benches);
