use bytes::Bytes;
use bytes::BytesMut;
use proptest::prelude::*;

use super::super::*;
use crate::dist::handshake::Challenge;
use crate::dist::handshake::SendName;
use crate::dist::handshake::Status;
use crate::etf::Pid;
use crate::etf::Reference;

/// Pids of the node `a@h`, as OTP 25 writes them.
pub(crate) fn pid_term(id: u8) -> Vec<u8> {
    let mut term = b"\x58\x77\x03a@h\x00\x00\x00".to_vec();
    term.push(id);
    term.extend(b"\x00\x00\x00\x00\x00\x00\x00\x05");
    term
}

/// The same pid, decoded.
pub(crate) fn pid(id: u32) -> Pid {
    Pid {
        id,
        serial: 0,
        creation: 5,
    }
}

fn alias_term() -> Vec<u8> {
    b"\x5a\x00\x03\x77\x03a@h\x00\x00\x00\x05\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x03".to_vec()
}

fn alias() -> Reference {
    Reference::new(5, &[1, 1 << 16, 3]).unwrap()
}

const NAME: &[u8] = b"\x77\x03rex";
const EMPTY: &[u8] = b"\x77\x00";
const TOKEN: &[u8] = b"\x68\x05\x61\x00\x61\x01\x6a\x61\x02\x61\x03";
const MFA: &[u8] = b"\x68\x03\x77\x01m\x77\x01f\x61\x01";

pub(super) fn tuple(number: u8, elements: &[&[u8]]) -> Vec<u8> {
    let mut term = vec![104, elements.len() as u8 + 1, 97, number];
    elements.iter().for_each(|element| term.extend_from_slice(element));
    term
}

/// Every operation of `erl_dist_protocol`: its control term, and the expected result of reading it.
#[allow(clippy::too_many_lines, reason = "one row for each operation")]
fn table() -> Vec<(Vec<u8>, Sender, Destination<'static>, Option<Lesson>)> {
    let (p1, p2, reference) = (&pid_term(1)[..], &pid_term(2)[..], &alias_term()[..]);
    let one = Sender::Process(pid(1));
    let two = || Destination::Process(pid(2));
    let rex = || Destination::Name(b"rex"[..].into());
    let learn = Some(Lesson::Learn {
        owner: pid(1),
        alias: alias(),
    });
    let forget = Some(Lesson::Forget(alias()));
    let flags = |flags: u8| vec![97, flags];
    vec![
        (tuple(1, &[p1, p2]), one, two(), None),
        (tuple(2, &[EMPTY, p2]), Sender::Unknown, two(), None),
        (tuple(3, &[p1, p2, TOKEN]), one, two(), None),
        (tuple(4, &[p1, p2]), one, two(), None),
        (tuple(6, &[p1, EMPTY, NAME]), one, rex(), None),
        (tuple(7, &[p1, p2]), Sender::Unknown, two(), None),
        (tuple(8, &[p1, p2, NAME]), one, two(), None),
        (tuple(12, &[EMPTY, p2, TOKEN]), Sender::Unknown, two(), None),
        (tuple(13, &[p1, p2, TOKEN, NAME]), one, two(), None),
        (tuple(16, &[p1, EMPTY, NAME, TOKEN]), one, rex(), None),
        (tuple(18, &[p1, p2, TOKEN, NAME]), one, two(), None),
        (tuple(19, &[p1, p2, reference]), one, two(), learn),
        (tuple(19, &[p1, NAME, reference]), one, rex(), learn),
        (tuple(20, &[p1, p2, reference]), one, two(), forget),
        (tuple(20, &[p1, NAME, reference]), one, rex(), forget),
        (tuple(21, &[p1, p2, reference, NAME]), one, two(), forget),
        (tuple(21, &[NAME, p2, reference, NAME]), Sender::Unknown, two(), forget),
        (tuple(22, &[p1, p2]), one, two(), None),
        (tuple(23, &[p1, p2, TOKEN]), one, two(), None),
        (tuple(24, &[p1, p2]), one, two(), None),
        (tuple(25, &[p1, p2, TOKEN]), one, two(), None),
        (tuple(26, &[p1, p2]), one, two(), None),
        (tuple(27, &[p1, p2, TOKEN]), one, two(), None),
        (tuple(28, &[p1, p2, reference]), one, two(), forget),
        (tuple(28, &[NAME, p2, reference]), Sender::Unknown, two(), forget),
        (
            tuple(29, &[reference, p1, p2, MFA, b"\x6a"]),
            one,
            Destination::Node,
            learn,
        ),
        (
            tuple(30, &[reference, p1, p2, MFA, b"\x6a", TOKEN]),
            one,
            Destination::Node,
            learn,
        ),
        (tuple(31, &[reference, p2, &flags(3), p1]), one, two(), None),
        (
            tuple(31, &[reference, p2, &flags(0), NAME]),
            Sender::Service,
            two(),
            forget,
        ),
        (tuple(32, &[reference, p2, &flags(0), p1, TOKEN]), one, two(), None),
        (tuple(33, &[p1, reference]), one, Destination::Alias(alias()), None),
        (
            tuple(34, &[p1, reference, TOKEN]),
            one,
            Destination::Alias(alias()),
            None,
        ),
        (
            tuple(35, &[b"\x6e\x08\x00\xff\xff\xff\xff\xff\xff\xff\xff", p1, p2]),
            one,
            two(),
            None,
        ),
        (tuple(36, &[b"\x62\x00\x00\x01\x00", p1, p2]), one, two(), None),
        (tuple(37, &[&flags(1), p1, p2]), one, two(), None),
        (
            tuple(37, &[&flags(4), p1, reference]),
            one,
            Destination::Alias(alias()),
            None,
        ),
        (tuple(37, &[&flags(9), p1, NAME]), one, rex(), None),
        (tuple(37, &[&flags(2), p1, p2, TOKEN]), one, two(), None),
    ]
}

