//! Packets of real nodes are read as what the nodes meant: operation, sender, destination, lesson; and terms as the terms
//! they are.

use std::collections::BTreeMap;

use beamway::etf::Pid;
use beamway::etf::Reference;
use beamway::internals::codec::Buffers;
use beamway::internals::codec::Reader;
use beamway::internals::dist::Control;
use beamway::internals::dist::Destination;
use beamway::internals::dist::FRAGMENT_SIZE;
use beamway::internals::dist::Flags;
use beamway::internals::dist::Format;
use beamway::internals::dist::Lesson;
use beamway::internals::dist::Packet;
use beamway::internals::dist::PacketError;
use beamway::internals::dist::Sender;
use beamway::internals::dist::StreamDecoder;
use beamway::internals::dist::StreamEncoder;
use beamway::internals::dist::handshake;
use beamway::internals::dist::handshake::SendName;
use beamway::internals::dist::scan;
use beamway::internals::dist::scan_first;
use beamway::internals::endpoint::packets;
use beamway::internals::etf::skip;
use bytes::BytesMut;
use proptest::prelude::*;

use super::fixture;
use super::fixture::Deed;

const CAPTURES: [(Format, &str); 2] = [
    (Format::Header, fixture::HEADER),
    (Format::PassThrough, fixture::PASS_THROUGH),
];

/// The bytes of packets as they came over the connection, a tick before each.
fn stream<'a>(packets: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for packet in packets {
        out.extend([0; 4]);
        out.extend((packet.len() as u32).to_be_bytes());
        out.extend(packet);
    }
    out
}

/// What `stream` holds, handed over in pieces of `cut` bytes, without the ticks, which keep signals from making runs.
fn decode(format: Format, stream: &[u8], cut: usize) -> Result<Vec<Packet>, PacketError> {
    let mut decoder = StreamDecoder::new(format);
    let (mut input, mut packets) = (BytesMut::new(), Vec::new());
    for piece in stream.chunks(cut) {
        input.extend_from_slice(piece);
        while let Some(packet) = decoder.decode(&mut input)? {
            packets.extend((packet != Packet::Tick).then_some(packet));
        }
    }
    Ok(packets)
}

/// Packets as they are written to a node, a tick before each.
fn encode(format: Format, packets: &[Packet]) -> Result<Vec<u8>, PacketError> {
    let mut encoder = StreamEncoder::new(format);
    let mut out = Buffers::default();
    for packet in packets {
        StreamEncoder::tick(out.small());
        if let Some(content) = packets::content(packet.clone()) {
            packets::encode(&content, &mut encoder, &mut out)?;
        }
    }
    Ok(out.finish().concat())
}

fn pid(pid: Pid) -> String {
    format!("pid:{}.{}.{}", pid.id, pid.serial, pid.creation)
}

fn reference(reference: Reference) -> String {
    let words: Vec<String> = reference.words().iter().map(u32::to_string).collect();
    format!("{}:{}", reference.creation, words.join("."))
}

/// A control term in the words of the captures.
fn describe(control: &Control<'_>) -> String {
    let sender = match control.sender {
        Sender::Process(process) => pid(process),
        Sender::Unknown => "unknown".to_owned(),
        Sender::Service => "service".to_owned(),
    };
    let destination = match &control.destination {
        Destination::Process(process) => pid(*process),
        Destination::Alias(alias) => format!("alias:{}", reference(*alias)),
        Destination::Name(name) => format!("name:{}", String::from_utf8_lossy(name)),
        Destination::Node => "node".to_owned(),
    };
    let lesson = match control.lesson {
        None => "-".to_owned(),
        Some(Lesson::Learn { owner, alias }) => format!("learn {} {}", pid(owner), reference(alias)),
        Some(Lesson::Forget(alias)) => format!("forget {}", reference(alias)),
    };
    format!("{} {sender} > {destination} ; {lesson}", control.operation)
}

/// The signals of a deed, or the reason why one is refused, in the words of the captures.
fn signals(format: Format, deed: &Deed, cut: usize) -> Vec<String> {
    let packets = match decode(format, &stream(&deed.packets), cut) {
        Ok(packets) => packets,
        Err(error) => return vec![error.to_string()],
    };
    packets
        .iter()
        .filter_map(|packet| match packet {
            Packet::Signal(body) => Some(scan(body, format)),
            Packet::First { body, .. } => Some(scan_first(body, format)),
            Packet::Tick | Packet::Run(_) | Packet::Next { .. } => None,
        })
        .map(|control| control.map_or_else(|error| error.to_string(), |control| describe(&control)))
        .collect()
}

#[test]
fn signals_are_read_as_the_node_meant_them() {
    for (format, text) in CAPTURES {
        for deed in fixture::read(text) {
            for cut in [1 << 20, 4096, 17] {
                assert_eq!(signals(format, &deed, cut), deed.expected, "{format:?}: {}", deed.name);
            }
        }
    }
}

/// What OTP 25 never sends: the operation of later releases, and tokens with `exit/2`. `dist::tests` reads them.
const NEVER_SENT: &[&str] = &["ALTACT_SIG_SEND", "EXIT2_TT", "PAYLOAD_EXIT2_TT"];

/// The captures hold every other operation.
#[test]
fn the_captures_hold_every_operation() {
    let mut seen: Vec<String> = CAPTURES
        .iter()
        .flat_map(|(_, text)| fixture::read(text))
        .flat_map(|deed| deed.expected)
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    seen.sort_unstable();
    seen.dedup();
    let all = (0..=u64::from(u8::MAX)).filter_map(beamway::internals::dist::Operation::new);
    let mut all: Vec<String> = all.map(|operation| operation.to_string()).collect();
    all.retain(|name| !NEVER_SENT.contains(&name.as_str()));
    all.sort_unstable();
    assert_eq!(seen, all);
}

