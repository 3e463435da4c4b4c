//! Nodes that fall silent: what the peer is told, and what it does with it.

use std::time::Duration;

use bytes::Bytes;

use super::super::*;
use super::pair::Pair;
use super::pair::Random;
use super::pair::TERMS;
use super::pair::config;
use crate::wire::CircuitId;
use crate::wire::Notice;
use crate::wire::NoticeDecoder;
use crate::wire::VERSION_MIN;

fn pair() -> (Pair, CircuitId) {
    let mut pair = Pair::new(&config(4));
    let circuit = pair.established();
    (pair, circuit)
}

fn silent(circuit: CircuitId, is_silent: bool) -> Event {
    Event::Silence { circuit, is_silent }
}

/// Lets receipts come due, and delivers everything.
fn settle(pair: &mut Pair) {
    pair.settle();
    pair.now += Duration::from_millis(10);
    pair.settle();
}

/// The notices about silence that a side has to write.
fn written(session: &mut Session) -> Vec<bool> {
    let mut decoder = NoticeDecoder::default();
    while let Some(bytes) = session.poll_control() {
        decoder.push(&bytes);
    }
    let notices = std::iter::from_fn(|| decoder.poll_notice().unwrap());
    let silences = notices.filter_map(|(_, notice)| match notice {
        Notice::Silence { is_silent, .. } => Some(is_silent),
        _ => None,
    });
    silences.collect()
}

#[test]
fn silence_is_told_once_and_speech_again() {
    let (mut pair, circuit) = pair();
    for is_silent in [true, false, true, false] {
        for _ in 0..3 {
            pair.sides[0].session.silence(circuit, is_silent);
            settle(&mut pair);
        }
        assert_eq!(pair.events(1), [silent(circuit, is_silent)]);
    }
    assert_eq!(pair.events(0), []);
}

#[test]
fn a_node_that_changes_faster_than_the_peer_hears_makes_one_notice() {
    let (mut pair, circuit) = pair();
    let session = &mut pair.sides[0].session;
    for round in 0..1000 {
        session.silence(circuit, round % 2 == 0);
    }
    assert_eq!(written(session), [true], "the first change");
    let (mut pair, circuit) = self::pair();
    for round in 0..1001 {
        pair.sides[0].session.silence(circuit, round % 2 == 0);
    }
    settle(&mut pair);
    assert_eq!(pair.events(1), [silent(circuit, true)], "it is as told before");
    pair.sides[0].session.silence(circuit, false);
    pair.sides[0].session.silence(circuit, true);
    pair.sides[0].session.silence(circuit, false);
    settle(&mut pair);
    assert_eq!(pair.events(1), [silent(circuit, false)]);
}

#[test]
fn both_nodes_may_fall_silent() {
    let (mut pair, circuit) = pair();
    for side in [0, 1] {
        pair.sides[side].session.silence(circuit, true);
    }
    settle(&mut pair);
    for side in [0, 1] {
        assert_eq!(pair.events(side), [silent(circuit, true)]);
    }
}

#[test]
fn circuits_in_their_handshake_and_closed_ones_are_ignored() {
    let mut pair = Pair::new(&config(4));
    let circuit = pair.sides[0].session.open("b@h".into(), Bytes::from_static(b"N"));
    pair.sides[0].session.silence(circuit, true);
    settle(&mut pair);
    pair.events(1);
    pair.sides[1].session.handshake(circuit, Bytes::from_static(b"a"));
    pair.sides[1].session.established(circuit, TERMS);
    // The other side may not be as far.
    pair.sides[1].session.silence(circuit, true);
    settle(&mut pair);
    let message = Bytes::from_static(b"a");
    assert_eq!(pair.events(0), [Event::Handshake { circuit, message }]);
    pair.sides[0].session.established(circuit, TERMS);
    assert_eq!(pair.events(0), [silent(circuit, true)]);
    pair.close(0, circuit);
    settle(&mut pair);
    pair.events(1);
    for side in [0, 1] {
        pair.sides[side].session.silence(circuit, false);
        pair.sides[side].session.silence(CircuitId(999), true);
    }
    settle(&mut pair);
    assert_eq!((pair.events(0), pair.events(1)), (vec![], vec![]));
}

#[test]
fn a_peer_of_the_former_version_is_told_nothing() {
    let mut pair = Pair::new(&SessionConfig {
        version: VERSION_MIN,
        ..config(4)
    });
    let circuit = pair.established();
    pair.sides[0].session.silence(circuit, true);
    assert!(written(&mut pair.sides[0].session).is_empty());
    let notice = Notice::Silence {
        circuit,
        is_silent: true,
    };
    let mut pair = Pair::new(&SessionConfig {
        version: VERSION_MIN,
        ..config(4)
    });
    let refused = pair.sides[1].session.handle_notice(1, notice, pair.now);
    assert_eq!(refused, Err(SessionError::OutOfState("silence")));
}

/// Nothing is kept, and the owner is told of changes only.
#[test]
fn a_hostile_peer_costs_nothing_by_it() {
    let (mut pair, circuit) = pair();
    let now = pair.now;
    let session = &mut pair.sides[1].session;
    let mut number = 1..;
    // What the peer has sent so far: the opening.
    number.next();
    for round in 0..10_000 {
        for circuit in [circuit, CircuitId(round * 2 + 5)] {
            let notice = Notice::Silence {
                circuit,
                is_silent: true,
            };
            session.handle_notice(number.next().unwrap(), notice, now).unwrap();
        }
    }
    assert_eq!(pair.events(1), [silent(circuit, true)]);
    assert_eq!(pair.sides[1].session.circuits(), [circuit]);
    assert_eq!(pair.sides[1].session.control_waiting(), 0);
}

/// Trunks are lost at any moment. In the end the peer knows, and has heard of each change once.
#[test]
fn silence_survives_the_loss_of_trunks() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let (mut pair, circuit) = pair();
        let mut is_silent = false;
        let mut told = Vec::new();
        for _ in 0..40 {
            match random.below(4) {
                0 => {
                    is_silent = random.one_in(2);
                    pair.sides[0].session.silence(circuit, is_silent);
                }
                1 => pair.flush(0),
                2 => {
                    let bytes = 1 + random.below(30) as usize;
                    for side in [0, 1] {
                        pair.flush(side);
                        pair.arrive(1 - side, 0, bytes);
                    }
                }
                _ => {
                    let first = random.below(2) as usize;
                    pair.cut(first, |_| {});
                }
            }
            pair.now += Duration::from_millis(3);
            told.extend(pair.events(1));
        }
        for _ in 0..3 {
            settle(&mut pair);
        }
        told.extend(pair.events(1));
        let states: Vec<bool> = told
            .iter()
            .map(|event| match event {
                Event::Silence { is_silent, .. } => *is_silent,
                other => panic!("seed {seed}: {other:?}"),
            })
            .collect();
        assert_eq!(
            states.last().copied().unwrap_or(false),
            is_silent,
            "seed {seed}: {states:?}"
        );
        assert!(states.windows(2).all(|two| two[0] != two[1]), "seed {seed}: {states:?}");
    }
}
