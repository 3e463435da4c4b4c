//! How much the nodes of a circuit may send, and what goes first.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::*;
use super::pair::Pair;
use super::pair::TERMS;
use super::pair::config;
use super::pair::send;
use super::pair::signal;
use crate::router::Priority;
use crate::router::Rate;
use crate::wire::CircuitId;
use crate::wire::Content;

const BODY: usize = 60_000;
const RATE: Rate = Rate {
    bytes: 1_000_000,
    burst: 131_072,
};

/// Everything that has arrived at the second side is read. Returns the bytes of the bodies.
fn read(pair: &mut Pair, circuit: CircuitId) -> u64 {
    let deliveries = pair.deliveries(1, circuit);
    let cost = deliveries.iter().map(Content::cost).sum();
    let now = pair.now;
    if cost > 0 {
        pair.sides[1].session.written(circuit, cost, now);
    }
    deliveries.iter().map(|content| content.body().len() as u64).sum()
}

/// The bytes that are read in so many milliseconds, while a node sends as much as it may.
fn flood(pair: &mut Pair, circuit: CircuitId, body: usize, milliseconds: u64) -> u64 {
    let mut all = 0;
    for _ in 0..milliseconds {
        // About as much as is read ahead of a leg.
        let mut ahead = pair.sides[0]
            .session
            .report()
            .circuits
            .iter()
            .map(|one| one.waiting)
            .sum::<u64>();
        while ahead < 300_000 {
            pair.signal(0, circuit, signal(send(1, 2), &vec![0x6a; body]));
            ahead += body as u64;
        }
        pair.settle();
        all += read(pair, circuit);
        pair.now += Duration::from_millis(1);
    }
    all
}

fn limit_at(pair: &mut Pair, side: usize, circuit: CircuitId, rate: Option<Rate>) {
    let limits = match side {
        0 => Limits {
            sent: rate,
            ..Limits::default()
        },
        _ => Limits {
            received: rate,
            ..Limits::default()
        },
    };
    pair.sides[side].session.limit(circuit, limits);
}

/// A circuit that is limited from its beginning.
fn limited(pair: &mut Pair, side: usize) -> CircuitId {
    let circuit = pair.sides[0].session.open("b@h".into(), Bytes::from_static(b"N"));
    pair.settle();
    pair.sides[1].session.handshake(circuit, Bytes::from_static(b"a"));
    pair.settle();
    for at in [0, 1] {
        pair.events(at);
        pair.sides[at].session.established(circuit, TERMS);
        if at == side {
            limit_at(pair, side, circuit, Some(RATE));
        }
    }
    pair.settle();
    circuit
}

#[test]
fn the_rate_holds_at_either_side_whatever_the_size() {
    for side in [0, 1] {
        for body in [100, 5_000, BODY] {
            let mut pair = Pair::new(&config(4));
            let circuit = limited(&mut pair, side);
            let begin = flood(&mut pair, circuit, body, 1000);
            // The burst, the credit of the handshake and one frame come on top.
            let most = RATE.bytes + RATE.burst + SessionConfig::HANDSHAKE_WINDOW + 2 * BODY as u64;
            assert!(
                begin <= most,
                "{begin} bytes in the first second at {side}, of {body} each"
            );
            let bytes = flood(&mut pair, circuit, body, 4000);
            let share = bytes as f64 / (4.0 * RATE.bytes as f64);
            assert!(
                (0.97..1.03).contains(&share),
                "{share} of the rate at {side}, of {body} bytes each"
            );
        }
    }
}

#[test]
fn a_rate_that_comes_changes_and_goes_holds_from_then_on() {
    for side in [0, 1] {
        let mut pair = Pair::new(&config(4));
        let circuit = pair.established();
        let free = flood(&mut pair, circuit, BODY, 100);
        assert!(free > 10_000_000, "{free} bytes without a limit");
        limit_at(&mut pair, side, circuit, Some(RATE));
        // Credit from before the limit is used up first.
        flood(&mut pair, circuit, BODY, 1000);
        for factor in [1, 3] {
            let rate = Rate {
                bytes: RATE.bytes * factor,
                burst: RATE.burst,
            };
            limit_at(&mut pair, side, circuit, Some(rate));
            flood(&mut pair, circuit, BODY, 200);
            let share = flood(&mut pair, circuit, BODY, 2000) as f64 / (2 * rate.bytes) as f64;
            assert!((0.95..1.05).contains(&share), "{share} of {rate:?} at {side}");
        }
        limit_at(&mut pair, side, circuit, None);
        flood(&mut pair, circuit, BODY, 20);
        let free = flood(&mut pair, circuit, BODY, 100);
        assert!(free > 10_000_000, "{free} bytes without a limit again");
    }
}

