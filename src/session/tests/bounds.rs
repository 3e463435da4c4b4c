//! Bounds on the memory that a peer, or a BEAM that does not read, can make a session use.

use std::time::Duration;

use bytes::Bytes;

use super::super::*;
use super::pair::Pair;
use super::pair::config;
use super::pair::send;
use super::pair::signal;
use crate::wire::CircuitId;
use crate::wire::Notice;
use crate::wire::Open;

const BODY: usize = 60_000;

fn pour(pair: &mut Pair, circuit: CircuitId, signals: u64) {
    for number in 0..signals {
        pair.signal(0, circuit, signal(send(1, number % 7), &[0x6a; BODY]));
    }
    pair.settle();
}

/// Takes all deliveries, and reports them as written at once.
fn read(pair: &mut Pair, circuit: CircuitId) -> usize {
    let mut all = 0;
    loop {
        let deliveries = pair.deliveries(1, circuit);
        if deliveries.is_empty() {
            return all;
        }
        all += deliveries.len();
        let cost = deliveries.iter().map(crate::wire::Content::cost).sum();
        let now = pair.now;
        pair.sides[1].session.written(circuit, cost, now);
        pair.now += Duration::from_millis(6);
        pair.settle();
    }
}

#[test]
fn a_window_grows_for_a_node_that_reads_and_for_no_other() {
    let settings = config(4);
    let mut pair = Pair::new(&settings);
    let (reader, sleeper) = (pair.established(), pair.established());
    pour(&mut pair, sleeper, 2000);
    let slept = settings.memory.kept();
    assert!(
        (SessionConfig::FIRST_WINDOW..SessionConfig::FIRST_WINDOW + 70_000).contains(&slept),
        "{slept} bytes are kept for a node that never read"
    );
    pour(&mut pair, reader, 2000);
    assert_eq!(read(&mut pair, reader), 2000);
    assert_eq!(settings.memory.kept(), slept, "what was read is not kept");
    pour(&mut pair, reader, 2000);
    let stalled = settings.memory.kept() - slept;
    assert!(
        stalled > 8 * SessionConfig::FIRST_WINDOW && stalled < settings.circuit_budget + 70_000,
        "{stalled} bytes are kept for a node that stopped reading"
    );
}

#[test]
fn as_memory_runs_short_windows_shrink() {
    let memory = Memory::new(64 << 20);
    let settings = SessionConfig {
        memory: memory.clone(),
        ..config(4)
    };
    let mut pair = Pair::new(&settings);
    let circuits: Vec<_> = (0..40).map(|_| pair.established()).collect();
    for circuit in &circuits {
        pour(&mut pair, *circuit, 100);
        assert_eq!(read(&mut pair, *circuit), 100);
    }
    for circuit in &circuits {
        pour(&mut pair, *circuit, 400);
    }
    assert!(memory.kept() > 32 << 20, "{} bytes are kept", memory.kept());
    assert!(memory.kept() <= 64 << 20, "{} bytes are kept", memory.kept());
}

/// Two sessions of one daemon share its memory. If the memory runs out, only the circuit that is furthest behind is closed.
#[test]
fn where_memory_ends_the_largest_circuit_ends() {
    let memory = Memory::new(6 << 20);
    let settings = SessionConfig {
        memory: memory.clone(),
        ..config(4)
    };
    let (mut one, mut other) = (Pair::new(&settings), Pair::new(&settings));
    let (small, large) = (one.established(), one.established());
    let elsewhere: Vec<_> = (0..8).map(|_| other.established()).collect();
    pour(&mut one, small, 1);
    pour(&mut one, large, 100);
    assert_eq!(one.events(1), []);
    for circuit in elsewhere {
        pour(&mut other, circuit, 100);
    }
    pour(&mut one, large, 100);
    pour(&mut one, small, 20);
    let ended: Vec<Event> = [one.events(1), other.events(1)].into_iter().flatten().collect();
    assert!(!ended.is_empty(), "{} bytes are kept", memory.kept());
    for event in &ended {
        let Event::Closed { circuit, reason } = event else {
            panic!("{event:?}");
        };
        assert!(reason.contains("the memory for unread bytes is used up"), "{reason}");
        assert_ne!(*circuit, small, "the small one lost nothing");
    }
    assert!(memory.kept() <= 6 << 20, "{} bytes are kept", memory.kept());
    drop((one, other));
    assert_eq!(memory.kept(), 0, "all is given back");
}

#[test]
fn a_peer_that_opens_circuits_without_end_is_refused_more() {
    let mut pair = Pair::new(&config(1));
    let now = pair.now;
    for number in 1..=SessionConfig::CIRCUITS_MAX as u64 + 10 {
        let open = Open {
            circuit: CircuitId(number * 2 - 1),
            target: "b@h".into(),
            send_name: Bytes::new(),
            credit: 1,
        };
        let session = &mut pair.sides[1].session;
        session.handle_notice(number, Notice::Open(open), now).unwrap();
    }
    assert_eq!(pair.sides[1].session.circuits().len(), SessionConfig::CIRCUITS_MAX);
    assert_eq!(pair.events(1).len(), SessionConfig::CIRCUITS_MAX);
    let told = pair.sides[1].session.poll_control().unwrap();
    let refusals = told.windows(7).filter(|piece| piece == b"already").count();
    assert_eq!(refusals, 10);
}

/// A peer can grant any amount of credit, but data that waits for a stalled line uses our own memory.
#[test]
fn what_waits_for_the_line_is_bounded() {
    let settings = SessionConfig {
        backlog: 1 << 20,
        ..config(4)
    };
    let mut pair = Pair::new(&settings);
    let circuit = pair.established();
    for number in 0..100 {
        pair.signal(0, circuit, signal(send(1, number % 7), &[0x6a; BODY]));
    }
    let taken = |events: Vec<Event>| -> u64 {
        let cost = |event| match event {
            Event::Taken { cost, .. } => cost,
            other => panic!("{other:?}"),
        };
        events.into_iter().map(cost).sum()
    };
    let first = taken(pair.events(0));
    assert!(first >= 1 << 20 && first < (1 << 20) + 2 * BODY as u64, "{first} bytes");
    // The rest follows as the line accepts the waiting data.
    let mut second = 0;
    for _ in 0..10 {
        pair.settle();
        pair.now += Duration::from_millis(6);
        second += taken(pair.events(0));
    }
    assert!(first + second > 100 * BODY as u64 / 2, "{second} bytes more");
    assert_eq!(read(&mut pair, circuit), 100);
}

/// Receipts restate totals, so one receipt that waits for the line replaces all later ones.
#[test]
fn receipts_do_not_pile_up_while_nobody_takes_them() {
    let mut pair = Pair::new(&config(4));
    let circuit = pair.established();
    for _ in 0..1000 {
        pair.signal(0, circuit, signal(send(1, 2), b"\x6a"));
        pair.settle_lanes(1);
        pair.now += Duration::from_millis(10);
        let now = pair.now;
        pair.sides[1].session.handle_timeout(now);
        assert!(pair.sides[1].session.poll_timeout().is_none_or(|at| at > now));
    }
    assert!(pair.sides[1].session.control_waiting() < 100);
    let receipt = pair.sides[1].session.poll_control().unwrap();
    assert!(receipt.len() < 100, "{} bytes", receipt.len());
}
