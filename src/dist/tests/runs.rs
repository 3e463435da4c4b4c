//! Which packets form a run, and which malformed runs are rejected.

use bytes::Bytes;
use bytes::BytesMut;
use proptest::prelude::*;

use super::super::*;
use super::packets::pid_term;
use super::packets::tuple;

const FORMATS: [Format; 2] = [Format::Header, Format::PassThrough];

/// A packet with its length.
fn packet(format: Format, control: &[u8], payload: &[u8]) -> Vec<u8> {
    let version: &[u8] = match format {
        Format::Header => &[],
        Format::PassThrough => &[131],
    };
    let body = [version, control, payload].concat();
    let mut out = BytesMut::new();
    StreamEncoder::new(format).signal(body.len(), &mut out);
    out.extend_from_slice(&body);
    out.to_vec()
}

fn send(from: u8, to: u8) -> Vec<u8> {
    tuple(22, &[&pid_term(from), &pid_term(to)])
}

/// The packets in these bytes, which arrive in pieces of `cut`.
fn decode(format: Format, bytes: &[u8], cut: usize) -> Result<Vec<Packet>, PacketError> {
    let mut decoder = StreamDecoder::new(format);
    let (mut input, mut packets) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(cut) {
        input.extend_from_slice(piece);
        while let Some(packet) = decoder.decode(&mut input)? {
            packets.push(packet);
        }
    }
    Ok(packets)
}

fn payloads(format: Format, run: &[u8]) -> Result<Vec<Vec<u8>>, PacketError> {
    let mut run = Run::new(run, format)?;
    let mut payloads = Vec::new();
    while let Some(payload) = run.next_payload()? {
        payloads.push(payload.to_vec());
    }
    Ok(payloads)
}

/// The number of signals in each packet.
fn sizes(format: Format, packets: &[Packet]) -> Vec<usize> {
    let size = |packet: &Packet| match packet {
        Packet::Run(run) => payloads(format, run).unwrap().len(),
        Packet::Signal(_) => 1,
        Packet::Tick | Packet::First { .. } | Packet::Next { .. } => 0,
    };
    packets.iter().map(size).collect()
}

#[test]
fn messages_that_go_the_same_way_make_a_run() {
    for format in FORMATS {
        let message = |from, to| packet(format, &send(from, to), b"\x61\x07");
        let one = [1, 1, 1, 2, 2, 1].map(|from| message(from, 3)).concat();
        let packets = decode(format, &one, usize::MAX).unwrap();
        assert_eq!(sizes(format, &packets), [3, 2, 1], "{format:?}, by sender");
        let other = [3, 3, 4].map(|to| message(1, to)).concat();
        let packets = decode(format, &other, usize::MAX).unwrap();
        assert_eq!(sizes(format, &packets), [2, 1], "{format:?}, by receiver");
        let Packet::Run(run) = &packets[0] else {
            panic!("{packets:?}");
        };
        assert_eq!(run[..], other[..run.len()], "the bytes are the node's own");
        let control = Run::new(run, format).unwrap().control;
        let sent = send(1, 3);
        assert_eq!(
            control.destination,
            scan_first(&sent, Format::Header).unwrap().destination
        );
        assert_eq!(payloads(format, run).unwrap(), [b"\x61\x07"; 2]);
    }
}

#[test]
fn nothing_else_makes_a_run() {
    let link = tuple(1, &[&pid_term(1), &pid_term(2)]);
    let exit = tuple(26, &[&pid_term(1), &pid_term(2)]);
    let message = send(1, 2);
    for format in FORMATS {
        for (what, control, payload) in [
            ("links", &link, &b""[..]),
            ("exits, which have a payload too", &exit, b"\x6a"),
            ("messages without their payload", &message, b""),
        ] {
            let one = packet(format, control, payload);
            let packets = decode(format, &one.repeat(3), usize::MAX).unwrap();
            assert_eq!(sizes(format, &packets), [1, 1, 1], "{what}");
        }
        let one = packet(format, &message, b"\x6a");
        let packets = decode(format, &[&one[..], &[0; 4], &one].concat(), usize::MAX).unwrap();
        assert_eq!(sizes(format, &packets), [1, 0, 1], "a tick stands between");
        let packets = decode(format, &[&one[..], &one[..one.len() - 1]].concat(), usize::MAX).unwrap();
        assert_eq!(sizes(format, &packets), [1], "the second has not come yet");
    }
}