/// Control term and payload are one term each, and nothing follows: what is skipped ends where the node's term ends.
#[test]
fn payloads_are_skipped_to_their_end() {
    for (format, text) in CAPTURES {
        for deed in fixture::read(text) {
            let mut whole: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
            let packets = decode(format, &stream(&deed.packets), 1 << 20).unwrap();
            for (index, packet) in packets.iter().enumerate() {
                match packet {
                    Packet::Tick | Packet::Run(_) => {}
                    Packet::Signal(body) => drop(whole.insert(u64::MAX - index as u64, body.to_vec())),
                    Packet::First { message, body, .. } | Packet::Next { message, body, .. } => {
                        whole.entry(*message).or_default().extend_from_slice(body);
                    }
                }
            }
            for body in whole.values() {
                let control = scan(body, format).unwrap();
                let mut rest = Reader::new(&body[control.length..]);
                if control.operation.has_payload() {
                    if format == Format::PassThrough {
                        assert_eq!(rest.u8("version"), Ok(131));
                    }
                    assert_eq!(skip(&mut rest), Ok(()), "{}", deed.name);
                }
                assert!(rest.is_empty(), "{}: {:?}", deed.name, control.operation);
            }
        }
    }
}

/// What is encoded anew is read as the same packets, and everything but sequence numbers is left as it was.
#[test]
fn packets_survive_the_way_through() {
    for (format, text) in CAPTURES {
        let deeds = fixture::read(text);
        let packets = decode(format, &stream(deeds.iter().flat_map(|deed| &deed.packets)), 9_999).unwrap();
        let again = encode(format, &packets).unwrap();
        assert_eq!(decode(format, &again, 70_001).unwrap(), packets);
        let parts = packets.iter().map(|packet| match packet {
            Packet::Signal(body) | Packet::First { body, .. } | Packet::Next { body, .. } => body.len(),
            Packet::Tick | Packet::Run(_) => 0,
        });
        if format == Format::Header {
            assert!(parts.max().unwrap() <= FRAGMENT_SIZE);
        }
    }
}

/// What was queued before the connection came up is one packet of any size; it is cut, whatever its size.
#[test]
fn a_long_packet_is_cut_near_every_boundary() {
    let deeds = fixture::read(fixture::HEADER);
    let short = &deeds.iter().find(|deed| deed.name == "send").unwrap().packets[0];
    let control = scan(&short[3..], Format::Header).unwrap().length;
    for fragments in 1..4 {
        for size in FRAGMENT_SIZE * fragments - 3..=FRAGMENT_SIZE * fragments + 3 {
            let mut packet = short[..3 + control].to_vec();
            packet.resize(3 + size, 7);
            for cut in [1 << 20, 65_537, 4096] {
                let packets = decode(Format::Header, &stream([&packet]), cut).unwrap();
                assert_eq!(packets.len(), size.div_ceil(FRAGMENT_SIZE), "{size}");
                let bodies: Vec<u8> = packets
                    .iter()
                    .flat_map(|packet| match packet {
                        Packet::Signal(body) | Packet::First { body, .. } | Packet::Next { body, .. } => body.to_vec(),
                        Packet::Tick | Packet::Run(_) => Vec::new(),
                    })
                    .collect();
                assert!(bodies == packet[3..], "{size}");
            }
        }
    }
}

/// The first and third message of the captured handshake.
#[test]
fn the_handshake_of_a_real_node_is_read() {
    let name = b"\x4e\x00\x00\x00\x0d\x07\xdf\x7f\xbd\x00\x00\x00\x07\x00\x0bx@127.0.0.1";
    let read = SendName::parse(name).unwrap();
    assert_eq!((read.creation, read.name.as_str()), (7, "x@127.0.0.1"));
    assert!(read.flags.contains(Flags::MANDATORY_25 | Flags::SPAWN | Flags::ALIAS));
    assert_eq!(&read.encode()[..], name);
    let reply = b"\x72\x27\xf7\x18\xa1\xed\x1d\x85\x6d\xcb\x0c\x51\xea\x82\xeb\xc8\x96\xab\x01\xe5\x3d";
    assert_eq!(handshake::Reply::parse(reply).map(|_| ()), Ok(()));
}

fn damage(bytes: &mut Vec<u8>, at: usize, with: u8, kind: u8) {
    let at = at % bytes.len().max(1);
    match kind {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = with),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, with),
        _ => bytes.truncate(at.min(20)),
    }
}

proptest! {
    /// Damage ends in an error or in other packets, never in a panic, and never in bytes that are not the sender's.
    #[test]
    fn damaged_packets_end_in_an_error_at_worst(
        capture in 0..2usize,
        which in any::<proptest::sample::Index>(),
        hits in proptest::collection::vec((any::<u16>(), any::<u8>(), 0u8..4), 1..4),
        cut in 1usize..3000,
    ) {
        let (format, text) = CAPTURES[capture];
        let packets: Vec<Vec<u8>> = fixture::read(text).into_iter().flat_map(|deed| deed.packets).collect();
        let mut bytes = stream([which.get(&packets)]);
        for (at, with, kind) in hits {
            damage(&mut bytes, usize::from(at) % 300, with, kind);
        }
        for packet in decode(format, &bytes, cut).unwrap_or_default() {
            if let Packet::Signal(body) | Packet::First { body, .. } = packet {
                let _ = scan(&body, format);
                if let Ok(control) = scan_first(&body, format) {
                    prop_assert!(control.length <= body.len());
                }
            }
        }
    }
}
