use bytes::Bytes;

use crate::dist::Flags;
use crate::dist::Format;
use crate::dist::HandshakeError;
use crate::dist::Party;
use crate::dist::Relay;
use crate::dist::Relayed;
use crate::dist::handshake::Challenge;
use crate::dist::handshake::SendName;
use crate::dist::handshake::Status;

/// All bits that a node could set, including those that beamway must not pass on.
const ALL: Flags = Flags::from_bits(u64::MAX);

fn send_name(name: &str, flags: Flags) -> Bytes {
    let message = SendName {
        flags,
        creation: 7,
        name: name.into(),
    };
    message.encode()
}

fn challenge(flags: Flags) -> Bytes {
    let message = Challenge {
        flags,
        challenge: 99,
        creation: 8,
        name: "b@h2".into(),
    };
    message.encode()
}

fn reply() -> Bytes {
    Bytes::from([&b"r"[..], &[5; 20]].concat())
}

fn acknowledgement() -> Bytes {
    Bytes::from([&b"a"[..], &[6; 16]].concat())
}

fn relay() -> Relay {
    Relay::new(&send_name("a@h1", ALL.without(Flags::NAME_ME))).unwrap()
}

/// Runs a handshake from the challenge to the end. The messages of both sides pass unchanged, except for the flags.
fn finish(relay: &mut Relay) {
    let Relayed::Pass(passed) = relay.handle(Party::Acceptor, &challenge(ALL)).unwrap() else {
        panic!("a challenge completes nothing");
    };
    assert_eq!(passed, challenge(ALL.offered()));
    assert_eq!(relay.acceptor_name(), Some("b@h2"));
    assert_eq!(
        relay.handle(Party::Initiator, &reply()).unwrap(),
        Relayed::Pass(reply()),
        "the digest is the nodes' own affair"
    );
    assert_eq!(
        relay.handle(Party::Acceptor, &acknowledgement()).unwrap(),
        Relayed::Complete(acknowledgement())
    );
}

