use super::choice::Choice;
use super::choice::Running;
use super::choice::choose;
use crate::trunk::handle::Link;
use crate::wire::SessionId;

const BOOT: [u8; 16] = [1; 16];
const ID: SessionId = SessionId { session: 7, trunk: 3 };
const NEXT: Choice = Choice::Resume(SessionId { session: 7, trunk: 4 });

fn running(link: Link) -> Running {
    Running {
        boot: BOOT,
        id: ID,
        link,
    }
}

fn on(trunk: u64) -> Option<SessionId> {
    Some(SessionId { trunk, ..ID })
}

#[test]
fn without_a_session_one_begins() {
    assert_eq!(choose(None, BOOT, None), Choice::Begin);
    assert_eq!(choose(None, BOOT, on(3)), Choice::Begin, "ours is over");
    for held in [None, on(3)] {
        assert_eq!(choose(Some(&running(Link::Down)), BOOT, held), Choice::Begin);
        assert_eq!(
            choose(Some(&running(Link::Up)), [2; 16], held),
            Choice::Begin,
            "the peer has restarted"
        );
    }
}

#[test]
fn who_knows_of_the_trunk_replaces_it() {
    for link in [Link::Fresh, Link::Up, Link::Stalled] {
        assert_eq!(choose(Some(&running(link)), BOOT, on(3)), NEXT, "{link:?}");
    }
}

#[test]
fn an_old_greeting_does_not_replace_a_trunk_that_works() {
    let up = running(Link::Up);
    for held in [None, on(1), on(2), on(4)] {
        assert_eq!(choose(Some(&up), BOOT, held), Choice::Refuse, "{held:?}");
    }
    let other = SessionId { session: 8, trunk: 3 };
    assert_eq!(choose(Some(&up), BOOT, Some(other)), Choice::Refuse);
}

/// The welcome was lost with its trunk, so the peer knows of the one before only.
#[test]
fn a_trunk_that_never_worked_is_replaced() {
    for link in [Link::Fresh, Link::Stalled] {
        assert_eq!(choose(Some(&running(link)), BOOT, on(2)), NEXT, "{link:?}");
    }
}

/// Both dialled at the start: the second greeting is older than the session. But if that is as dead as it seems, the
/// peer has given it up.
#[test]
fn a_peer_without_the_session_begins_another_only_if_ours_does_not_work() {
    assert_eq!(choose(Some(&running(Link::Fresh)), BOOT, None), Choice::Refuse);
    assert_eq!(choose(Some(&running(Link::Up)), BOOT, None), Choice::Refuse);
    assert_eq!(choose(Some(&running(Link::Stalled)), BOOT, None), Choice::Begin);
}
