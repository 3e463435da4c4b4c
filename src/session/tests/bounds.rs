//! Bounds on the memory that a peer, or a BEAM that does not read, can make a session use.

use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;

use super::super::*;
use super::pair::Pair;
use super::pair::TERMS;
use super::pair::config;
use super::pair::send;
use super::pair::signal;
use crate::wire::BODY_MAX;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::Frame;
use crate::wire::FrameDecoder;
use crate::wire::FrameHead;
use crate::wire::FrameId;
use crate::wire::Notice;
use crate::wire::Open;
use crate::wire::STRANDS;

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
    let own = settings.memory.account().kept();
    pour(&mut pair, sleeper, 2000);
    let slept = settings.memory.account().kept() - own;
    assert!(
        (SessionConfig::FIRST_WINDOW..SessionConfig::FIRST_WINDOW + 70_000).contains(&slept),
        "{slept} bytes are kept for a node that never read"
    );
    pour(&mut pair, reader, 2000);
    assert_eq!(read(&mut pair, reader), 2000);
    let left = settings.memory.account().kept() - own;
    assert!(
        (slept..slept + 8192).contains(&left),
        "what was read is not kept, but for a table: {slept}, {left}"
    );
    pour(&mut pair, reader, 2000);
    let stalled = settings.memory.account().kept() - own - slept;
    assert!(
        stalled > 8 * SessionConfig::FIRST_WINDOW && stalled < settings.circuit_budget + 70_000 + 160 * 1200,
        "{stalled} bytes are kept for a node that stopped reading"
    );
}

/// What was on its way when a circuit was closed is dropped, up to what the circuit had credit for.
#[test]
fn frames_for_closed_circuits_are_bounded() {
    let mut pair = Pair::new(&config(4));
    let circuit = pair.established();
    let now = pair.now;
    let [session, _] = &mut pair.sides;
    let session = &mut session.session;
    session.close(circuit, "over".into(), now);
    assert_eq!(session.circuits(), []);
    let content = signal(send(1, 2), &[0x6a; BODY]);
    let cost = content.cost();
    let frame = || Frame {
        circuit,
        strand: 0,
        fences: Vec::new(),
        content: content.clone(),
    };
    let may_come = (SessionConfig::FIRST_WINDOW + Content::COST_MAX) / cost;
    for number in 1..=may_come {
        assert_eq!(session.handle_frames(0, vec![frame()], now), Ok(()), "frame {number}");
    }
    assert_eq!(session.stats().frames_late, may_come);
    assert_eq!(
        session.handle_frames(0, vec![frame()], now),
        Err(SessionError::Late { circuit })
    );
}

