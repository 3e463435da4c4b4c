use crate::dist::Flags;
use crate::dist::handshake::SendName;
use crate::dist::handshake::Status;
use crate::node::ConnectionError;
use crate::node::FarIdentity;
use crate::node::Handshake;
use crate::node::HandshakeStep;
use crate::node::OwnIdentity;

fn own(name: &str, cookie: &str) -> OwnIdentity {
    OwnIdentity {
        name: name.to_owned(),
        creation: 7,
        is_visible: true,
        cookie: cookie.into(),
    }
}

#[test]
fn an_identity_does_not_show_its_cookie() {
    let own = own("a@h", "SECRET");
    assert!(!format!("{own:?}").contains("SECRET"), "{own:?}");
    let party = Handshake::accept(own, 1);
    assert!(!format!("{party:?}").contains("SECRET"));
    let builder = crate::node::Node::builder("a@h").cookie("SECRET");
    assert!(!format!("{builder:?}").contains("SECRET"), "{builder:?}");
}

/// The outcomes of both sides. `decision` is the acceptor's answer.
fn shake(
    initiator: OwnIdentity,
    acceptor: OwnIdentity,
    target: &str,
    decision: Status,
) -> [Option<Result<FarIdentity, ConnectionError>>; 2] {
    let mut parties = [
        Handshake::initiate(initiator, target, 1),
        Handshake::accept(acceptor, 0x8000_0000),
    ];
    let mut outcomes = [None, None];
    for turn in 0..20 {
        let (from, to) = (turn % 2, (turn + 1) % 2);
        while let Some(message) = parties[from].poll_message() {
            if outcomes[to].is_some() {
                continue;
            }
            let step = parties[to].handle_message(&message).and_then(|step| match step {
                HandshakeStep::Asked(_) => parties[to].decide(decision.clone()).map(|()| HandshakeStep::Continue),
                other => Ok(other),
            });
            match step {
                Ok(HandshakeStep::Complete(far)) => outcomes[to] = Some(Ok(far)),
                Ok(_) => {}
                Err(error) => outcomes[to] = Some(Err(error)),
            }
        }
    }
    outcomes
}

#[test]
fn two_parties_with_one_cookie_agree() {
    for decision in [Status::Ok, Status::OkSimultaneous, Status::Alive] {
        let [initiator, acceptor] = shake(own("a@h", "c"), own("b@h", "c"), "b@h", decision);
        let (far, near) = (initiator.unwrap().unwrap(), acceptor.unwrap().unwrap());
        assert_eq!((far.name.as_str(), near.name.as_str(), far.creation), ("b@h", "a@h", 7));
        assert_eq!(far.flags, near.flags);
        assert!(far.is_visible() && far.flags.contains(Flags::FRAGMENTS | Flags::SPAWN | Flags::ALIAS));
    }
}

#[test]
fn another_cookie_is_noticed_by_the_acceptor_first() {
    let [initiator, acceptor] = shake(own("a@h", "c"), own("b@h", "other"), "b@h", Status::Ok);
    assert!(matches!(acceptor, Some(Err(ConnectionError::Cookie(name))) if name == "a@h"));
    assert!(initiator.is_none(), "it only sees the end of the connection");
}

#[test]
fn refusals_reach_the_other_side() {
    let [initiator, _] = shake(own("a@h", "c"), own("b@h", "c"), "b@h", Status::Nok);
    assert!(matches!(
        initiator,
        Some(Err(ConnectionError::Refused { status: "nok", .. }))
    ));
    let [initiator, _] = shake(own("a@h", "c"), own("b@h", "c"), "c@h", Status::Ok);
    assert!(matches!(initiator, Some(Err(ConnectionError::WrongNode { .. }))));
    let [initiator, acceptor] = shake(own("a@h", "c"), own("a@h", "c"), "a@h", Status::Ok);
    assert!(matches!(
        initiator,
        Some(Err(ConnectionError::Refused {
            status: "not_allowed",
            ..
        }))
    ));
    assert!(matches!(acceptor, Some(Err(ConnectionError::Refusing { .. }))));
}

#[test]
fn a_node_that_lacks_a_flag_is_not_allowed() {
    let mut party = Handshake::accept(own("b@h", "c"), 1);
    let flags = crate::node::handshake::OFFERED.without(Flags::FRAGMENTS);
    let name = SendName {
        flags,
        creation: 1,
        name: "a@h".to_owned(),
    };
    let error = party.handle_message(&name.encode()).unwrap_err();
    assert!(error.to_string().contains("FRAGMENTS"), "{error}");
    assert_eq!(Status::parse(&party.poll_message().unwrap()), Ok(Status::NotAllowed));
}

#[test]
fn a_message_out_of_turn_or_damaged_is_refused() {
    let mut party = Handshake::accept(own("b@h", "c"), 1);
    assert!(party.handle_message(b"sok").is_err());
    let mut party = Handshake::initiate(own("a@h", "c"), "b@h", 1);
    assert!(party.handle_message(b"N").is_err());
    assert!(party.handle_message(b"").is_err());
}