#[test]
fn every_operation_is_read() {
    for (term, sender, destination, lesson) in table() {
        let mut body = term.clone();
        body.extend_from_slice(b"\x6a");
        let control = scan(&body, Format::Header).unwrap_or_else(|error| panic!("{term:x?}: {error}"));
        assert_eq!(
            (control.sender, control.destination, control.lesson),
            (sender, destination, lesson),
            "{:?}",
            control.operation
        );
        assert_eq!(control.length, term.len());
        let bare = scan(&term, Format::Header);
        assert_eq!(
            bare.is_err(),
            control.operation.has_payload(),
            "{:?} without payload",
            control.operation
        );
        let mut versioned = vec![131];
        versioned.extend_from_slice(&body);
        assert_eq!(scan(&versioned, Format::PassThrough).unwrap().length, term.len() + 1);
    }
}

#[test]
fn wrong_operations_arities_and_types_are_refused() {
    let (p1, p2) = (&pid_term(1)[..], &pid_term(2)[..]);
    for (term, text) in [
        (tuple(5, &[]), "unknown operation 5"),
        (tuple(99, &[]), "unknown operation 99"),
        (tuple(22, &[p1, p2, p1]), "SEND_SENDER has 4 elements, expected 3"),
        (tuple(22, &[p1, NAME]), "SEND_SENDER has an invalid destination"),
        (tuple(37, &[p1, p2]), "ALTACT_SIG_SEND has 3 elements, expected 4"),
        (tuple(6, &[p1, EMPTY, p2]), "REG_SEND has an invalid destination"),
        (tuple(7, &[NAME, p2]), "GROUP_LEADER has an invalid group leader"),
        (tuple(35, &[&[97, 0], p1, p2]), "UNLINK_ID has an invalid id"),
        (
            tuple(37, &[&[97, 2], p1, p2]),
            "ALTACT_SIG_SEND has an invalid combination of flags",
        ),
        (
            tuple(37, &[&[97, 12], p1, NAME]),
            "ALTACT_SIG_SEND has an invalid combination of flags",
        ),
        (
            tuple(31, &[&alias_term(), p2, &[97, 0], TOKEN]),
            "SPAWN_REPLY has an invalid result",
        ),
        (
            tuple(29, &[&alias_term(), p1, p2, TOKEN, b"\x6a"]),
            "SPAWN_REQUEST has an invalid function",
        ),
        (
            tuple(6, &[p1, EMPTY, b"\x77\x02\xff\xff"]),
            "malformed control term: invalid UTF-8 in an atom at byte offset: 0",
        ),
        (vec![82, 0], "malformed control term: expected a tuple, found tag 82"),
    ] {
        assert_eq!(scan(&term, Format::Header).unwrap_err().to_string(), text);
    }
}

