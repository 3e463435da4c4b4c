//! The rules of a session, one by one: what each side may do, and which violations harm only the circuit that commits them.

use std::time::Duration;

use bytes::Bytes;

use super::super::*;
use super::pair::Pair;
use super::pair::TERMS;
use super::pair::alias_of;
use super::pair::config;
use super::pair::pid;
use super::pair::run;
use super::pair::send;
use super::pair::send_to_alias;
use super::pair::signal;
use super::pair::stale_exit;
use super::pair::tuple;
use crate::wire::CircuitId;
use crate::wire::Close;
use crate::wire::Content;
use crate::wire::Frame;
use crate::wire::FrameId;
use crate::wire::Hello;
use crate::wire::Mark;
use crate::wire::Notice;
use crate::wire::Open;
use crate::wire::Progress;
use crate::wire::Receipt;
use crate::wire::SessionId;

fn pair() -> Pair {
    Pair::new(&config(4))
}

fn closed(circuit: CircuitId, reason: &str) -> Event {
    Event::Closed {
        circuit,
        reason: reason.into(),
    }
}

#[test]
fn a_circuit_is_opened_with_the_first_handshake_message() {
    let mut pair = pair();
    let circuit = pair.sides[0].session.open("b@h".into(), Bytes::from_static(b"Na"));
    let other = pair.sides[1].session.open("a@h".into(), Bytes::from_static(b"Nb"));
    assert_eq!((circuit.0, other.0), (1, 2), "each side has its own half of the ids");
    pair.settle();
    for (side, circuit, target, send_name) in [(1, circuit, "b@h", "Na"), (0, other, "a@h", "Nb")] {
        let open = Open {
            circuit,
            target: target.into(),
            send_name: send_name.into(),
            credit: SessionConfig::HANDSHAKE_WINDOW,
        };
        assert_eq!(pair.events(side), [Event::Opened(open)]);
    }
    for (from, message) in [(1, "s"), (1, "N"), (0, "r"), (1, "a")] {
        pair.sides[from].session.handshake(circuit, message.into());
        pair.settle();
        let message = message.into();
        assert_eq!(pair.events(1 - from), [Event::Handshake { circuit, message }]);
    }
}

#[test]
fn frames_that_outrun_the_handshake_wait_for_it() {
    let mut pair = pair();
    let circuit = pair.sides[0].session.open("b@h".into(), Bytes::from_static(b"N"));
    pair.settle();
    pair.sides[1].session.handshake(circuit, Bytes::from_static(b"a"));
    pair.sides[1].session.established(circuit, TERMS);
    let content = signal(send(1, 2), b"\x6a");
    pair.signal(1, circuit, content.clone());
    pair.settle_lanes(0);
    assert!(pair.sides[0].arrived(circuit), "the frame is there");
    assert_eq!(pair.deliveries(0, circuit), []);
    // Even the close may arrive before the leg has completed its handshake.
    pair.close(1, circuit);
    pair.settle();
    assert!(!pair.events(0).contains(&closed(circuit, "bye")));
    pair.sides[0].session.established(circuit, TERMS);
    assert_eq!(pair.sides[0].session.poll_ready(), Some(circuit));
    assert_eq!(pair.deliveries(0, circuit), [content]);
    assert_eq!(pair.events(0), [closed(circuit, "bye")]);
}

#[test]
fn a_refused_circuit_ends_at_once() {
    let mut pair = pair();
    let circuit = pair.sides[0].session.open("b@h".into(), Bytes::from_static(b"N"));
    pair.settle();
    pair.sides[1].session.handshake(circuit, Bytes::from_static(b"s"));
    pair.close(1, circuit);
    pair.settle();
    let message = Bytes::from_static(b"s");
    assert_eq!(
        pair.events(0),
        [Event::Handshake { circuit, message }, closed(circuit, "bye")]
    );
    assert_eq!(pair.sides[0].session.circuits(), []);
    assert_eq!(pair.sides[1].session.circuits(), []);
}

