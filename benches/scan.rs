//! How long a gateway looks at a signal: control terms and whole terms of a real node (OTP 25).

#![allow(missing_docs, reason = "criterion's macros write functions without")]

#[path = "../tests/system/golden/fixture.rs"]
mod fixture;

use std::hint::black_box;

use beamway::internals::codec::Reader;
use beamway::internals::dist::Format;
use beamway::internals::dist::Packet;
use beamway::internals::dist::Run;
use beamway::internals::dist::StreamDecoder;
use beamway::internals::dist::scan;
use beamway::internals::etf::skip;
use bytes::Bytes;
use bytes::BytesMut;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;

/// Deeds whose last packet is one signal of the kind that a busy connection carries.
const USUAL: &[&str] = &[
    "send",
    "traced send",
    "send by name",
    "send to alias",
    "monitor with alias",
    "spawn_request with alias",
    "acknowledged unlink",
    "down",
    "spawn reply",
];

/// Signals in one packet stream of the bench of whole packets.
const STREAM: usize = 1000;

/// The last packet of a deed, without header.
fn body(deed: &str) -> Bytes {
    let deeds = fixture::read(fixture::HEADER);
    let deed = deeds
        .iter()
        .find(|found| found.name == deed)
        .expect("a deed of that name");
    assert!(!deed.expected.is_empty());
    let packet = deed.packets.last().expect("a packet");
    Bytes::copy_from_slice(packet.get(3..).expect("a header"))
}

/// Operation, sender and destination of one signal.
fn control_terms(c: &mut Criterion) {
    let mut group = c.benchmark_group("control");
    group.throughput(Throughput::Elements(1));
    for name in USUAL {
        let body = body(name);
        group.bench_function(*name, |b| b.iter(|| scan(black_box(&body), Format::Header).is_ok()));
    }
    let deeds = fixture::read(fixture::PASS_THROUGH);
    let short = deeds.iter().flat_map(|deed| &deed.packets);
    let bodies: Vec<&[u8]> = short
        .filter(|packet| packet.len() < 1000)
        .filter_map(|packet| packet.get(1..))
        .collect();
    group.throughput(Throughput::Elements(bodies.len() as u64));
    group.bench_function("every operation of a node without fragments", |b| {
        b.iter(|| {
            bodies
                .iter()
                .filter(|body| scan(black_box(body), Format::PassThrough).is_ok())
                .count()
        });
    });
    group.finish();
}

/// A whole term, to its end.
fn terms(c: &mut Criterion) {
    let mut group = c.benchmark_group("skip");
    for name in ["send", "all kinds of terms"] {
        let body = body(name);
        let control = scan(&body, Format::Header).expect("a control term");
        let payload = body.slice(control.length..);
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| skip(&mut Reader::new(black_box(&payload))).is_ok());
        });
    }
    group.finish();
}

/// A signal as it stands on a connection.
fn packet(deed: &str) -> Vec<u8> {
    let body = body(deed);
    let mut packet = ((body.len() + 3) as u32).to_be_bytes().to_vec();
    packet.extend([131, 68, 0]);
    packet.extend_from_slice(&body);
    packet
}

/// Bytes of a connection to signals with their routes: messages of two ways in turns, and those of one way.
fn packets(c: &mut Criterion) {
    let mut group = c.benchmark_group("packets");
    group.throughput(Throughput::Elements(STREAM as u64));
    let (one, other) = (packet("send"), packet("send by name"));
    for (name, pair) in [
        ("decode and scan", [&one, &other]),
        ("decode and scan runs", [&one, &one]),
    ] {
        let stream = pair.map(Vec::as_slice).concat().repeat(STREAM / 2);
        group.bench_function(name, |b| b.iter(|| assert_eq!(signals(&stream), STREAM)));
    }
    group.finish();
}

/// How many signals there are.
fn signals(stream: &[u8]) -> usize {
    let mut decoder = StreamDecoder::new(Format::Header);
    let mut input = BytesMut::from(stream);
    let mut signals = 0;
    while let Ok(Some(packet)) = decoder.decode(&mut input) {
        match packet {
            Packet::Signal(body) => signals += usize::from(scan(&body, Format::Header).is_ok()),
            Packet::Run(packets) => {
                let mut run = Run::new(&packets, Format::Header).expect("a run");
                while let Ok(Some(_)) = run.next_payload() {
                    signals += 1;
                }
            }
            Packet::Tick | Packet::First { .. } | Packet::Next { .. } => {}
        }
    }
    signals
}

criterion_group!(benches, control_terms, terms, packets);
criterion_main!(benches);