/// Flags may exceed 64 bits (`dist.c: erts_net_message`), and elements may be added.
#[test]
fn priority_signals_may_grow() {
    let mut flags = vec![110, 20, 0, 4];
    flags.extend([0xff; 19]);
    let mut body = tuple(37, &[&flags, &pid_term(1), &alias_term(), TOKEN, NAME]);
    body.push(0x6a);
    let control = scan(&body, Format::Header).unwrap();
    assert_eq!(control.destination, Destination::Alias(alias()));
    assert_eq!(control.length, body.len() - 1);
}

#[test]
fn a_version_byte_is_demanded_of_nodes_without_fragments() {
    let mut body = vec![132];
    body.extend(tuple(1, &[&pid_term(1), &pid_term(2)]));
    assert_eq!(scan(&body, Format::PassThrough), Err(ControlError::Version(132)));
}

#[test]
fn a_first_fragment_may_lack_payload() {
    let control = message(0);
    assert!(scan(&control, Format::Header).is_err());
    assert_eq!(scan_first(&control, Format::Header).unwrap().length, control.len());
}

#[test]
fn exits_and_unlinks_for_an_earlier_incarnation_are_known_to_harm() {
    for (number, harms) in [
        (3, true),
        (24, true),
        (35, true),
        (36, true),
        (8, false),
        (22, false),
        (26, false),
    ] {
        let id = &b"\x61\x01"[..];
        let (p1, p2) = (&pid_term(1)[..], &pid_term(2)[..]);
        let elements = match number {
            35.. => vec![id, p1, p2],
            3 | 8 => vec![p1, p2, NAME],
            _ => vec![p1, p2],
        };
        let mut body = tuple(number, &elements);
        body.push(0x6a);
        let control = scan(&body, Format::Header).unwrap();
        assert_eq!(control.harms_if_stale(6), harms, "{:?}", control.operation);
        assert!(!control.harms_if_stale(5));
    }
}

#[test]
fn flags_are_masked_to_what_does_no_harm() {
    // The flags that OTP 25 and OTP 29 offer.
    let otp25 = Flags::from_bits(0xd_07df_7fbd);
    let otp29 = Flags::from_bits(0x6d_07df_7fbd);
    assert_eq!(otp25.offered(), otp25.without(Flags::DIST_HDR_ATOM_CACHE));
    assert_eq!(otp29.offered(), otp29.without(Flags::DIST_HDR_ATOM_CACHE));
    assert_eq!(Format::of(otp25.offered().in_force(otp29.offered())), Format::Header);
    assert!(!otp29.without(Flags::ALIAS).offered().contains(Flags::ALTACT_SIG));
    assert!(!otp25.without(Flags::EXIT_PAYLOAD).offered().contains(Flags::FRAGMENTS));
    assert!(Flags::MANDATORY_25_DIGEST.expanded().contains(Flags::MANDATORY_25));
    assert_eq!(Flags::from_bits(1 << 60).offered().bits(), 0);
}

