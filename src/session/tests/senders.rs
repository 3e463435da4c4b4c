//! Processes that send more than their circuit carries, and those beside them.

use std::time::Duration;

use super::super::*;
use super::pair::Pair;
use super::pair::TERMS;
use super::pair::config;
use super::pair::send;
use super::pair::signal;
use crate::wire::CircuitId;
use crate::wire::Content;

const BODY: usize = 60_000;

/// A circuit whose first end suspends processes, or not.
fn pair(suspends: bool) -> (Pair, CircuitId) {
    let mut pair = Pair::new(&config(4));
    let circuit = pair.established();
    pair.sides[0].session.established(circuit, Agreed { suspends, ..TERMS });
    (pair, circuit)
}

/// Process 1 sends as many large messages, process 2 a small one after each.
fn flood(pair: &mut Pair, circuit: CircuitId, messages: usize) {
    for _ in 0..messages {
        pair.signal(0, circuit, signal(send(1, 3), &[0x6a; BODY]));
        pair.signal(0, circuit, signal(send(2, 4), &[0x6a; 10]));
    }
    pair.settle();
}

/// The far node reads everything.
fn read(pair: &mut Pair, circuit: CircuitId) {
    loop {
        let deliveries = pair.deliveries(1, circuit);
        if deliveries.is_empty() {
            return;
        }
        let now = pair.now;
        let cost = deliveries.iter().map(Content::cost).sum();
        pair.sides[1].session.written(circuit, cost, now);
        pair.now += Duration::from_millis(10);
        pair.settle();
    }
}

/// The processes that were told to be suspended, each time that has changed.
fn suspended(pair: &mut Pair) -> Vec<Vec<u32>> {
    let told = pair.events(0).into_iter().filter_map(|event| match event {
        Event::Suspend { senders, .. } => Some(senders.iter().map(|pid| pid.id).collect()),
        _ => None,
    });
    told.collect()
}

#[test]
fn whoever_floods_is_suspended_until_the_far_node_has_read() {
    let (mut pair, circuit) = pair(true);
    let window = SessionConfig::FIRST_WINDOW as usize;
    flood(&mut pair, circuit, window / BODY / 3);
    assert!(suspended(&mut pair).is_empty(), "a third of the window");
    flood(&mut pair, circuit, window / BODY / 3);
    assert_eq!(suspended(&mut pair), [[1]]);
    // Even what it had sent before it was suspended leaves credit for others.
    pair.signal(0, circuit, signal(send(2, 4), &[0x6a; 10]));
    pair.settle();
    assert!(suspended(&mut pair).is_empty());
    read(&mut pair, circuit);
    let nobody: Vec<u32> = Vec::new();
    assert_eq!(suspended(&mut pair), [nobody]);
    flood(&mut pair, circuit, 1);
    assert!(suspended(&mut pair).is_empty());
}

/// What was sent again on another trunk is on the way still, and counts once.
#[test]
fn a_lost_trunk_lets_nobody_go_on() {
    let (mut pair, circuit) = pair(true);
    flood(&mut pair, circuit, 40);
    assert_eq!(suspended(&mut pair), [[1]]);
    pair.cut(0, |_| {});
    pair.settle();
    assert!(suspended(&mut pair).is_empty());
    read(&mut pair, circuit);
    let nobody: Vec<u32> = Vec::new();
    assert_eq!(suspended(&mut pair), [nobody]);
}

#[test]
fn nobody_is_suspended_where_that_cannot_be_done() {
    let (mut pair, circuit) = pair(false);
    flood(&mut pair, circuit, 200);
    read(&mut pair, circuit);
    assert!(suspended(&mut pair).is_empty());
}
