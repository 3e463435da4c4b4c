//! Packets that do not come from a stream are decoded and encoded like those of a stream.

use bytes::Bytes;
use bytes::BytesMut;
use proptest::prelude::*;

use super::packets::pid_term;
use crate::dist::FRAGMENT_SIZE;
use crate::dist::Format;
use crate::dist::Packet;
use crate::dist::PacketDecoder;
use crate::dist::PacketEncoder;
use crate::dist::PacketError;
use crate::dist::StreamDecoder;
use crate::dist::StreamEncoder;

/// The packets that a BEAM writes for a message with a payload of `size` bytes. None is a tick, and they do not form a run.
fn signal(size: usize) -> Vec<u8> {
    let control = [&[131, 68, 0, 104, 3, 97, 22][..], &pid_term(1), &pid_term(2)].concat();
    [control, vec![0x6d; size]].concat()
}

fn fragment(kind: u8, sequence: u64, number: u64, body: &[u8]) -> Vec<u8> {
    [
        &[131, kind][..],
        &sequence.to_be_bytes(),
        &number.to_be_bytes(),
        if kind == 69 { &[0][..] } else { &[] },
        body,
    ]
    .concat()
}

fn unframed(packets: &[Vec<u8>], format: Format) -> Result<Vec<Packet>, PacketError> {
    let mut decoder = PacketDecoder::new(format);
    let mut found = Vec::new();
    for packet in packets {
        decoder.decode(Bytes::copy_from_slice(packet), &mut found)?;
    }
    Ok(found)
}

fn framed(packets: &[Vec<u8>], format: Format) -> Result<Vec<Packet>, PacketError> {
    let mut decoder = StreamDecoder::new(format);
    let mut found = Vec::new();
    // One packet at a time, so that no two form a run.
    for packet in packets {
        let mut input = BytesMut::from(&(packet.len() as u32).to_be_bytes()[..]);
        input.extend_from_slice(packet);
        while let Some(packet) = decoder.decode(&mut input)? {
            found.push(packet);
        }
        assert!(input.is_empty(), "{} bytes are left of a whole packet", input.len());
    }
    Ok(found)
}

#[test]
fn packets_mean_the_same_without_a_stream() {
    let control = signal(0).split_off(3);
    let mut packets = vec![
        vec![],
        signal(10),
        fragment(69, 7, 3, &control),
        fragment(69, 9, 2, &control),
    ];
    packets.extend([
        fragment(70, 7, 2, b"x"),
        fragment(70, 9, 1, b"y"),
        fragment(70, 7, 1, b"z"),
    ]);
    for size in [FRAGMENT_SIZE - 100, FRAGMENT_SIZE, 3 * FRAGMENT_SIZE, 1_000_003] {
        packets.push(signal(size));
    }
    let found = unframed(&packets, Format::Header).unwrap();
    assert_eq!(found, framed(&packets, Format::Header).unwrap());
    assert!(
        found
            .iter()
            .any(|packet| matches!(packet, Packet::First { fragments: 16, .. }))
    );
    let plain = [[&[112][..], &signal(30)[3..]].concat()];
    let found = unframed(&plain, Format::PassThrough).unwrap();
    assert_eq!(found, framed(&plain, Format::PassThrough).unwrap());
}

/// The body of a packet is a part of it, not a copy.
#[test]
fn a_body_stays_where_it_is() {
    let packet = Bytes::from(signal(1000));
    let mut found = Vec::new();
    PacketDecoder::new(Format::Header)
        .decode(packet.clone(), &mut found)
        .unwrap();
    let [Packet::Signal(body)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(body.as_ptr(), packet[3..].as_ptr());
}

#[test]
fn headers_are_those_of_a_stream_without_the_length() {
    let (mut plain, mut stream) = (PacketEncoder::new(Format::Header), StreamEncoder::new(Format::Header));
    let mut out = BytesMut::new();
    stream.signal(5, &mut out);
    assert_eq!(out.split()[4..], *plain.signal());
    stream.first(1, 3, 5, &mut out).unwrap();
    assert_eq!(out.split()[4..], plain.first(1, 3).unwrap());
    for remaining in [2, 1] {
        stream.next(1, remaining, 5, &mut out).unwrap();
        assert_eq!(out.split()[4..], plain.next(1, remaining).unwrap());
    }
    assert_eq!(stream.next(1, 1, 5, &mut out), Err(plain.next(1, 1).unwrap_err()));
    assert!(out.is_empty(), "nothing is written of what is refused");
}

proptest! {
    #[test]
    fn damaged_packets_are_refused_alike(at in 0usize..40, byte in any::<u8>(), length in 0usize..60, kind in 68u8..=71) {
        let mut packet = match kind {
            68 => signal(20),
            kind => fragment(kind, 7, 2, &signal(0)[3..]),
        };
        packet.truncate(length);
        if let Some(place) = packet.get_mut(at) {
            *place = byte;
        }
        for format in [Format::Header, Format::PassThrough] {
            let packets = [packet.clone()];
            match (unframed(&packets, format), framed(&packets, format)) {
                (Ok(found), Ok(wanted)) => prop_assert_eq!(found, wanted),
                (Err(_), Err(_)) => {}
                (found, wanted) => prop_assert!(false, "{:?} {:?}", found, wanted),
            }
        }
    }
}