#[test]
fn handshake_messages_round_trip_and_old_ones_are_named() {
    let send_name = SendName {
        flags: Flags::KNOWN,
        creation: 7,
        name: "é@h".into(),
    };
    assert_eq!(SendName::parse(&send_name.encode()), Ok(send_name.clone()));
    let mut tailed = send_name.encode().to_vec();
    tailed.extend(b"tail");
    assert_eq!(SendName::parse(&tailed), Ok(send_name));
    let challenge = Challenge {
        flags: Flags::KNOWN,
        challenge: 9,
        creation: 7,
        name: "b@h".into(),
    };
    assert_eq!(Challenge::parse(&challenge.encode()), Ok(challenge));
    let named = Status::Named {
        name: "x1@h".into(),
        creation: 4,
    };
    for status in [
        Status::Ok,
        Status::OkSimultaneous,
        Status::Nok,
        Status::NotAllowed,
        Status::Alive,
        named,
    ] {
        assert_eq!(Status::parse(&status.encode()), Ok(status));
    }
    assert_eq!(Status::parse(b"strue"), Ok(Status::Answer(true)));
    assert!(matches!(
        Status::parse(b"snamed:\x00\x01\xff\x00\x00\x00\x04"),
        Err(HandshakeError::Name(_))
    ));
    assert_eq!(SendName::parse(b"n\x00\x05"), Err(HandshakeError::TooOld));
    assert!(handshake::Reply::parse(&[b'r'; 20]).is_err());
    assert!(handshake::Acknowledgement::parse(b"a0123456789abcdef").is_ok());
}

#[test]
fn node_names_are_checked() {
    for good in ["a@h", "a-b_1@127.0.0.1", "A@h.example"] {
        assert_eq!(NodeName::new(good).unwrap().as_str(), good);
    }
    let long = format!("{}@h", "a".repeat(254));
    assert!(NodeName::new("a@hôte").is_ok());
    for bad in ["", "a", "@h", "a@", "a@b@c", "a b@h", "é@h", "a@h\n", "a@хост", &long] {
        assert!(NodeName::new(bad).is_err(), "{bad:?}");
    }
}

/// A message to pid 2 with a payload of `size` bytes.
fn message(size: usize) -> Vec<u8> {
    let mut body = tuple(22, &[&pid_term(1), &pid_term(2)]);
    body.extend((0..size).map(|i| i as u8));
    body
}

/// Decodes `bytes`, which arrive in pieces of `cut`, encodes the packets again, and returns both.
fn relay(bytes: &[u8], cut: usize) -> Result<(Vec<Packet>, Vec<u8>), PacketError> {
    let mut decoder = StreamDecoder::new(Format::Header);
    let mut encoder = StreamEncoder::new(Format::Header);
    let (mut input, mut packets, mut out) = (BytesMut::new(), Vec::new(), BytesMut::new());
    for piece in bytes.chunks(cut) {
        input.extend_from_slice(piece);
        while let Some(packet) = decoder.decode(&mut input)? {
            match &packet {
                Packet::Tick => StreamEncoder::tick(&mut out),
                Packet::Signal(body) => {
                    encoder.signal(body.len(), &mut out);
                    out.extend_from_slice(body);
                }
                Packet::Run(packets) => out.extend_from_slice(packets),
                Packet::First {
                    message,
                    fragments,
                    body,
                } => {
                    encoder.first(*message, *fragments, body.len(), &mut out)?;
                    out.extend_from_slice(body);
                }
                Packet::Next {
                    message,
                    remaining,
                    body,
                } => {
                    encoder.next(*message, *remaining, body.len(), &mut out)?;
                    out.extend_from_slice(body);
                }
            }
            packets.push(packet);
        }
    }
    Ok((packets, out.to_vec()))
}

/// The bytes of all bodies, in order.
fn bodies(packets: &[Packet]) -> Vec<u8> {
    let body = |packet: &Packet| match packet {
        Packet::Tick => Bytes::new(),
        Packet::Run(packets) => packets.clone(),
        Packet::Signal(body) | Packet::First { body, .. } | Packet::Next { body, .. } => body.clone(),
    };
    packets.iter().flat_map(|packet| body(packet).to_vec()).collect()
}

fn packet(body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    StreamEncoder::new(Format::Header).signal(body.len(), &mut out);
    out.extend_from_slice(body);
    out.to_vec()
}