#[test]
fn what_was_sent_before_the_end_is_delivered_and_nothing_after() {
    let mut pair = pair();
    let circuit = pair.established();
    let contents: Vec<Content> = (0..20).map(|to| signal(send(1, to), b"\x6a")).collect();
    contents
        .iter()
        .for_each(|content| pair.signal(0, circuit, content.clone()));
    pair.close(0, circuit);
    pair.signal(0, circuit, signal(send(1, 99), b"\x6a"));
    // The close arrives before any frame.
    pair.flush(0);
    pair.arrive(1, 0, usize::MAX);
    assert_eq!(pair.deliveries(1, circuit), []);
    assert_eq!(pair.events(1), []);
    pair.settle();
    let mut seen = pair.deliveries(1, circuit);
    seen.sort_by_key(|content| content.body().clone());
    let mut expected = contents;
    expected.sort_by_key(|content| content.body().clone());
    assert_eq!(seen, expected);
    assert_eq!(pair.events(1), [closed(circuit, "bye")]);
    // Frames for a closed circuit are dropped, and change nothing.
    pair.signal(1, circuit, signal(send(1, 2), b"\x6a"));
    pair.settle();
    assert_eq!(
        (pair.deliveries(0, circuit), pair.sides[0].session.circuits()),
        (vec![], vec![])
    );
    assert!(pair.events(0).iter().all(|event| matches!(event, Event::Taken { .. })));
    let next = pair.sides[0].session.open("b@h".into(), Bytes::new());
    assert!(next > circuit, "ids are never given again");
}

#[test]
fn frames_of_a_closed_circuit_are_dropped() {
    let mut pair = pair();
    let circuit = pair.established();
    pair.signal(1, circuit, signal(send(1, 2), b"\x6a"));
    pair.close(0, circuit);
    pair.settle();
    assert_eq!(pair.sides[0].session.stats().frames_late, 1);
    assert_eq!(pair.deliveries(0, circuit), []);
}

/// Both legs have ended, both have more to send than the credit allows, and nobody writes any more.
#[test]
fn two_ends_that_wait_for_credit_do_not_wait_for_ever() {
    let mut pair = Pair::new(&SessionConfig {
        circuit_budget: 500,
        ..config(4)
    });
    let circuit = pair.established();
    for number in 0..100 {
        for side in [0, 1] {
            pair.signal(side, circuit, signal(send(1, number % 7), b"\x6a"));
        }
    }
    pair.settle();
    for side in [0, 1] {
        assert!(!pair.deliveries(side, circuit).is_empty());
        pair.close(side, circuit);
    }
    for _ in 0..200 {
        pair.now += Duration::from_millis(6);
        pair.settle();
    }
    for side in &pair.sides {
        assert_eq!(side.session.circuits(), []);
    }
}

#[test]
fn a_node_that_does_not_read_what_is_left_is_given_up() {
    let mut pair = pair();
    let circuit = pair.established();
    pair.signal(0, circuit, signal(send(1, 2), b"\x6a"));
    pair.close(0, circuit);
    pair.settle();
    let deadline = pair.sides[1].session.poll_timeout().unwrap();
    assert!(deadline <= pair.now + SessionConfig::default().close_deadline);
    pair.now += SessionConfig::default().close_deadline;
    let now = pair.now;
    pair.sides[1].session.handle_timeout(now);
    let events = pair.events(1);
    assert_eq!(
        events,
        [closed(
            circuit,
            "the local node did not read the remaining signals in time"
        )]
    );
    assert_eq!(pair.deliveries(1, circuit), []);
}

/// The end of a circuit is announced only once: accepting more would take memory, and contradict the announcement.
#[test]
fn a_second_close_changes_nothing() {
    let mut pair = pair();
    let circuit = pair.established();
    let now = pair.now;
    let close = |last| {
        Notice::Close(Close {
            circuit,
            last,
            reason: "bye".into(),
        })
    };
    let session = &mut pair.sides[1].session;
    // The peer has opened the circuit with its first notice.
    let last = FrameId { strand: 1, number: 1 };
    session.handle_notice(2, close(vec![last]), now).unwrap();
    session.handle_notice(3, close(vec![]), now).unwrap();
    assert_eq!(pair.events(1), []);
    let fine = signal(send(1, 2), b"\x6a");
    let frames = vec![frame(circuit, fine.clone())];
    pair.sides[1].session.handle_frames(1, frames, now).unwrap();
    assert_eq!(pair.deliveries(1, circuit), [fine]);
    assert_eq!(pair.events(1), [closed(circuit, "bye")]);
}