#[test]
fn as_memory_runs_short_windows_shrink() {
    let memory = Memory::new(64 << 20);
    let settings = SessionConfig {
        memory: memory.share("peer"),
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

/// All sessions of a daemon share its memory. If it runs out, the peer that keeps most loses its largest circuit, whoever
/// receives at that moment.
#[test]
fn where_memory_ends_the_largest_circuit_of_the_largest_peer_ends() {
    const LIMIT: u64 = 6 << 20;
    let memory = Memory::new(LIMIT);
    let settings = |peer| SessionConfig {
        memory: memory.share(peer),
        ..config(4)
    };
    let mut quiet = Pair::new(&settings("quiet"));
    let mut honest = Pair::new(&settings("honest"));
    let large = quiet.established();
    pour(&mut quiet, large, 20);
    for _ in 0..12 {
        let circuit = quiet.established();
        pour(&mut quiet, circuit, 10);
    }
    let circuits: Vec<_> = (0..12).map(|_| honest.established()).collect();
    assert_eq!((quiet.events(1), honest.events(1)), (Vec::new(), Vec::new()));
    for circuit in circuits {
        pour(&mut honest, circuit, 3);
        // Its task is woken.
        quiet.settle();
    }
    assert_eq!(honest.events(1), [], "it keeps less than the other peer");
    let ended = quiet.events(1);
    assert!(ended.len() <= 4, "no more than needed: {ended:?}");
    match &ended[..] {
        [Event::Closed { circuit, reason }, ..] if *circuit == large => {
            assert!(reason.contains("the memory for unread bytes is used up"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(memory.kept() <= LIMIT, "{} bytes are kept", memory.kept());
    drop((quiet, honest));
    assert_eq!(memory.kept(), 0, "all is given back");
}

/// Sessions of temporary daemons under one name are one peer: with many of them it cannot stay below others.
#[test]
fn sessions_of_one_peer_count_together() {
    let memory = Memory::new(3 << 20);
    let settings = |peer| SessionConfig {
        memory: memory.share(peer),
        ..config(4)
    };
    let mut many: Vec<_> = (0..12).map(|_| Pair::new(&settings("many"))).collect();
    let mut one = Pair::new(&settings("one"));
    let circuit = one.established();
    pour(&mut one, circuit, 20);
    for index in 0..many.len() {
        let circuit = many[index].established();
        pour(&mut many[index], circuit, 10);
        many.iter_mut().for_each(Pair::settle);
    }
    assert!(memory.kept() <= 3 << 20, "{} bytes are kept", memory.kept());
    assert_eq!(
        one.events(1),
        [],
        "each of the others keeps less, but all of them keep more"
    );
    let ended = many.iter_mut().flat_map(|pair| pair.events(1)).count();
    assert!(ended > 0);
}

/// Frames that never end, and fences, are no credit, but memory.
#[test]
fn what_a_peer_begins_and_never_ends_is_counted() {
    let memory = Memory::new(64 << 20);
    let share = memory.share("peer");
    let mut lane = FrameDecoder::new(share.account());
    let body = vec![0; BODY_MAX];
    let mut stream = BytesMut::new();
    let content = Content::Signal(body.into());
    let head = FrameHead {
        circuit: CircuitId(1),
        strand: 0,
        fences: &[],
        content: &content,
    };
    head.encode(&mut stream);
    stream.extend_from_slice(content.body());
    let (mut most, mut frames) = (0, Vec::new());
    for mut piece in stream[..stream.len() - 1].chunks(1200) {
        most += piece.len() as u64;
        lane.decode(&mut piece, &mut frames, 1).unwrap();
        let kept = memory.kept();
        assert!(
            (most - 100..2 * most + 100_000).contains(&kept),
            "{kept} for {most} bytes"
        );
    }
    assert_eq!(frames, []);
    lane.decode(&mut &stream[stream.len() - 1..], &mut frames, 1).unwrap();
    assert_eq!(frames.len(), 1);
    assert_eq!(memory.kept(), 0, "whoever gets the frame counts it");
}

#[test]
fn fences_are_counted_and_satisfied_ones_are_not_kept() {
    let memory = Memory::new(8 << 20);
    let settings = SessionConfig {
        memory: memory.share("peer"),
        ..config(4)
    };
    let mut pair = Pair::new(&settings);
    let circuit = pair.established();
    let frames = |fence: u64| {
        (0..200).map(move |strand| Frame {
            circuit,
            strand,
            fences: (200..STRANDS).map(|strand| FrameId { strand, number: fence }).collect(),
            content: signal(send(1, 1), b"x"),
        })
    };
    let (now, before) = (pair.now, memory.kept());
    let session = &mut pair.sides[1].session;
    session.handle_frames(0, frames(0).collect(), now).unwrap();
    let satisfied = memory.kept() - before;
    assert!(
        satisfied < 200 * 400,
        "{satisfied} bytes are kept for fences on nothing"
    );
    session.handle_frames(0, frames(1).collect(), now).unwrap();
    let kept = memory.kept();
    assert!(kept <= 8 << 20, "{kept} bytes are kept");
    let closed = |event: &Event| matches!(event, Event::Closed { reason, .. } if reason.contains("unread bytes"));
    assert!(
        pair.events(1).iter().any(closed),
        "200 × 3896 fences of 16 bytes are more than there is"
    );
}

/// Until the nodes have shaken hands, only what is sent right after it may be on its way.
#[test]
fn little_is_kept_before_a_handshake_is_complete() {
    let settings = config(4);
    let mut pair = Pair::new(&settings);
    let circuit = pair.sides[0].session.open("b@h".into(), Bytes::from_static(b"N"));
    pair.settle();
    pair.sides[1].session.handshake(circuit, Bytes::from_static(b"a"));
    pair.settle();
    let own = settings.memory.account().kept();
    assert!(own < 2 * 32 * 1024, "{own} bytes are kept for the ends of a circuit");
    pour(&mut pair, circuit, 100);
    let kept = settings.memory.account().kept() - own;
    assert!(
        kept < SessionConfig::HANDSHAKE_WINDOW + BODY as u64 + 1000,
        "{kept} bytes are kept"
    );
    pair.sides[1].session.established(circuit, TERMS);
    pair.settle();
    let kept = settings.memory.account().kept();
    assert!(kept > SessionConfig::FIRST_WINDOW, "{kept} bytes are kept afterwards");
}

#[test]
fn a_peer_that_opens_circuits_without_end_is_refused_more() {
    let mut pair = Pair::new(&config(1));
    let now = pair.now;
    for number in 1..=SessionConfig::CIRCUITS_MAX as u64 + 10 {
        let open = Open {
            circuit: CircuitId(number * 2 - 1),
            target: "b@h".into(),
            send_name: Bytes::from_static(b"N"),
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

/// Announced names reach look-ups, other nodes and the log.
#[test]
fn names_that_no_node_can_have_are_not_announced() {
    let mut pair = Pair::new(&config(1));
    let now = pair.now;
    let session = &mut pair.sides[1].session;
    let up = |name: &str, hosts: Vec<String>| Notice::NodeUp {
        name: name.into(),
        hosts,
        hidden: false,
    };
    let odd = ["h\n2026 INFO all is well", "", "h@i", "\u{1b}[2J", "日本"].map(str::to_owned);
    let mut hosts = odd.to_vec();
    hosts.push("h".into());
    let notices = [
        up("a\nb", vec!["h".into()]),
        up("a", hosts),
        up("b", odd.to_vec()),
        up("c", (0..20_000).map(|number| format!("h{number}")).collect()),
        Notice::NodeDown { name: "a\u{1b}".into() },
        Notice::NodeDown { name: "a".into() },
    ];
    for (number, notice) in (1..).zip(notices) {
        session.handle_notice(number, notice, now).unwrap();
    }
    assert_eq!(
        session.stats().names_refused,
        1 + 5 + 5 + (20_000 - 1 - SessionConfig::HOSTS_OF_A_NODE) as u64 + 1
    );
    let events = pair.events(1);
    let [
        Event::NodeUp { name, hosts, .. },
        Event::NodeUp { hosts: many, .. },
        Event::NodeDown { name: down },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (name.as_str(), hosts.as_slice(), down.as_str()),
        ("a", &["h".to_owned()][..], "a")
    );
    assert_eq!(many.len(), SessionConfig::HOSTS_OF_A_NODE + 1);
}

/// Small bodies share pages, which count in full; those of a node that is far behind do not.
#[test]
fn small_frames_of_a_node_that_is_behind_have_memory_of_their_own() {
    let settings = config(4);
    let mut pair = Pair::new(&settings);
    let circuit = pair.established();
    let own = settings.memory.account().kept();
    for number in 0..3000 {
        pair.signal(0, circuit, signal(send(1, number), b"small"));
    }
    pair.settle();
    let deliveries = pair.deliveries(1, circuit);
    let shared = deliveries.iter().filter(|content| !content.body().is_unique()).count();
    assert!((300..2000).contains(&shared), "{shared} share a page of their lane");
    let pages: usize = deliveries.iter().map(|content| content.body().len()).sum();
    let frames = settings.memory.account().kept() - own;
    assert!(frames > 3000 * 160 + pages as u64, "{frames} bytes");
    let last = deliveries.into_iter().next().unwrap();
    let kept = settings.memory.account().kept();
    drop(last);
    let freed = kept - settings.memory.account().kept();
    assert!(freed <= 2048, "a page of {freed} bytes");
}

/// A circuit has an entry at both ends for each strand that it has used, and for its neighbours in a page of 16.
#[test]
fn the_tables_of_a_circuit_are_counted() {
    let settings = config(4);
    let mut pair = Pair::new(&settings);
    let circuit = pair.established();
    let own = settings.memory.account().kept();
    for number in 0..256 {
        pair.signal(0, circuit, signal(send(1, number), b"small"));
    }
    pair.settle();
    assert_eq!(read(&mut pair, circuit), 256);
    let tables = settings.memory.account().kept() - own;
    let page = 16 * (16 + 24);
    assert!(
        (64 * page..=256 * page + 8192).contains(&tables),
        "{tables} bytes in pages of {page}"
    );
}