fn refusal(result: Result<Relayed, HandshakeError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn accepted_handshakes_run_to_their_end() {
    for status in [Status::Ok, Status::OkSimultaneous] {
        let mut relay = relay();
        let passed = relay.handle(Party::Acceptor, &status.encode()).unwrap();
        assert_eq!(passed, Relayed::Pass(status.encode()));
        assert_eq!((relay.acceptor_name(), relay.agreed()), (None, None));
        finish(&mut relay);
        assert_eq!(relay.agreed(), Some((Format::Header, 7, 8)));
    }
}

#[test]
fn flags_are_masked_both_ways() {
    let relay = relay();
    let passed = SendName::parse(&relay.send_name()).unwrap();
    assert_eq!(passed.flags, ALL.without(Flags::NAME_ME).offered());
    assert!(!passed.flags.contains(Flags::DIST_HDR_ATOM_CACHE));
    assert!(passed.flags.contains(Flags::FRAGMENTS | Flags::PUBLISHED));
    assert_eq!((passed.name.as_str(), passed.creation), ("a@h1", 7));
    // The other gateway's mask is not trusted: `finish` sends a challenge with all bits.
    assert_eq!(ALL.offered().bits() & !Flags::KNOWN.bits(), 0);
}

#[test]
fn either_node_decides_the_format() {
    let few = Flags::KNOWN.without(Flags::FRAGMENTS);
    for (initiator, acceptor, format) in [
        (Flags::KNOWN, Flags::KNOWN, Format::Header),
        (few, Flags::KNOWN, Format::PassThrough),
        (Flags::KNOWN, few, Format::PassThrough),
    ] {
        let mut relay = Relay::new(&send_name("a@h1", initiator.without(Flags::NAME_ME))).unwrap();
        relay.handle(Party::Acceptor, &Status::Ok.encode()).unwrap();
        relay.handle(Party::Acceptor, &challenge(acceptor)).unwrap();
        assert_eq!(relay.agreed().unwrap().0, format);
    }
}

#[test]
fn alive_waits_for_the_initiators_answer() {
    for wants in [true, false] {
        let mut relay = relay();
        relay.handle(Party::Acceptor, &Status::Alive.encode()).unwrap();
        assert_eq!(
            refusal(relay.handle(Party::Acceptor, &challenge(ALL))),
            "unexpected handshake message 'N' from the acceptor: expected the initiator's reply to alive"
        );
        let answer = Status::Answer(wants).encode();
        let passed = relay.handle(Party::Initiator, &answer).unwrap();
        assert_eq!(passed, Relayed::Pass(answer));
        if wants {
            finish(&mut relay);
        } else {
            assert!(
                refusal(relay.handle(Party::Acceptor, &challenge(ALL)))
                    .contains("the acceptor has rejected the connection")
            );
        }
    }
}

#[test]
fn refusals_are_passed_on_and_are_the_end() {
    for status in [Status::Nok, Status::NotAllowed] {
        let mut relay = relay();
        let passed = relay.handle(Party::Acceptor, &status.encode()).unwrap();
        assert_eq!(passed, Relayed::Pass(status.encode()));
        for (from, message) in [(Party::Acceptor, challenge(ALL)), (Party::Initiator, reply())] {
            assert!(refusal(relay.handle(from, &message)).contains("the acceptor has rejected the connection"));
        }
        assert_eq!(relay.agreed(), None);
    }
}

#[test]
fn a_node_without_a_name_is_given_one() {
    let mut relay = Relay::new(&send_name("h1", ALL)).unwrap();
    assert_eq!(relay.initiator_name(), None, "policy has nothing to judge yet");
    let status = Status::Named {
        name: "x1@h1".into(),
        creation: 77,
    };
    let passed = relay.handle(Party::Acceptor, &status.encode()).unwrap();
    assert_eq!(passed, Relayed::Pass(status.encode()));
    assert_eq!(relay.initiator_name(), Some("x1@h1"));
    finish(&mut relay);
    assert_eq!(relay.agreed(), Some((Format::Header, 77, 8)));
}

/// The policy checks the name in the first message, so the acceptor must not be able to replace it later.
#[test]
fn a_node_with_a_name_keeps_it() {
    let mut relay = relay();
    let status = Status::Named {
        name: "evil@h9".into(),
        creation: 77,
    };
    assert_eq!(relay.initiator_name(), Some("a@h1"));
    let refused = refusal(relay.handle(Party::Acceptor, &status.encode()));
    assert!(refused.contains("did not ask for a name"), "{refused}");
    assert_eq!(relay.initiator_name(), Some("a@h1"));
}

#[test]
fn nothing_is_taken_from_the_wrong_side_or_at_the_wrong_time() {
    let script = [
        (Party::Acceptor, Status::Ok.encode()),
        (Party::Acceptor, challenge(ALL)),
        (Party::Initiator, reply()),
        (Party::Acceptor, acknowledgement()),
    ];
    for at in 0..=script.len() {
        for (wrong, (from, message)) in script.iter().enumerate() {
            let other = match from {
                Party::Acceptor => Party::Initiator,
                Party::Initiator => Party::Acceptor,
            };
            for from in [*from, other] {
                if wrong == at && from == script[at].0 {
                    continue;
                }
                let mut relay = relay();
                for (from, message) in &script[..at] {
                    relay.handle(*from, message).unwrap();
                }
                let result = relay.handle(from, message);
                assert!(
                    result.is_err(),
                    "message {wrong} from {from:?} at step {at}: {result:?}"
                );
            }
        }
    }
}

#[test]
fn first_messages_that_are_none_are_refused() {
    for message in [&b""[..], b"n", b"N", b"x", &send_name("a@h1", ALL)[..10]] {
        assert!(Relay::new(message).is_err(), "{message:x?}");
    }
}
