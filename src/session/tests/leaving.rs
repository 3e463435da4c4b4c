//! Graceful shutdown of a daemon.

use std::time::Duration;

use super::super::*;
use super::pair::Pair;
use super::pair::config;
use super::pair::send;
use super::pair::signal;
use crate::wire::CircuitId;

const LOOK: Duration = Duration::from_millis(10);

/// Closes the circuits as a daemon without other sessions does.
fn later(pair: &mut Pair, looks: u32) {
    for _ in 0..looks {
        pair.now += LOOK;
        for side in &mut pair.sides {
            if side.session.may_close_circuits() {
                side.session.close_circuits(pair.now);
            }
        }
        pair.settle();
    }
}

fn say(pair: &mut Pair, side: usize, circuit: CircuitId, signals: u8) {
    for number in 0..signals {
        pair.signal(side, circuit, signal(send(1, u64::from(number % 7)), &[0x6a; 20_000]));
    }
}

/// Takes all deliveries, and reports them as written.
fn read(pair: &mut Pair, side: usize, circuit: CircuitId) -> usize {
    let contents = pair.deliveries(side, circuit);
    let (now, cost) = (pair.now, contents.iter().map(crate::wire::Content::cost).sum());
    pair.sides[side].session.written(circuit, cost, now);
    contents.len()
}

fn leave(pair: &mut Pair, side: usize) {
    let now = pair.now;
    pair.sides[side].session.leave("maintenance", now);
}

fn closed(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event::Closed { reason, .. }) if reason == "maintenance")
}

/// More data than the credit allows at once, in both directions: all of it arrives before the circuits are closed.
#[test]
fn what_was_said_before_is_delivered_on_both_sides() {
    for leaver in [0, 1] {
        let mut pair = Pair::new(&SessionConfig {
            circuit_budget: 256 << 10,
            ..config(4)
        });
        let circuit = pair.established();
        say(&mut pair, 0, circuit, 100);
        say(&mut pair, 1, circuit, 100);
        leave(&mut pair, leaver);
        let mut read_by = [0, 0];
        for _ in 0..100 {
            later(&mut pair, 1);
            for side in [0, 1] {
                read_by[side] += read(&mut pair, side, circuit);
                let events = pair.events(side);
                assert!(
                    !closed(&events) || read_by[side] == 100,
                    "ended after {} of 100",
                    read_by[side]
                );
            }
        }
        assert_eq!(read_by, [100, 100]);
        assert!(pair.sides.iter().all(|side| side.session.circuits().is_empty()));
        assert!(pair.sides[leaver].session.is_drained());
    }
}

#[test]
fn a_node_that_goes_on_is_listened_to_for_a_while() {
    let mut pair = Pair::new(&config(1));
    let circuit = pair.established();
    leave(&mut pair, 0);
    let (mut said, mut heard) = (0, 0);
    for _ in 0..300 {
        say(&mut pair, 0, circuit, 1);
        said += 1;
        later(&mut pair, 1);
        heard += read(&mut pair, 1, circuit);
    }
    assert_eq!(said, 300);
    assert!((195..=205).contains(&heard), "{heard} signals in 2 s, one each 10 ms");
    assert!(pair.sides[0].session.is_drained());
}

/// Otherwise a node would report the connections that it lost first to the nodes it still sees (`prevent_overlapping_partitions`).
#[test]
fn circuits_end_together() {
    let mut pair = Pair::new(&config(1));
    let (loud, quiet) = (pair.established(), pair.established());
    leave(&mut pair, 1);
    for look in 0..300 {
        say(&mut pair, look % 2, loud, 1);
        // The quiet circuit stays open as long as the other one.
        if look == 150 {
            say(&mut pair, 0, quiet, 1);
            say(&mut pair, 1, quiet, 1);
        }
        later(&mut pair, 1);
        for (side, circuit) in [(0, loud), (1, loud), (0, quiet), (1, quiet)] {
            let contents = read(&mut pair, side, circuit);
            assert!(circuit == loud || contents == usize::from(look == 150), "look {look}");
        }
        let left = [0, 1].map(|side| pair.sides[side].session.circuits().len());
        assert!(matches!(left, [2, 2] | [0, 0]), "look {look}: {left:?} of two circuits");
        assert_eq!(left == [0, 0], look >= 200, "look {look}");
    }
}

/// All nodes of one session are silent, but its circuits stay open until those of the other sessions are silent too.
#[test]
fn it_parts_when_it_is_told() {
    let mut pair = Pair::new(&config(1));
    let circuit = pair.established();
    leave(&mut pair, 1);
    for _ in 0..30 {
        pair.now += LOOK;
        pair.settle();
    }
    assert!(pair.sides[1].session.may_close_circuits());
    assert!(
        !pair.sides[0].session.may_close_circuits(),
        "the other one only follows"
    );
    for side in [0, 1] {
        say(&mut pair, side, circuit, 1);
        pair.settle();
        assert_eq!(read(&mut pair, 1 - side, circuit), 1, "nobody is deaf yet");
    }
    later(&mut pair, 1);
    assert!(!pair.sides[1].session.may_close_circuits());
    later(&mut pair, 10);
    assert!(pair.sides.iter().all(|side| side.session.circuits().is_empty()));
}

#[test]
fn no_circuit_begins_any_more() {
    let mut pair = Pair::new(&config(1));
    leave(&mut pair, 1);
    pair.settle();
    for side in [0, 1] {
        let session = &mut pair.sides[side].session;
        let circuit = session.open("b@h".into(), bytes::Bytes::from_static(b"N"));
        let events = pair.events(side);
        assert!(closed(&events), "{circuit}: {events:?}");
    }
    assert!(pair.sides[1].session.circuits().is_empty());
}

/// The peer had opened a circuit before it was told that this daemon leaves.
#[test]
fn a_circuit_that_crosses_the_news_is_refused() {
    let mut pair = Pair::new(&config(1));
    pair.sides[0]
        .session
        .open("b@h".into(), bytes::Bytes::from_static(b"N"));
    leave(&mut pair, 1);
    pair.settle();
    assert!(closed(&pair.events(0)));
    assert_eq!(pair.events(1), []);
}

#[test]
fn it_is_not_drained_before_the_peer_has_everything() {
    let mut pair = Pair::new(&config(1));
    let circuit = pair.established();
    say(&mut pair, 0, circuit, 1);
    pair.close(0, circuit);
    leave(&mut pair, 0);
    assert!(!pair.sides[0].session.is_drained());
    later(&mut pair, 2);
    assert_eq!(read(&mut pair, 1, circuit), 1);
    later(&mut pair, 2);
    assert!(pair.sides[0].session.is_drained());
}