#[test]
fn goodbye_ends_every_circuit_first() {
    let mut pair = pair();
    let (one, other) = (pair.established(), pair.established());
    let content = signal(send(1, 2), b"\x6a");
    pair.signal(0, one, content.clone());
    pair.sides[0].session.end("upgrade");
    pair.settle();
    assert_eq!(
        pair.events(0)
            .iter()
            .filter(|event| matches!(event, Event::Closed { .. }))
            .count(),
        2
    );
    let events = pair.events(1);
    let goodbye = Event::Goodbye {
        reason: "upgrade".into(),
    };
    assert_eq!(events, [closed(other, "upgrade"), goodbye], "the first still delivers");
    assert_eq!(pair.deliveries(1, one), [content]);
    assert_eq!(pair.events(1), [closed(one, "upgrade")]);
}

#[test]
fn nodes_that_come_and_go_are_told_of() {
    let mut pair = pair();
    let (name, hosts) = ("a".to_owned(), vec!["h".to_owned()]);
    pair.sides[0].session.node_up(name.clone(), hosts.clone(), true);
    pair.sides[0].session.node_down(name.clone());
    pair.settle();
    let up = Event::NodeUp {
        name: name.clone(),
        hosts,
        hidden: true,
    };
    assert_eq!(pair.events(1), [up, Event::NodeDown { name }]);
}

#[test]
fn signals_for_an_earlier_life_are_withheld() {
    let mut pair = pair();
    let circuit = pair.established();
    let fine = signal(send(1, 2), b"\x6a");
    let first = |message| Content::First {
        message,
        fragments: 3,
        body: [stale_exit(), b"\x6a".to_vec()].concat().into(),
    };
    let next = |remaining| Content::Next {
        message: 1,
        remaining,
        body: Bytes::from_static(b"x"),
    };
    for content in [signal(stale_exit(), b"\x6a"), first(1), next(2), next(1), fine.clone()] {
        pair.signal(0, circuit, content);
    }
    pair.settle();
    assert_eq!(pair.deliveries(1, circuit), [fine]);
    assert_eq!(pair.sides[1].session.stats().signals_stale, 4, "each part is counted");
    assert_eq!(pair.events(1), []);
}

/// A frame from a peer that does not follow the rules.
fn frame(circuit: CircuitId, content: Content) -> Frame {
    Frame {
        circuit,
        strand: 1,
        fences: Vec::new(),
        content,
    }
}

/// Frames from the peer that close their own circuit, and do not affect another one.
fn harm(config: &SessionConfig, frames: impl FnOnce(CircuitId) -> Vec<Frame>) -> String {
    let mut pair = Pair::new(config);
    let (harmed, neighbour) = (pair.established(), pair.established());
    let now = pair.now;
    pair.sides[1].session.handle_frames(1, frames(harmed), now).unwrap();
    pair.deliveries(1, harmed);
    let mut events = pair.events(1);
    let Some(Event::Closed { circuit, reason }) = events.pop() else {
        panic!("the circuit goes on");
    };
    assert_eq!((circuit, events.len()), (harmed, 0));
    assert_eq!(pair.sides[1].session.circuits(), [neighbour]);
    // The real peer has not sent these frames and would reject a receipt for them, so its side does not run.
    let told = std::iter::from_fn(|| pair.sides[1].session.poll_control()).fold(Vec::new(), |mut told, bytes| {
        told.extend_from_slice(&bytes);
        told
    });
    assert!(
        told.windows(reason.len()).any(|piece| piece == reason.as_bytes()),
        "the peer is told"
    );
    let fine = signal(send(1, 2), b"\x6a");
    let now = pair.now;
    let frames = vec![frame(neighbour, fine.clone())];
    pair.sides[1].session.handle_frames(1, frames, now).unwrap();
    assert_eq!(pair.deliveries(1, neighbour), [fine]);
    reason
}

#[test]
fn a_malformed_signal_ends_its_circuit_only() {
    for body in [&b""[..], b"\x68", b"\x68\x01\x61\x63", &send(1, 2)] {
        let content = Content::Signal(Bytes::copy_from_slice(body));
        let reason = harm(&config(4), |circuit| vec![frame(circuit, content)]);
        assert!(reason.starts_with("the peer sent a malformed signal: "), "{reason}");
    }
}

