//! Which strand is written first if several share a lane.

use std::ops::Range;

use bytes::Bytes;

use super::super::*;
use super::pair::Pair;
use super::pair::config;
use super::pair::send;
use super::pair::signal;
use crate::wire::CircuitId;
use crate::wire::Frame;
use crate::wire::FrameDecoder;

const BODY: usize = 60_000;
const SMALL: &[u8] = b"small";

/// Sends bulk data to some processes in turns, then one small signal to another one.
fn crowd(pair: &mut Pair, bulk: (CircuitId, Range<u64>), small: (CircuitId, u64)) {
    for receiver in bulk.1.cycle().take(50) {
        pair.signal(0, bulk.0, signal(send(1, receiver), &[0x6a; BODY]));
    }
    pair.signal(0, small.0, signal(send(2, small.1), SMALL));
}

/// The frames that the side writes to its lanes, in the order of each lane.
fn written(session: &mut Session) -> Vec<Vec<Frame>> {
    session.poll_start();
    let lanes = 0..session.lanes();
    let frames = lanes.map(|lane| {
        let mut decoder = FrameDecoder::default();
        let mut frames = Vec::new();
        while let Some(batch) = session.poll_lane(lane) {
            for bytes in &batch {
                let mut input = &bytes[..];
                decoder.decode(&mut input, &mut frames, usize::MAX).unwrap();
            }
        }
        frames
    });
    frames.collect()
}

fn is_small(frame: &Frame) -> bool {
    frame.content.body().ends_with(SMALL)
}

#[test]
fn a_small_signal_passes_bulk_on_its_own_lane() {
    for receiver in 8..28 {
        let mut pair = Pair::new(&config(2));
        let circuit = pair.established();
        crowd(&mut pair, (circuit, 6..8), (circuit, receiver));
        let lanes = written(&mut pair.sides[0].session);
        let lane = lanes.iter().find(|lane| lane.iter().any(is_small)).unwrap();
        assert!(lane.len() > 20, "no bulk is on the lane");
        let at = lane.iter().position(is_small).unwrap();
        assert!(at <= 1, "{at} frames of bulk come before the small one");
        assert_ne!(lane[at].strand, lane[2].strand);
    }
}

/// All share the only lane, and bulk data uses up the backlog.
#[test]
fn bulk_of_one_circuit_does_not_hold_up_another() {
    for backlog in [1 << 20, 1 << 30] {
        let mut pair = Pair::new(&SessionConfig { backlog, ..config(1) });
        let (loud, quiet) = (pair.established(), pair.established());
        crowd(&mut pair, (loud, 7..8), (quiet, 7));
        let lanes = written(&mut pair.sides[0].session);
        let lane = lanes.iter().find(|lane| lane.iter().any(is_small)).unwrap();
        assert!(lane.len() > 15, "the bulk is not there");
        let at = lane.iter().position(is_small).unwrap();
        assert!(at <= 1, "{at} frames of bulk come before the small one");
    }
}

/// Four bulk transfers and a hundred calls, on four times as many lanes as bulk transfers.
#[test]
fn nothing_shares_a_lane_with_bulk_while_another_is_free() {
    let mut pair = Pair::new(&config(16));
    let circuit = pair.established();
    crowd(&mut pair, (circuit, 1..5), (circuit, 5));
    for receiver in 6..106 {
        pair.signal(0, circuit, signal(send(2, receiver), SMALL));
    }
    let lanes = written(&mut pair.sides[0].session);
    let shared = lanes.iter().filter(|lane| lane.len() > 10 && lane.iter().any(is_small));
    assert_eq!(shared.count(), 0);
    assert_eq!(lanes.iter().filter(|lane| lane.iter().any(is_small)).count(), 12);
}

#[test]
fn a_call_shares_no_lane_with_bulk_for_more_processes_than_there_are_lanes() {
    let mut pair = Pair::new(&config(16));
    let circuit = pair.established();
    crowd(&mut pair, (circuit, 1..41), (circuit, 100));
    let lanes = written(&mut pair.sides[0].session);
    let called = lanes.iter().position(|lane| lane.iter().any(is_small));
    assert_eq!(called, Some(15));
    assert!(lanes[15].iter().all(is_small), "bulk is on the lane");
    assert_eq!(lanes.iter().filter(|lane| !lane.is_empty()).count(), 16);
}

#[test]
fn a_call_beside_bulk_is_noticed_and_bulk_beside_bulk_is_not() {
    let mut pair = Pair::new(&config(8));
    let circuit = pair.established();
    pair.signal(0, circuit, signal(send(2, 4), SMALL));
    assert_eq!(pair.sides[0].session.calls(), 0, "nothing is under way");
    crowd(&mut pair, (circuit, 1..4), (circuit, 1));
    assert_eq!(pair.sides[0].session.calls(), 0, "it is sent where bulk is");
    for (receiver, calls) in [(8, 1), (12, 2)] {
        pair.signal(0, circuit, signal(send(2, receiver), SMALL));
        assert_eq!(pair.sides[0].session.calls(), calls, "to {receiver}");
    }
    let session = &mut pair.sides[0].session;
    session.poll_start();
    let called: Vec<_> = (0..8).filter(|lane| session.has_call(*lane)).collect();
    assert_eq!(called.len(), 2);
    for lane in called {
        let batch = session.poll_lane(lane).unwrap();
        assert!(batch.iter().map(Bytes::len).sum::<usize>() < BODY, "more than the call");
        assert!(!session.has_call(lane), "it has left");
    }
    // Two small signals at once are not a call.
    for message in 0..2 {
        assert_eq!(
            (0..8).filter(|lane| pair.sides[0].session.has_call(*lane)).count(),
            message
        );
        pair.signal(0, circuit, signal(send(2, 16), SMALL));
    }
    assert_eq!((0..8).filter(|lane| pair.sides[0].session.has_call(*lane)).count(), 0);
}