#[test]
fn the_smaller_of_two_rates_counts() {
    for (sent, received) in [(1, 3), (3, 1)] {
        let mut pair = Pair::new(&config(4));
        let circuit = limited(&mut pair, 0);
        for (side, factor) in [(0, sent), (1, received)] {
            let bytes = RATE.bytes * factor;
            limit_at(&mut pair, side, circuit, Some(Rate { bytes, ..RATE }));
        }
        flood(&mut pair, circuit, BODY, 3000);
        let share = flood(&mut pair, circuit, BODY, 3000) as f64 / (3 * RATE.bytes) as f64;
        assert!((0.95..1.05).contains(&share), "{share} with {sent} and {received}");
    }
}

/// Whoever waits for tokens sets a timer, and looks again no sooner than that.
#[test]
fn waiting_for_tokens_is_no_busy_loop() {
    for side in [0, 1] {
        let mut pair = Pair::new(&config(4));
        let circuit = limited(&mut pair, side);
        flood(&mut pair, circuit, BODY, 500);
        let (begin, mut looks) = (pair.now, 0);
        while let Some(due) = pair.sides.iter().filter_map(|side| side.session.poll_timeout()).min() {
            assert!(
                due > pair.now || looks == 0,
                "a timer that has passed, after {looks} looks"
            );
            pair.now = due;
            pair.settle();
            read(&mut pair, circuit);
            pair.settle();
            looks += 1;
        }
        // What waited for tokens, about 300 kB, has passed, and the bucket is full again.
        let took = pair.now - begin;
        assert!(took > Duration::from_millis(200), "{took:?}");
        assert!(looks < 1500, "{looks} looks in a second");
    }
}

#[test]
fn other_circuits_notice_nothing() {
    let mut pair = Pair::new(&config(4));
    let slow = limited(&mut pair, 0);
    let other = pair.established();
    for number in 0..100 {
        pair.signal(0, slow, signal(send(1, number % 7), &[0x6a; BODY]));
    }
    pair.settle();
    for number in 0..40 {
        pair.signal(0, other, signal(send(1, number % 7), &[0x6a; BODY]));
    }
    pair.settle();
    assert_eq!(pair.deliveries(1, other).len(), 40);
    assert!(pair.deliveries(1, slow).len() <= 4);
}

/// What is left of a node that has ended is not held back, and neither is that of a daemon that leaves.
#[test]
fn nobody_waits_for_the_rest_of_a_circuit_that_ends() {
    for is_leaving in [false, true] {
        let mut pair = Pair::new(&config(4));
        let circuit = limited(&mut pair, 0);
        for number in 0..40 {
            pair.signal(0, circuit, signal(send(1, number), &[0x6a; BODY]));
        }
        if is_leaving {
            let now = pair.now;
            pair.sides[0].session.leave("bye", now);
        } else {
            pair.close(0, circuit);
        }
        pair.settle();
        assert_eq!(pair.deliveries(1, circuit).len(), 40, "{is_leaving}");
    }
}

#[test]
fn a_circuit_that_may_not_be_ends_at_once_although_signals_wait() {
    let mut pair = Pair::new(&config(4));
    let circuit = limited(&mut pair, 0);
    for number in 0..40 {
        pair.signal(0, circuit, signal(send(1, number), &[0x6a; BODY]));
    }
    let now = pair.now;
    pair.sides[0].session.cut(circuit, "denied".into(), now);
    pair.settle();
    let arrived = pair.deliveries(1, circuit).len();
    assert!(arrived <= 4, "{arrived} that waited for tokens");
    let closed = Event::Closed {
        circuit,
        reason: "denied".into(),
    };
    assert_eq!(pair.events(1), [closed]);
}