#[test]
fn a_long_packet_is_split_while_it_streams_in() {
    let control = message(0).len();
    for size in [65_534, 65_535, 65_536, 65_537, 65_538, 131_072, 131_073, 400_000] {
        let body = message(size - control);
        let (packets, out) = relay(&packet(&body), 1000).unwrap();
        assert_eq!(bodies(&packets), body, "{size}");
        assert_eq!(packets.len(), size.div_ceil(FRAGMENT_SIZE), "{size}");
        let (again, _) = relay(&out, 777).unwrap();
        assert_eq!(again, packets, "{size}");
    }
}

#[test]
fn a_control_term_longer_than_a_fragment_stays_whole() {
    let reason = [b"\x6d\x00\x03\x00\x00".to_vec(), vec![7; 0x30000]].concat();
    let body = tuple(8, &[&pid_term(1), &pid_term(2), &reason]);
    let (packets, _) = relay(&packet(&body), 5000).unwrap();
    assert_eq!(packets, [Packet::Signal(body.into())]);
}

#[test]
fn fragments_out_of_turn_are_refused() {
    let fragment = |kind: u8, sequence: u64, number: u64| {
        let body = if kind == 69 {
            [&[0][..], &message(3)].concat()
        } else {
            vec![1]
        };
        let mut out = (18 + body.len() as u32).to_be_bytes().to_vec();
        out.extend([131, kind]);
        out.extend(sequence.to_be_bytes());
        out.extend(number.to_be_bytes());
        out.extend(body);
        out
    };
    let fine = [
        fragment(69, 9, 3),
        fragment(69, 8, 2),
        fragment(70, 9, 2),
        fragment(70, 8, 1),
        fragment(70, 9, 1),
    ];
    assert_eq!(relay(&fine.concat(), 7).unwrap().0.len(), 5);
    for bad in [
        [fragment(69, 0, 2), vec![]],
        [fragment(69, 9, 0), vec![]],
        [fragment(70, 9, 1), vec![]],
        [fragment(69, 9, 3), fragment(69, 9, 3)],
        [fragment(69, 9, 3), fragment(70, 9, 1)],
        [fragment(69, 9, 3), fragment(70, 9, 3)],
        [fragment(69, 9, 2), fragment(70, 9, u64::MAX)],
    ] {
        assert!(relay(&bad.concat(), 1000).is_err(), "{bad:x?}");
    }
}

/// A VM allocates memory by the number of fragments, so the number is checked first.
#[test]
fn a_claim_of_too_many_fragments_is_refused_on_both_sides() {
    let mut bytes = b"\x00\x00\x00\x14\x83\x45".to_vec();
    bytes.extend(9u64.to_be_bytes());
    bytes.extend((FRAGMENTS_MAX + 1).to_be_bytes());
    bytes.extend([0, 1]);
    assert!(matches!(relay(&bytes, 100), Err(PacketError::Fragments { .. })));
    let mut encoder = StreamEncoder::new(Format::Header);
    let mut out = BytesMut::new();
    assert!(matches!(
        encoder.first(1, FRAGMENTS_MAX + 1, 1, &mut out),
        Err(PacketError::Fragments { .. })
    ));
    assert!(out.is_empty());
    encoder.first(1, FRAGMENTS_MAX, 1, &mut out).unwrap();
}

/// If a header were longer than its packet, the rest of it would be read from the next packet.
#[test]
fn a_packet_shorter_than_its_header_is_refused() {
    let next = packet(&message(100));
    for short in [
        &b"\x00\x00\x00\x01\x83"[..],
        b"\x00\x00\x00\x02\x83\x44",
        b"\x00\x00\x00\x02\x83\x46",
        b"\x00\x00\x00\x12\x83\x45\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x02",
        b"\xff\xff\xff\xff\x83\x44\x00",
    ] {
        let bytes = [short, &next].concat();
        assert!(relay(&bytes, bytes.len()).is_err(), "{short:x?}");
    }
}

