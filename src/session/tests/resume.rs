//! Trunks that are lost while the session continues.

use std::time::Duration;

use super::super::*;
use super::pair::Pair;
use super::pair::config;
use super::pair::send;
use super::pair::signal;
use super::simulation::Setting;
use super::simulation::run;
use crate::wire::Content;
use crate::wire::Mark;
use crate::wire::Notice;
use crate::wire::Receipt;

#[test]
fn nothing_is_lost_doubled_or_reordered() {
    let mut cuts = 0;
    for seed in 0..10 {
        let outcome = run(Setting {
            seed,
            cuts: true,
            ..Setting::default()
        });
        assert_eq!(outcome.violations, 0, "seed {seed}");
        cuts += outcome.cuts;
    }
    assert!(cuts > 200, "{cuts} trunks were lost");
}

#[test]
fn nor_with_tight_credit_or_any_number_of_lanes() {
    for (lanes, budget) in [(1, 64 << 10), (2, 300), (3, 1), (64, 3000)] {
        let outcome = run(Setting {
            lanes,
            budget,
            signals: 3000,
            cuts: true,
            ..Setting::default()
        });
        assert_eq!(outcome.violations, 0, "{lanes} lanes, {budget} bytes");
        assert!(outcome.cuts > 5, "{outcome:?}");
    }
}

/// What a receipt said is said again unless the peer is known to have read it, however often checkpoints are sent, and however
/// little is remembered.
#[test]
fn nor_where_receipts_are_lost() {
    for (seed, unread) in (0..).zip([(1, 1 << 15), (7, 1 << 15), (1, 1), (2, 3), (5, 40), (40, 40)]) {
        let outcome = run(Setting {
            seed,
            unread,
            cuts: true,
            budget: 3000,
            signals: 4000,
            ..Setting::default()
        });
        assert_eq!(outcome.violations, 0, "seed {seed}");
        assert!(outcome.cuts > 5, "{outcome:?}");
    }
}

/// One frame is not retransmitted: the checker finds missing signals, or nodes that wait for them forever.
#[test]
#[should_panic(expected = "no progress")]
fn a_replay_that_leaves_out_a_frame_is_noticed() {
    run(Setting {
        cuts: true,
        bug: Some(Bug::SkipReplay),
        churn: false,
        signals: 200,
        ..Setting::default()
    });
}

/// Frames of a strand overtake each other, including parts of one signal, which then cannot be delivered.
#[test]
#[should_panic(expected = "no progress")]
fn a_strand_that_changes_lanes_too_early_is_noticed() {
    run(Setting {
        bug: Some(Bug::ChangeLanes),
        ..Setting::default()
    });
}

fn numbered(number: u8) -> Content {
    signal(send(1, u64::from(number % 5)), &[0x6a, number])
}

fn numbers(contents: &[Content]) -> Vec<u8> {
    let last = |content: &Content| *content.body().last().unwrap();
    contents.iter().map(last).collect()
}

/// Loses a trunk at every point of an exchange, and the next trunk at every point too.
#[test]
fn a_trunk_may_be_lost_at_each_step() {
    const SIGNALS: u8 = 20;
    const STEPS: usize = 14;
    for (one, other) in (0..STEPS).flat_map(|one| (0..STEPS).map(move |other| (one, other))) {
        let mut pair = Pair::new(&config(3));
        let circuit = pair.established();
        let mut seen = [Vec::new(), Vec::new()];
        for (round, steps) in [(0, 3), (1, one), (2, other)] {
            for number in 0..SIGNALS {
                if number % 3 == round {
                    let content = |number| numbered(number);
                    pair.signal(0, circuit, content(number));
                    pair.signal(1, circuit, content(number));
                }
            }
            steps_of(&mut pair, steps);
            for side in [0, 1] {
                seen[side].extend(numbers(&pair.deliveries(side, circuit)));
            }
            pair.cut(round as usize % 2, |_| ());
        }
        pair.now += Duration::from_millis(6);
        pair.settle();
        let mut expected: Vec<u8> = (0..SIGNALS).collect();
        expected.sort_by_key(|number| number % 3);
        for side in [0, 1] {
            seen[side].extend(numbers(&pair.deliveries(side, circuit)));
            let mut sorted = seen[side].clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..SIGNALS).collect::<Vec<u8>>(), "{one} and {other} steps");
            for receiver in 0..5 {
                let mine = |number: &&u8| **number % 5 == receiver;
                let found: Vec<&u8> = seen[side].iter().filter(mine).collect();
                assert_eq!(
                    found,
                    expected.iter().filter(mine).collect::<Vec<_>>(),
                    "{one} and {other} steps"
                );
            }
        }
        pair.now += Duration::from_millis(6);
        pair.settle();
        pair.close(0, circuit);
        pair.settle();
        assert!(!pair.events(1).is_empty(), "the end is told too");
    }
}

/// Delivers this many pieces, one stream after the other. A piece is one flush of a side.
fn steps_of(pair: &mut Pair, steps: usize) {
    let streams = pair.sides[0].streams.len();
    for step in 0..steps {
        let side = step % 2;
        pair.flush(1 - side);
        pair.arrive(side, step / 2 % streams, usize::MAX);
    }
}