#[test]
fn a_malformed_run_ends_its_circuit_only() {
    let message = |to| signal(send(1, to), b"\x6a");
    let exit = signal(stale_exit(), b"\x6a");
    for (signals, wrong) in [
        (vec![], "malformed packet"),
        (vec![message(2), message(3)], "the control terms differ"),
        (vec![message(2), signal(send(1, 2), b"")], "no payload"),
        (vec![exit.clone(), exit], "a signal is not a message"),
    ] {
        let reason = harm(&config(4), |circuit| vec![frame(circuit, run(&signals))]);
        assert!(reason.starts_with("the peer sent a malformed signal: "), "{reason}");
        assert!(reason.contains(wrong), "{reason}");
    }
    let cut = run(&[message(2), message(2)]).body().slice(..90);
    let reason = harm(&config(4), |circuit| vec![frame(circuit, Content::Run(cut))]);
    assert!(reason.contains("malformed packet"), "{reason}");
}

/// The credit may be overdrawn by one frame, of at most the maximum size.
#[test]
fn more_than_was_granted_ends_the_circuit_only() {
    let tight = SessionConfig {
        circuit_budget: 300,
        ..config(4)
    };
    let reason = harm(&tight, |circuit| {
        vec![frame(circuit, signal(send(1, 2), &vec![0x6a; 7 << 20])); 3]
    });
    assert!(reason.contains("bytes sent, 300 granted"), "{reason}");
}

/// The sender may overdraw its credit with one frame; that frame may arrive before those that were sent before it.
#[test]
fn a_frame_that_overdraws_may_overtake_the_one_before_it() {
    let mut pair = Pair::new(&SessionConfig {
        circuit_budget: 300,
        ..config(16)
    });
    let circuit = pair.established();
    pair.signal(0, circuit, signal(send(1, 2), b"\x6a"));
    pair.signal(0, circuit, signal(send(1, 3), &[0x6a; 400]));
    pair.flush(0);
    let busy = |stream: &usize| !pair.sides[1].streams[*stream].is_empty();
    let mut streams: Vec<usize> = (1..17).filter(busy).collect();
    assert_eq!(streams.len(), 2, "the receivers have lanes of their own");
    streams.sort_by_key(|stream| std::cmp::Reverse(pair.sides[1].streams[*stream].len()));
    for stream in streams {
        pair.arrive(1, stream, usize::MAX);
    }
    assert_eq!(pair.events(1), []);
    assert_eq!(pair.deliveries(1, circuit).len(), 2);
}

#[test]
fn a_fence_that_cannot_open_ends_the_circuit_only() {
    let reason = harm(&config(4), |circuit| {
        let fences = vec![FrameId { strand: 1, number: 9 }];
        let content = signal(send(1, 2), b"\x6a");
        vec![Frame {
            circuit,
            strand: 1,
            fences,
            content,
        }]
    });
    assert!(
        reason.contains("frame 1 of strand 1 has a fence on frame 9 of its own"),
        "{reason}"
    );
}

/// A withheld signal is remembered from its first fragment on. A peer that never sends the last one must not fill the memory.
#[test]
fn unfinished_fragments_for_an_earlier_life_are_bounded() {
    let reason = harm(&config(4), |circuit| {
        let first = |message| Content::First {
            message,
            fragments: 2,
            body: stale_exit().into(),
        };
        (0..70_000).map(|message| frame(circuit, first(message))).collect()
    });
    assert!(reason.contains("more than 65536 fragmented signals"), "{reason}");
}

fn refused(number: u64, notice: Notice) -> SessionError {
    let mut pair = pair();
    let circuit = pair.established();
    let opened = pair.sides[1].session.open("a@h".into(), Bytes::new());
    assert_eq!((circuit.0, opened.0), (1, 2));
    let now = pair.now;
    // The peer has opened circuit 1 with its first notice.
    pair.sides[1].session.handle_notice(number, notice, now).unwrap_err()
}

#[test]
fn notices_are_taken_in_their_order_only() {
    let down = || Notice::NodeDown { name: "a".into() };
    for found in [0, 1, 3, u64::MAX] {
        let error = SessionError::NoticeNumber { found, expected: 2 };
        assert_eq!(refused(found, down()), error);
    }
}

#[test]
fn circuit_ids_are_the_openers_own_and_count_upwards() {
    for id in [0, 1, 2, 4] {
        let circuit = CircuitId(id);
        let open = Open {
            circuit,
            target: "b@h".into(),
            send_name: Bytes::new(),
            credit: 1,
        };
        assert_eq!(refused(2, Notice::Open(open)), SessionError::CircuitId { circuit });
    }
}