/// The first fragment contains the whole control term, however long, and never exceeds the limit of a frame.
#[test]
fn a_long_token_stays_in_the_first_fragment() {
    for token in [60_000, 65_400, 65_500, 65_536, 70_000, 200_000] {
        let label = [
            b"\x6d".to_vec(),
            u32::to_be_bytes(token).to_vec(),
            vec![7; token as usize],
        ]
        .concat();
        let control = tuple(23, &[&pid_term(1), &pid_term(2), &label]);
        let body = [&control[..], &[9; 100_000]].concat();
        let (packets, out) = relay(&packet(&body), 5000).unwrap();
        assert_eq!(bodies(&packets), body);
        let Packet::First {
            body: first, fragments, ..
        } = &packets[0]
        else {
            panic!("{token}: no first fragment");
        };
        assert_eq!(first.len(), control.len().max(FRAGMENT_SIZE));
        assert_eq!(*fragments, packets.len() as u64);
        assert_eq!(scan_first(first, Format::Header).unwrap().length, control.len());
        assert_eq!(relay(&out, 777).unwrap().0, packets);
    }
}

/// A control term without an end is not buffered beyond the limit.
#[test]
fn an_endless_control_term_is_given_up() {
    let reason = [&b"\x6d"[..], &u32::to_be_bytes(PACKET_MAX as u32 + 1)].concat();
    let mut body = tuple(8, &[&pid_term(1), &pid_term(2), &reason]);
    body.resize(PACKET_MAX + 1000, 7);
    assert_eq!(
        relay(&packet(&body), 1 << 20),
        Err(PacketError::ControlTerm { limit: PACKET_MAX })
    );
}

#[test]
fn other_formats_and_atom_caches_are_refused() {
    for (bytes, text) in [
        (
            &b"\x00\x00\x00\x03\x70\x83\x68"[..],
            "packet begins with [112, 131], which is not the format of this connection",
        ),
        (
            b"\x00\x00\x00\x05\x83\x44\x01\x00\x00",
            "packet has 1 atom cache references; the atom cache is not supported",
        ),
    ] {
        assert_eq!(relay(bytes, 100).unwrap_err().to_string(), text);
    }
    let mut plain = StreamDecoder::new(Format::PassThrough);
    let mut input = BytesMut::from(&b"\x7f\xff\xff\xff\x70"[..]);
    assert!(matches!(plain.decode(&mut input), Err(PacketError::Oversized { .. })));
}

proptest! {
    #[test]
    fn packets_survive_any_cutting(sizes in proptest::collection::vec(0usize..200_000, 1..4), cut in 1usize..70_000) {
        let stream: Vec<u8> = sizes.iter().flat_map(|size| [packet(&message(*size)), vec![0; 4]].concat()).collect();
        let (packets, out) = relay(&stream, cut).unwrap();
        let whole: Vec<u8> = sizes.iter().flat_map(|size| message(*size)).collect();
        prop_assert_eq!(bodies(&packets), whole.clone());
        let (again, _) = relay(&out, cut).unwrap();
        prop_assert_eq!(bodies(&again), whole);
    }

    #[test]
    fn damaged_packets_never_panic(size in 0usize..300, at in any::<usize>(), with in any::<u8>(), kind in 0..3, cut in 1usize..50) {
        let mut bytes = packet(&message(size));
        let at = at % bytes.len();
        match kind {
            0 => bytes[at] = with,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, with),
        }
        let _ = relay(&bytes, cut);
    }

    #[test]
    fn damaged_control_terms_never_panic(which in 0usize..38, at in any::<usize>(), with in any::<u8>()) {
        let mut term = table()[which].0.clone();
        let at = at % term.len();
        term[at] = with;
        let _ = scan(&term, Format::Header);
        let _ = scan(&term, Format::PassThrough);
    }

    #[test]
    fn any_handshake_message_is_read_without_panic(rest in proptest::collection::vec(any::<u8>(), 0..60), is_name: bool) {
        let bytes = [vec![if is_name { b'N' } else { b's' }], rest].concat();
        let _ = SendName::parse(&bytes);
        let _ = Challenge::parse(&bytes);
        let _ = Status::parse(&bytes);
        let _ = handshake::decode(&mut BytesMut::from(&bytes[..]));
    }
}