#[test]
fn what_was_acknowledged_is_not_sent_again() {
    let mut pair = Pair::new(&config(1));
    let circuit = pair.established();
    for number in 0..10 {
        pair.signal(0, circuit, numbered(number));
        pair.settle();
    }
    pair.now += Duration::from_millis(6);
    pair.settle();
    pair.signal(0, circuit, numbered(10));
    pair.flush(0);
    pair.cut(0, |_| ());
    pair.flush(1);
    pair.arrive(0, 0, usize::MAX);
    assert_eq!(pair.sides[0].session.poll_start(), Some(vec![11]));
    let batch = pair.sides[0].session.poll_lane(0).unwrap();
    let bytes: usize = batch.iter().map(bytes::Bytes::len).sum();
    assert!(bytes < 100, "{bytes} bytes are sent again");
    assert_eq!(pair.sides[0].session.poll_lane(0), None);
}

#[test]
fn without_grace_nothing_is_kept() {
    let settings = SessionConfig {
        grace: Duration::ZERO,
        backlog: 1 << 20,
        ..config(1)
    };
    let mut pair = Pair::new(&settings);
    let circuit = pair.established();
    for _ in 0..40 {
        pair.signal(0, circuit, signal(send(1, 2), &[0x6a; 60_000]));
    }
    pair.flush(0);
    assert_eq!(
        pair.sides[1].streams[1].len() / 60_000,
        40,
        "all is written, though nothing is acknowledged"
    );
}

/// The same limit applies to data that waits and to data that the peer has not acknowledged.
#[test]
fn what_is_kept_is_bounded() {
    let mut pair = Pair::new(&SessionConfig {
        backlog: 1 << 20,
        ..config(1)
    });
    let circuit = pair.established();
    for _ in 0..60 {
        pair.signal(0, circuit, signal(send(1, 2), &[0x6a; 60_000]));
        pair.flush(0);
    }
    let written = pair.sides[1].streams[1].len();
    assert!((1 << 20..(1 << 20) + 200_000).contains(&written), "{written} bytes");
    for _ in 0..10 {
        pair.settle();
        pair.now += Duration::from_millis(6);
    }
    assert_eq!(pair.deliveries(1, circuit).len(), 60);
}

#[test]
fn a_peer_that_acknowledges_nothing_is_noticed() {
    let mut pair = Pair::new(&config(1));
    let circuit = pair.established();
    pair.now += Duration::from_millis(6);
    pair.settle();
    let side = |pair: &mut Pair| {
        let now = pair.now;
        pair.sides[0].session.handle_timeout(now);
        pair.sides[0].session.stalled_since()
    };
    assert_eq!(side(&mut pair), None, "nothing is outstanding");
    pair.signal(0, circuit, numbered(1));
    pair.flush(0);
    let sent = pair.now;
    assert_eq!(side(&mut pair), Some(sent));
    pair.now += Duration::from_secs(1);
    assert_eq!(side(&mut pair), Some(sent));
    pair.settle();
    pair.now += Duration::from_millis(6);
    pair.settle();
    assert_eq!(side(&mut pair), None);
}

#[test]
fn a_lane_that_leaves_out_frames_is_refused() {
    let mut pair = Pair::new(&config(2));
    let circuit = pair.established();
    pair.signal(0, circuit, numbered(1));
    pair.settle();
    let session = &mut pair.sides[1].session;
    let lane = u8::from(session.stats().frames_received[1] == 1);
    assert_eq!(
        session.handle_lane(lane, 3),
        Err(SessionError::Missing {
            lane,
            first: 3,
            received: 1
        })
    );
    assert_eq!(session.handle_lane(lane, 2), Ok(()));
    assert_eq!(session.handle_lane(lane, 1), Ok(()), "what came before is passed over");
    assert!(session.handle_lane(lane, 0).is_err());
    assert_eq!(session.handle_lane(2, 1), Err(SessionError::Lane { lane: 2, lanes: 2 }));
}

/// A receipt on the new trunk acknowledges frames that the trunk has not carried yet. They are sent anyway, since their numbers
/// were announced.
#[test]
fn an_acknowledgement_in_the_middle_of_a_replay_changes_no_number() {
    let mut pair = Pair::new(&config(1));
    let circuit = pair.established();
    for number in 0..3 {
        pair.signal(0, circuit, numbered(number));
        pair.flush(0);
    }
    pair.cut(0, |_| ());
    pair.flush(1);
    pair.arrive(0, 0, usize::MAX);
    let now = pair.now;
    let session = &mut pair.sides[0].session;
    assert_eq!(session.poll_start(), Some(vec![1]));
    let early = Receipt {
        received: vec![Mark { lane: 0, number: 3 }],
        ..Receipt::default()
    };
    session.handle_notice(0, Notice::Receipt(early), now).unwrap();
    let batches = std::iter::from_fn(|| session.poll_lane(0)).count();
    assert_eq!(batches, 3);
}