#[test]
fn the_peer_is_told_of_a_connection_that_was_denied_and_nothing_is_opened() {
    let mut pair = Pair::new(&config(4));
    pair.sides[0].session.deny("b@h".into(), "rule 1".into());
    pair.settle();
    let denied = Event::Denied {
        target: "b@h".into(),
        reason: "rule 1".into(),
    };
    assert_eq!(pair.events(1), [denied]);
    assert_eq!(pair.sides[1].session.circuits(), []);
    let circuit = pair.established();
    pair.signal(0, circuit, signal(send(1, 2), b"after"));
    pair.settle();
    assert_eq!(pair.deliveries(1, circuit).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Limits at either side, changed at any time, and trunks that are lost: nothing is lost, sent twice or reordered.
    #[test]
    fn nothing_is_lost_or_reordered(steps in proptest::collection::vec((0..6_u8, 0..2_usize, 1_u64..40), 1..60)) {
        let mut pair = Pair::new(&config(4));
        let circuit = limited(&mut pair, 1);
        let (mut sent, mut seen) = (0_u32, Vec::new());
        let mut take = |pair: &mut Pair| {
            let deliveries = pair.deliveries(1, circuit);
            let cost = deliveries.iter().map(Content::cost).sum();
            let now = pair.now;
            pair.sides[1].session.written(circuit, cost, now);
            let numbers = deliveries.iter().filter_map(|content| content.body().last_chunk::<4>());
            seen.extend(numbers.map(|number| u32::from_be_bytes(*number)));
        };
        for (action, side, number) in steps {
            match action {
                0 => limit_at(&mut pair, side, circuit, Some(Rate { bytes: number * 100_000, burst: 65_536 })),
                1 => limit_at(&mut pair, side, circuit, None),
                2 => pair.cut(side, |_| ()),
                3 => {
                    pair.settle();
                    take(&mut pair);
                }
                _ => for _ in 0..number {
                    let mut body = vec![0x6a; 20_000];
                    body.extend(sent.to_be_bytes());
                    sent += 1;
                    pair.signal(0, circuit, signal(send(1, 2), &body));
                },
            }
            pair.now += Duration::from_millis(number);
            pair.flush(0);
        }
        for _ in 0..2_000_000 {
            if seen_all(&pair, circuit) { break; }
            pair.settle();
            take(&mut pair);
            pair.settle();
            let due = pair.sides.iter().filter_map(|side| side.session.poll_timeout()).min();
            pair.now = due.unwrap_or(pair.now).max(pair.now + Duration::from_millis(1));
        }
        take(&mut pair);
        prop_assert_eq!(seen, (0..sent).collect::<Vec<_>>());
    }
}

fn seen_all(pair: &Pair, circuit: CircuitId) -> bool {
    let report = |side: usize| pair.sides[side].session.report();
    let is_empty = |report: Report| report.waiting == 0 && report.unacknowledged == 0;
    let one = report(0).circuits.into_iter().find(|one| one.id == circuit);
    one.is_none_or(|one| one.waiting == 0)
        && is_empty(report(0))
        && report(1).circuits.iter().all(|one| one.parked == 0)
}

/// Bulk of three circuits with different priorities. Returns the circuits, the highest first.
fn three(pair: &mut Pair) -> [CircuitId; 3] {
    let circuits = [pair.established(), pair.established(), pair.established()];
    for (circuit, priority) in circuits.into_iter().zip(Priority::ALL) {
        let limits = Limits {
            priority,
            ..Limits::default()
        };
        pair.sides[0].session.limit(circuit, limits);
    }
    // The lowest comes first.
    for circuit in circuits.into_iter().rev() {
        for _ in 0..66 {
            pair.signal(0, circuit, signal(send(1, 7), &[0x6a; BODY]));
        }
    }
    circuits
}

/// How many bytes each circuit has got when the first one has got everything, and when nothing is left.
fn shares(pair: &mut Pair, circuits: [CircuitId; 3]) -> ([u64; 3], [u64; 3]) {
    let session = &mut pair.sides[0].session;
    session.poll_start();
    let mut decoders: Vec<_> = (0..session.lanes())
        .map(|_| crate::wire::FrameDecoder::default())
        .collect();
    let (mut got, mut when) = ([0; 3], None);
    loop {
        let mut is_over = true;
        for (lane, decoder) in (0..).zip(&mut decoders) {
            let Some(batch) = session.poll_lane(lane) else {
                continue;
            };
            is_over = false;
            for bytes in batch {
                let mut frames = Vec::new();
                decoder.decode(&mut &bytes[..], &mut frames, usize::MAX).unwrap();
                for frame in frames {
                    let index = circuits.iter().position(|circuit| *circuit == frame.circuit).unwrap();
                    got[index] += frame.content.body().len() as u64;
                }
            }
            if got[0] >= 66 * BODY as u64 {
                when.get_or_insert(got);
            }
        }
        if is_over {
            return (when.unwrap(), got);
        }
    }
}

#[test]
fn priorities_share_a_lane_and_none_starves() {
    for lanes in [1, 16] {
        let mut pair = Pair::new(&config(lanes));
        let circuits = three(&mut pair);
        let (when, at_last) = shares(&mut pair, circuits);
        let [high, normal, low] = when.map(|bytes| bytes as f64);
        let slack = 3.0 * 131_072.0;
        assert!((normal - high / 4.0).abs() < slack, "{when:?} with {lanes} lanes");
        assert!(
            low > 0.0 && (low - high / 16.0).abs() < slack,
            "{when:?} with {lanes} lanes"
        );
        assert!(
            at_last.iter().all(|bytes| *bytes > 66 * BODY as u64),
            "{at_last:?} with {lanes} lanes"
        );
    }
}

#[test]
fn a_priority_holds_for_what_waits_already() {
    let mut pair = Pair::new(&config(1));
    let circuits = three(&mut pair);
    for (circuit, priority) in circuits
        .into_iter()
        .zip([Priority::Low, Priority::Normal, Priority::High])
    {
        let limits = Limits {
            priority,
            ..Limits::default()
        };
        pair.sides[0].session.limit(circuit, limits);
    }
    let (when, _) = shares(&mut pair, circuits);
    assert!(
        when[2] > 66 * BODY as u64 && when[1] > 66 * BODY as u64,
        "{when:?}: the lowest was last"
    );
}