#[test]
fn what_was_never_sent_cannot_be_acknowledged() {
    let mark = |lane| Mark { lane, number: 1 };
    let progress = Progress {
        circuit: CircuitId(1),
        delivered: vec![FrameId { strand: 2, number: 1 }],
        credit: 0,
    };
    for (received, circuits) in [
        (vec![mark(0)], vec![]),
        (vec![mark(63)], vec![]),
        (vec![], vec![progress]),
    ] {
        let receipt = Receipt {
            received,
            notices: 0,
            circuits,
        };
        assert_eq!(
            refused(0, Notice::Receipt(receipt)),
            SessionError::Acknowledgement {
                what: "frame",
                number: 1,
                sent: 0
            }
        );
    }
    let receipt = Receipt {
        notices: 9,
        ..Receipt::default()
    };
    assert!(matches!(
        refused(0, Notice::Receipt(receipt)),
        SessionError::Acknowledgement {
            what: "notice",
            number: 9,
            ..
        }
    ));
}

#[test]
fn greetings_have_no_place_in_a_session() {
    let hello = Hello {
        temporary: false,
        port: 0,
        exchanges: false,
        session: None,
        versions: (1, 1),
        name: "left".into(),
        boot: [0; 16],
        lanes: 1,
        software: String::new(),
    };
    assert!(matches!(refused(0, Notice::Hello(hello)), SessionError::OutOfState(_)));
    let welcome = Notice::Welcome(SessionId { session: 1, trunk: 1 });
    assert!(matches!(refused(0, welcome), SessionError::OutOfState(_)));
}

#[test]
fn a_frame_on_a_lane_that_is_not_there_is_refused() {
    let mut pair = pair();
    let circuit = pair.established();
    let now = pair.now;
    let frames = vec![frame(circuit, signal(send(1, 2), b"\x6a"))];
    let refused = pair.sides[1].session.handle_frames(4, frames, now);
    assert_eq!(refused, Err(SessionError::Lane { lane: 4, lanes: 4 }));
}

#[test]
fn notices_for_circuits_that_are_gone_change_nothing() {
    let mut pair = pair();
    let circuit = CircuitId(77);
    let close = Notice::Close(Close {
        circuit,
        last: vec![FrameId { strand: 1, number: 5 }],
        reason: "?".into(),
    });
    let message = Bytes::from_static(b"a");
    let step = Notice::Handshake {
        circuit,
        message,
        credit: 5,
    };
    let now = pair.now;
    for (number, notice) in [(1, close), (2, step)] {
        pair.sides[1].session.handle_notice(number, notice, now).unwrap();
    }
    assert_eq!((pair.events(1), pair.sides[1].session.circuits()), (vec![], vec![]));
}

/// A spawn that fails leads to no DOWN, so its alias is forgotten when the reply says so: 65,536 of them would be remembered.
#[test]
fn the_alias_of_a_failed_spawn_is_forgotten() {
    let mut pair = pair();
    let circuit = pair.established();
    let owner = pid(1, 5);
    let function = b"\x68\x03\x77\x01m\x77\x01f\x61\x01";
    for (request, result, resolved) in [(3, &b"\x77\x06noproc"[..], false), (4, &pid(9, 5), true)] {
        let request_id = alias_of(request);
        let spawn = tuple(29, &[&request_id, &owner, &owner, function, b"\x6a"]);
        pair.signal(0, circuit, signal(spawn, b"\x6a"));
        pair.settle();
        assert_eq!(pair.deliveries(1, circuit).len(), 1);
        let before = pair.sides[1].session.stats().aliases;
        pair.signal(
            1,
            circuit,
            Content::Signal(tuple(31, &[&request_id, &owner, b"\x61\x00", result]).into()),
        );
        pair.signal(1, circuit, signal(send_to_alias(9, request_id), b"\x6a"));
        let after = pair.sides[1].session.stats().aliases;
        assert_eq!(
            after.resolved - before.resolved,
            u64::from(resolved),
            "request {request}"
        );
        assert_eq!(
            after.ambiguous - before.ambiguous,
            u64::from(!resolved),
            "request {request}"
        );
    }
}
