use bytes::Bytes;

use super::*;
use crate::dist::Flags;
use crate::dist::Format;
use crate::dist::Packet;
use crate::dist::Sender;
use crate::dist::handshake::Challenge;
use crate::dist::handshake::SendName;
use crate::dist::handshake::Status;
use crate::lanes::Address;

/// What OTP 25 offers, atom cache included (protocol reference §4).
const OTP_25: Flags = Flags::from_bits(0xd_07df_7fbd);

fn send_name(flags: Flags, name: &str) -> Bytes {
    SendName {
        flags,
        creation: 7,
        name: name.into(),
    }
    .encode()
}

fn challenge(flags: Flags) -> Bytes {
    Challenge {
        flags,
        challenge: 1,
        creation: 8,
        name: "b@h".into(),
    }
    .encode()
}

fn reply() -> Bytes {
    [b"r", &[0; 20][..]].concat().into()
}

fn acknowledgement() -> Bytes {
    [b"a", &[0; 16][..]].concat().into()
}

fn relay() -> Relay {
    Relay::new(&send_name(OTP_25, "a@h")).unwrap()
}

/// Runs the rest of a handshake whose status has passed.
fn complete(relay: &mut Relay, flags: Flags) {
    let Step::Pass(passed) = relay.handle(Party::Acceptor, &challenge(flags)).unwrap() else {
        panic!("a challenge completes nothing");
    };
    assert_eq!(Challenge::parse(&passed).unwrap().flags, flags.offered());
    assert_eq!(relay.handle(Party::Initiator, &reply()).unwrap(), Step::Pass(reply()));
    assert_eq!(
        relay.handle(Party::Acceptor, &acknowledgement()).unwrap(),
        Step::Complete(acknowledgement())
    );
}

#[test]
fn flags_are_masked_both_ways_and_decide_the_format() {
    let mut plain = relay();
    let masked = SendName::parse(&plain.send_name()).unwrap().flags;
    assert!(OTP_25.contains(Flags::DIST_HDR_ATOM_CACHE) && !masked.contains(Flags::DIST_HDR_ATOM_CACHE));
    plain.handle(Party::Acceptor, &Status::Ok.encode()).unwrap();
    complete(&mut plain, OTP_25);
    assert_eq!(plain.agreed(), Some((Format::Header, 7, 8)));
    let mut old = relay();
    old.handle(Party::Acceptor, &Status::OkSimultaneous.encode()).unwrap();
    complete(&mut old, OTP_25.without(Flags::FRAGMENTS));
    assert_eq!(old.agreed(), Some((Format::PassThrough, 7, 8)));
}

#[test]
fn the_nodes_decide_about_a_second_connection() {
    let mut wanted = relay();
    wanted.handle(Party::Acceptor, &Status::Alive.encode()).unwrap();
    wanted.handle(Party::Initiator, &Status::Answer(true).encode()).unwrap();
    complete(&mut wanted, OTP_25);
    let mut unwanted = relay();
    unwanted.handle(Party::Acceptor, &Status::Alive.encode()).unwrap();
    unwanted
        .handle(Party::Initiator, &Status::Answer(false).encode())
        .unwrap();
    assert!(unwanted.handle(Party::Acceptor, &challenge(OTP_25)).is_err());
    for refusal in [Status::Nok, Status::NotAllowed] {
        let mut refused = relay();
        assert_eq!(
            refused.handle(Party::Acceptor, &refusal.encode()).unwrap(),
            Step::Pass(refusal.encode())
        );
        assert!(refused.handle(Party::Acceptor, &challenge(OTP_25)).is_err());
    }
}

#[test]
fn a_node_without_a_name_is_given_one() {
    let mut relay = Relay::new(&send_name(OTP_25 | Flags::NAME_ME, "h")).unwrap();
    assert_eq!(relay.initiator_name(), None);
    let named = Status::Named {
        name: "x1@h".into(),
        creation: 9,
    };
    relay.handle(Party::Acceptor, &named.encode()).unwrap();
    assert_eq!(relay.initiator_name(), Some("x1@h"));
    complete(&mut relay, OTP_25);
    assert_eq!(relay.agreed(), Some((Format::Header, 9, 8)));
    assert_eq!(relay.acceptor_name(), Some("b@h"));
}

#[test]
fn messages_from_the_wrong_side_or_at_the_wrong_time_are_refused() {
    for (from, message) in [
        (Party::Initiator, Status::Ok.encode()),
        (Party::Initiator, reply()),
        (Party::Acceptor, acknowledgement()),
        (Party::Acceptor, challenge(OTP_25)),
        (Party::Acceptor, Bytes::new()),
    ] {
        assert!(relay().handle(from, &message).is_err(), "{from:?} {message:?}");
    }
    let mut done = relay();
    done.handle(Party::Acceptor, &Status::Ok.encode()).unwrap();
    complete(&mut done, OTP_25);
    assert!(done.handle(Party::Initiator, &reply()).is_err());
    assert!(Relay::new(b"n\0\x05\0\0\0\0a@h").is_err(), "a node before OTP 23");
}

/// `{22, a 1, b 2}` and a payload.
fn signal() -> Bytes {
    let pid = |id: u8| [b"\x58\x77\x03a@h\0\0\0".to_vec(), vec![id], vec![0; 8]].concat();
    [b"\x68\x03\x61\x16".to_vec(), pid(1), pid(2), b"\x6a".to_vec()]
        .concat()
        .into()
}

#[test]
fn packets_become_signals_and_ticks_stay_on_their_leg() {
    assert!(intake(Packet::Tick, Format::Header).unwrap().is_none());
    let taken = intake(Packet::Signal(signal()), Format::Header).unwrap().unwrap();
    let head = taken.head.unwrap();
    assert!(
        matches!((head.sender, head.address), (Sender::Process(from), Address::Process(to)) if from.id == 1 && to.id == 2)
    );
    assert!(intake(Packet::Signal(Bytes::from_static(b"\xff")), Format::Header).is_err());
}
