//! Terms decoded and encoded, beside the libraries `eetf` and `erltf`.

#![allow(missing_docs, reason = "criterion's macros write functions without")]

use std::hint::black_box;
use std::time::Duration;

use beamway::etf::Atom;
use beamway::etf::Limits;
use beamway::etf::NodePid;
use beamway::etf::Pid;
use beamway::etf::Term;
use beamway::etf::TermRef;
use beamway::term;
use bytes::Bytes;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;

/// Terms as nodes send them.
fn samples() -> Vec<(&'static str, Term)> {
    let pid = NodePid {
        node: Atom::literal("shop@host.example.org"),
        pid: Pid {
            id: 4711,
            serial: 3,
            creation: 1_700_000_000,
        },
    };
    let reference = Term::parse("#Ref<shop@host.example.org.1.2.3>").expect("a reference");
    let row = |id: i64| term!({order, (id * 1_000_003), "a name of some length", (id as f64 / 3.0), open, [new, red]});
    let user = |id: i64| {
        term!(#{
            @"__struct__" => @"Elixir.Shop.User", id => (id), name => "Ada Lovelace", mail => "ada@example.org",
            age => 36, tags => [admin, beta], address => #{city => "London", street => "St. James's Square"}
        })
    };
    let deep = (0..100).fold(term!(end), |inner, level| term!({node, (level), [(inner)]}));
    vec![
        (
            "call",
            term!({@"$gen_call", {(pid), [alias | (reference)]}, {get, user, 42}}),
        ),
        ("struct", user(7)),
        ("100 structs", Term::List((0..100).map(user).collect())),
        ("100 tuples", Term::List((0..100).map(row).collect())),
        (
            "1000 integers",
            Term::List((0..1000).map(|n: i64| Term::from(n * n * n * n - 500)).collect()),
        ),
        ("string of 1000", Term::charlist(&"the quick brown fox ".repeat(50))),
        ("binary of 4 KiB", term!({data, (Bytes::from(vec![7; 4096]))})),
        ("100 levels", deep),
    ]
}

fn quick<'a>(c: &'a mut Criterion, name: &str) -> criterion::BenchmarkGroup<'a, criterion::measurement::WallTime> {
    let mut group = c.benchmark_group(name);
    group
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    group
}

fn decode(c: &mut Criterion) {
    let mut group = quick(c, "decode");
    for (name, term) in samples() {
        let bytes = term.encode().expect("a term");
        let limits = Limits::default();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("beamway", name), |b| {
            b.iter(|| Term::decode(black_box(&bytes)).expect("a term"));
        });
        group.bench_function(BenchmarkId::new("beamway shared", name), |b| {
            b.iter(|| Term::decode_shared(black_box(&bytes), &limits).expect("a term"));
        });
        group.bench_function(BenchmarkId::new("beamway view", name), |b| {
            b.iter(|| TermRef::new(black_box(&bytes)).expect("a term").bytes().len());
        });
        group.bench_function(BenchmarkId::new("eetf", name), |b| {
            b.iter(|| eetf::Term::decode(black_box(&bytes[..])).expect("a term"));
        });
        group.bench_function(BenchmarkId::new("erltf", name), |b| {
            b.iter(|| erltf::decode(black_box(&bytes)).expect("a term"));
        });
        group.bench_function(BenchmarkId::new("erltf borrowed", name), |b| {
            b.iter(|| erltf::decode_borrowed(black_box(&bytes)).expect("a term"));
        });
    }
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = quick(c, "encode");
    for (name, term) in samples() {
        let bytes = term.encode().expect("a term");
        let (other, third) = (eetf::Term::decode(&bytes[..]), erltf::decode(&bytes));
        let (other, third) = (other.expect("a term"), third.expect("a term"));
        let of_eetf = || {
            let mut out = Vec::new();
            black_box(&other).encode(&mut out).expect("a term");
            out
        };
        let of_erltf = || erltf::encode(black_box(&third)).expect("a term");
        // All three write the same term.
        for bytes in [of_eetf(), of_erltf()] {
            assert_eq!(Term::decode(&bytes).as_ref(), Ok(&term), "{name}");
        }
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("beamway", name), |b| {
            b.iter(|| black_box(&term).encode().expect("a term"));
        });
        group.bench_function(BenchmarkId::new("eetf", name), |b| b.iter(of_eetf));
        group.bench_function(BenchmarkId::new("erltf", name), |b| b.iter(of_erltf));
    }
    group.finish();
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