#[test]
fn a_run_is_no_longer_than_a_turn() {
    let format = Format::Header;
    let one = packet(format, &send(1, 2), &[0x6a; 5_000]);
    let packets = decode(format, &one.repeat(7), usize::MAX).unwrap();
    assert_eq!(sizes(format, &packets), [3, 3, 1]);
    let exact = packet(
        format,
        &send(1, 2),
        &vec![0x6a; RUN_MAX / 2 - packet(format, &send(1, 2), b"").len()],
    );
    let packets = decode(format, &exact.repeat(3), usize::MAX).unwrap();
    assert_eq!(sizes(format, &packets), [2, 1], "as long as may be");
}

#[test]
fn a_run_that_is_none_is_refused() {
    for format in FORMATS {
        let message = |to| packet(format, &send(1, to), b"\x6a");
        let link = packet(format, &tuple(1, &[&pid_term(1), &pid_term(2)]), b"");
        let bare = packet(format, &send(1, 2), b"");
        let other = packet(FORMATS[usize::from(format == FORMATS[0])], &send(1, 2), b"\x6a");
        let mut long = message(2);
        long[3] += 1;
        for (run, reason) in [
            (vec![], "malformed packet: "),
            (message(2)[..20].to_vec(), "malformed packet: "),
            ([message(2), long].concat(), "malformed packet: "),
            (
                [message(2), message(3)].concat(),
                "malformed run: the control terms differ",
            ),
            (
                [message(2), link.clone()].concat(),
                "malformed run: the control terms differ",
            ),
            (
                [message(2), vec![0; 4]].concat(),
                "malformed run: the control terms differ",
            ),
            (
                [message(2), bare.clone()].concat(),
                "malformed run: a message has no payload",
            ),
            ([bare, message(2)].concat(), "SEND_SENDER has no payload"),
            (link.repeat(2), "malformed run: a signal is not a message"),
            (other, "malformed run: a packet has the wrong format"),
        ] {
            let refused = payloads(format, &run).unwrap_err().to_string();
            assert!(refused.starts_with(reason), "{refused}, not {reason}");
            let refused = Run::new(&run, format).and_then(Run::check);
            assert_eq!(
                refused.unwrap_err().to_string(),
                payloads(format, &run).unwrap_err().to_string()
            );
        }
    }
}

proptest! {
    /// However the bytes arrive, they are passed on unchanged, and each run is valid.
    #[test]
    fn runs_hold_what_came(
        messages in proptest::collection::vec((0u8..2, 0u8..2, 1usize..300), 1..40),
        is_header: bool,
        cut in 1usize..5_000,
    ) {
        let format = FORMATS[usize::from(is_header)];
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|(from, to, size)| packet(format, &send(*from, *to), &vec![0x6a; *size]))
            .collect();
        let packets = decode(format, &bytes, cut).unwrap();
        let mut out = BytesMut::new();
        for packet in &packets {
            match packet {
                Packet::Signal(body) => {
                    StreamEncoder::new(format).signal(body.len(), &mut out);
                    out.extend_from_slice(body);
                }
                Packet::Run(run) => {
                    prop_assert!(run.len() <= RUN_MAX && payloads(format, run).unwrap().len() >= 2);
                    out.extend_from_slice(run);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(out.to_vec(), bytes);
        prop_assert_eq!(sizes(format, &packets).iter().sum::<usize>(), messages.len());
    }

    #[test]
    fn damaged_runs_never_panic(at in any::<usize>(), with in any::<u8>(), kind in 0..3, is_header: bool) {
        let format = FORMATS[usize::from(is_header)];
        let mut bytes = packet(format, &send(1, 2), b"\x61\x07").repeat(3);
        let at = at % bytes.len();
        match kind {
            0 => bytes[at] = with,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, with),
        }
        let bytes = Bytes::from(bytes);
        if let Ok(payloads) = payloads(format, &bytes) {
            prop_assert!(payloads.iter().all(|payload| !payload.is_empty()));
        }
        let _ = decode(format, &bytes, 7);
    }
}
