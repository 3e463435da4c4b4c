//! Much at once: a session's work for one circuit must not grow with the number of others, nor with all that they ever did.

use std::time::Duration;

use super::super::*;
use super::pair::Pair;
use super::pair::config;
use super::pair::send;
use super::pair::signal;
use super::pair::tuple;
use crate::wire::CircuitId;
use crate::wire::Content;

/// A message to one of many processes.
fn to_process(id: u32) -> Content {
    let pid = |id: u32| {
        let mut term = b"\x58\x77\x03a@h".to_vec();
        term.extend(id.to_be_bytes());
        term.extend([0, 0, 0, 0, 0, 0, 0, 5]);
        term
    };
    signal(tuple(22, &[&pid(1), &pid(id)]), b"\x6a")
}

/// Takes all deliveries of a circuit, and reports them as written.
fn read(pair: &mut Pair, side: usize, circuit: CircuitId) -> usize {
    let contents = pair.deliveries(side, circuit);
    let (now, cost) = (pair.now, contents.iter().map(Content::cost).sum());
    pair.sides[side].session.written(circuit, cost, now);
    contents.len()
}

/// Lets receipts become due.
fn later(pair: &mut Pair) {
    for _ in 0..3 {
        pair.now += Duration::from_millis(10);
        pair.settle();
    }
}

/// A circuit whose strands have nearly all been used; everything was delivered, and the sender knows it.
fn old_circuit(pair: &mut Pair, processes: u32) -> CircuitId {
    let circuit = pair.established();
    for id in 0..processes {
        pair.signal(0, circuit, to_process(id));
    }
    pair.settle();
    assert_eq!(read(pair, 1, circuit), processes as usize);
    later(pair);
    circuit
}

#[test]
fn circuits_that_wait_for_room_are_looked_at_when_there_is_some() {
    const CIRCUITS: usize = 100;
    const SIGNALS: usize = 5;
    let mut pair = Pair::new(&SessionConfig {
        backlog: 64 << 10,
        ..config(4)
    });
    let circuits: Vec<_> = (0..CIRCUITS).map(|_| pair.established()).collect();
    for circuit in &circuits {
        for number in 0..SIGNALS as u64 {
            pair.signal(0, *circuit, signal(send(1, number), &[0x6a; 50_000]));
        }
    }
    let mut arrived = 0;
    for _ in 0..1000 {
        later(&mut pair);
        arrived += circuits
            .iter()
            .map(|circuit| read(&mut pair, 1, *circuit))
            .sum::<usize>();
    }
    assert_eq!(arrived, CIRCUITS * SIGNALS);
    // Each of 250 batches used to look at all that wait.
    let looks = pair.sides[0].session.looks;
    assert!(looks <= 2 * arrived as u64, "{looks} looks for {arrived} signals");
}

#[test]
fn what_was_delivered_is_not_named_when_a_circuit_closes() {
    let mut pair = Pair::new(&config(16));
    let (one, other) = (old_circuit(&mut pair, 3000), old_circuit(&mut pair, 3000));
    pair.close(0, one);
    let told = pair.sides[0].session.poll_control().unwrap();
    // It used to name 2000 strands.
    assert!(told.len() < 100, "{} bytes for one circuit", told.len());
    let now = pair.now;
    pair.sides[0].session.leave("maintenance", now);
    pair.now += Duration::from_secs(3);
    let now = pair.now;
    pair.sides[0].session.handle_timeout(now);
    pair.sides[0].session.close_circuits(now);
    let told = pair.sides[0].session.poll_control().unwrap();
    assert!(told.len() < 200, "{} bytes for circuit {other}", told.len());
    assert!(pair.sides[0].session.control_waiting() * SessionConfig::CIRCUITS_MAX < SessionConfig::CONTROL_MAX);
}

/// Something is undelivered in thousands of strands of each circuit, so that closing them all at once would be megabytes.
#[test]
fn a_daemon_that_leaves_stays_within_its_bound() {
    const CIRCUITS: usize = 90;
    const PROCESSES: u32 = 3000;
    let mut pair = Pair::new(&config(4));
    let circuits: Vec<_> = (0..CIRCUITS).map(|_| pair.established()).collect();
    for circuit in &circuits {
        for id in 0..PROCESSES {
            pair.signal(0, *circuit, to_process(id));
        }
        pair.settle();
    }
    let now = pair.now;
    pair.sides[0].session.leave("maintenance", now);
    let mut arrived = 0;
    let mut most = 0;
    for look in 0..300 {
        pair.now += Duration::from_millis(10);
        let now = pair.now;
        let session = &mut pair.sides[0].session;
        session.handle_timeout(now);
        if session.may_close_circuits() {
            session.close_circuits(now);
        }
        most = most.max(session.control_waiting());
        pair.settle();
        // The nodes do not read before all that.
        if look > 20 {
            arrived += circuits
                .iter()
                .map(|circuit| read(&mut pair, 1, *circuit))
                .sum::<usize>();
        }
    }
    assert_eq!(
        arrived,
        CIRCUITS * PROCESSES as usize,
        "all is delivered before the circuits end"
    );
    assert!(pair.sides[0].session.is_drained());
    assert!(most < (1 << 20) + 40_000, "{most} bytes of notices waited");
}

/// Until data flows again, the peer hears of what it may not know. It used to hear of every strand that was ever used.
#[test]
fn a_resume_repeats_little() {
    const CIRCUITS: usize = 10;
    let mut pair = Pair::new(&config(16));
    for _ in 0..CIRCUITS {
        old_circuit(&mut pair, 3000);
    }
    for _ in 0..3 {
        pair.cut(0, |_| ());
        let told = pair.sides[1].session.poll_control().unwrap();
        assert!(told.len() < 16 * 1024, "{} bytes before any data", told.len());
        pair.sides[0].streams[0].extend(told);
        later(&mut pair);
    }
}
