use bytes::Bytes;

use crate::dist::Format;
use crate::dist::Lesson;
use crate::dist::Packet;
use crate::dist::PacketError;
use crate::dist::Sender;
use crate::dist::tests::packets::pid;
use crate::dist::tests::packets::pid_term;
use crate::endpoint::packets::intake;
use crate::etf::Reference;
use crate::order::Address;
use crate::wire::Content;

const ALIAS: &[u8] = b"\x5a\x00\x03\x77\x03a@h\x00\x00\x00\x05\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x03";

fn body(number: u8, elements: &[&[u8]], payload: &[u8]) -> Bytes {
    let mut term = vec![104, elements.len() as u8 + 1, 97, number];
    elements.iter().for_each(|element| term.extend_from_slice(element));
    term.extend_from_slice(payload);
    term.into()
}

fn take(body: Bytes) -> crate::session::Intake {
    intake(Packet::Signal(body), Format::Header).unwrap().unwrap()
}

#[test]
fn signals_are_addressed_as_their_control_terms_say() {
    let (p1, p2) = (pid_term(1), pid_term(2));
    let alias = Reference::new(5, &[1, 1 << 16, 3]).unwrap();
    for (body, sender, address) in [
        (body(22, &[&p1, &p2], b"\x6a"), Some(1), Address::Process(pid(2))),
        (body(2, &[b"\x77\x00", &p2], b"\x6a"), None, Address::Process(pid(2))),
        (
            body(6, &[&p1, b"\x77\x00", b"\x77\x03rex"], b"\x6a"),
            Some(1),
            Address::name(b"rex"),
        ),
        (body(33, &[&p1, ALIAS], b"\x6a"), Some(1), Address::Alias(alias)),
    ] {
        let taken = take(body.clone());
        let head = taken.head.unwrap();
        let expected = sender.map_or(Sender::Unknown, |id| Sender::Process(pid(id)));
        assert_eq!((head.sender, head.address), (expected, address));
        assert_eq!(taken.content, Content::Signal(body), "the bytes are the node's own");
    }
}

#[test]
fn only_a_down_teaches_the_side_it_comes_from() {
    let (p1, p2) = (pid_term(1), pid_term(2));
    assert_eq!(take(body(19, &[&p1, &p2, ALIAS], b"")).lesson, None);
    assert!(matches!(
        take(body(21, &[&p1, &p2, ALIAS, b"\x77\x03rex"], b"")).lesson,
        Some(Lesson::Forget(_))
    ));
}

#[test]
fn ticks_stay_and_malformed_terms_are_refused() {
    assert!(intake(Packet::Tick, Format::Header).unwrap().is_none());
    for broken in [&b""[..], b"\x68\x01\x61\x63", &body(22, &[&pid_term(1)], b"")] {
        let packet = Packet::Signal(Bytes::copy_from_slice(broken));
        assert!(matches!(intake(packet, Format::Header), Err(PacketError::Control(_))));
    }
}

/// The payload may lie completely after the first fragment. A signal in one packet must contain it.
#[test]
fn a_first_fragment_may_hold_the_control_term_alone() {
    let control = body(22, &[&pid_term(1), &pid_term(2)], b"");
    let first = Packet::First {
        message: 3,
        fragments: 2,
        body: control.clone(),
    };
    let taken = intake(first, Format::Header).unwrap().unwrap();
    assert_eq!(taken.head.unwrap().address, Address::Process(pid(2)));
    assert!(intake(Packet::Signal(control), Format::Header).is_err());
    let next = Packet::Next {
        message: 3,
        remaining: 1,
        body: Bytes::from_static(b"\x6a"),
    };
    let taken = intake(next, Format::Header).unwrap().unwrap();
    assert!(taken.head.is_none(), "it follows its first fragment");
    assert!(matches!(
        taken.content,
        Content::Next {
            message: 3,
            remaining: 1,
            ..
        }
    ));
}
