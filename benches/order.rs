//! Signals per second through the pure machines: lanes alone, and two sessions joined in memory.

#![allow(missing_docs, reason = "criterion's macros write functions without")]
#![allow(clippy::indexing_slicing, reason = "the bytes are our own")]

#[path = "shared/joined.rs"]
mod joined;

use std::hint::black_box;

use beamway::etf::Pid;
use beamway::internals::dist::Sender;
use beamway::internals::order::Address;
use beamway::internals::order::Aliases;
use beamway::internals::order::Head;
use beamway::internals::order::Inbound;
use beamway::internals::order::Outbound;
use beamway::internals::order::Part;
use beamway::internals::session::Intake;
use beamway::internals::wire::Content;
use beamway::internals::wire::STRANDS;
use bytes::Bytes;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use joined::Joined;
use joined::PAIRS;
use joined::body;

/// Credit is never short here.
const WINDOW: u64 = 1 << 40;
const BATCH: u64 = 1024;

/// Processes that a sender tells at once.
const ALL: u64 = 4096;

fn pid(id: u32) -> Pid {
    Pid {
        id,
        serial: 0,
        creation: 5,
    }
}

/// What a gateway reads of a signal.
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

/// A sender that tells each of many processes, and then a name: it stands behind all that the others do not have yet.
fn to_all(signal: u64) -> Head {
    let is_last = signal + 1 == ALL;
    Head {
        sender: Sender::Process(pid(1)),
        ..head(signal as u32, is_last)
    }
}

/// Placing, parking and delivering, with receipts every batch.
fn lanes(
    out: &mut Outbound,
    inbound: &mut Inbound,
    aliases: &mut Aliases,
    content: &Content,
    batch: u64,
    head: impl Fn(u64) -> Head,
) {
    for signal in 0..batch {
        let head = head(signal);
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
    assert_eq!(delivered, batch, "every signal is delivered");
    let (credit, marks) = inbound.grant(WINDOW);
    out.grant(credit);
    marks
        .into_iter()
        .for_each(|frame| out.delivered(frame).expect("it was sent"));
}

fn bench_lanes(c: &mut Criterion) {
    let mut group = c.benchmark_group("lanes out and in");
    let pairs = |signal: u64| signal as u32 % PAIRS;
    let cases: [(_, _, &dyn Fn(u64) -> Head); 3] = [
        ("by pid", BATCH, &|signal| head(pairs(signal), false)),
        ("one in eight by name", BATCH, &|signal| {
            head(pairs(signal), signal % 8 == 0)
        }),
        ("one to all", ALL, &to_all),
    ];
    for (name, batch, head) in cases {
        group.throughput(Throughput::Elements(batch));
        let mut out = Outbound::new(STRANDS, WINDOW);
        let mut inbound = Inbound::new(WINDOW);
        let mut aliases = Aliases::default();
        let content = Content::Signal(body(0, 100));
        group.bench_function(name, |b| {
            b.iter(|| lanes(&mut out, &mut inbound, &mut aliases, &content, batch, head));
        });
    }
    group.finish();
}

fn bench_sessions(c: &mut Criterion) {
    let mut group = c.benchmark_group("a pair of sessions");
    for (name, size, signals) in [("100 B", 100, BATCH), ("64 KiB", 64 * 1024, 64)] {
        let bodies: Vec<Bytes> = (0..PAIRS).map(|pair| body(pair, size)).collect();
        let mut joined = Joined::new();
        group.throughput(Throughput::Elements(signals));
        group.bench_function(name, |b| {
            b.iter(|| {
                let intake = (0..signals).map(|signal| {
                    let pair = signal as u32 % PAIRS;
                    Intake::message(head(pair, false), Content::Signal(bodies[pair as usize].clone()))
                });
                assert_eq!(joined.carry(intake).len() as u64, signals, "every signal is delivered");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench_lanes, bench_sessions);
criterion_main!(benches);
