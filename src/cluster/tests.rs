use super::choice::Choice;
use super::choice::Offer;
use super::choice::Running;
use super::choice::choose;
use crate::trunk::TrunkState;
use crate::wire::SessionId;

const BOOT: [u8; 16] = [1; 16];
const ID: SessionId = SessionId { session: 7, trunk: 3 };
const NEXT: Choice = Choice::Resume(SessionId { session: 7, trunk: 4 });

fn running(state: TrunkState) -> Running {
    Running {
        boot: BOOT,
        id: ID,
        state,
    }
}

fn choose_for(state: Option<TrunkState>, offer: Offer) -> Choice {
    choose(state.map(running).as_ref(), &offer)
}

/// A connection that the peer dialled.
fn dialled(held: Option<SessionId>) -> Offer {
    Offer {
        boot: BOOT,
        held,
        is_ours: false,
    }
}

/// A connection that we dialled.
fn ours(held: Option<SessionId>) -> Offer {
    Offer {
        is_ours: true,
        ..dialled(held)
    }
}

fn on(trunk: u64) -> Option<SessionId> {
    Some(SessionId { trunk, ..ID })
}

#[test]
fn without_a_session_one_begins() {
    for held in [None, on(3)] {
        for offer in [ours(held), dialled(held)] {
            assert_eq!(choose_for(None, offer), Choice::Begin);
            assert_eq!(choose_for(Some(TrunkState::Down), offer), Choice::Begin, "ours is over");
            let restarted = Offer { boot: [2; 16], ..offer };
            assert_eq!(choose_for(Some(TrunkState::Up), restarted), Choice::Begin);
        }
    }
}

#[test]
fn a_peer_that_knows_of_the_trunk_replaces_it() {
    for state in [TrunkState::Fresh, TrunkState::Up, TrunkState::Stalled] {
        assert_eq!(choose_for(Some(state), dialled(on(3))), NEXT, "{state:?}");
    }
}

#[test]
fn an_old_greeting_does_not_replace_a_trunk_that_works() {
    let other = SessionId { session: 8, trunk: 3 };
    for held in [None, on(1), on(2), on(4), Some(other)] {
        assert_eq!(
            choose_for(Some(TrunkState::Up), dialled(held)),
            Choice::Refuse,
            "{held:?}"
        );
    }
}

/// Both dialled at the start, and the peer was faster.
#[test]
fn our_own_dialling_replaces_a_trunk_only_if_we_still_want_it() {
    for state in [TrunkState::Fresh, TrunkState::Up] {
        assert_eq!(choose_for(Some(state), ours(on(3))), Choice::Refuse, "{state:?}");
    }
    for trunk in [2, 3] {
        assert_eq!(choose_for(Some(TrunkState::Stalled), ours(on(trunk))), NEXT);
    }
}

/// The welcome was lost with its trunk, so the peer knows only the trunk before.
#[test]
fn a_trunk_that_never_worked_is_replaced() {
    for state in [TrunkState::Fresh, TrunkState::Stalled] {
        assert_eq!(choose_for(Some(state), dialled(on(2))), NEXT, "{state:?}");
    }
}

/// Both dialled at the start, and the second greeting is older than the session. But if the trunk of that session is dead,
/// the peer has given it up.
#[test]
fn a_peer_without_the_session_begins_another_only_if_ours_does_not_work() {
    for offer in [dialled(None), ours(None)] {
        assert_eq!(choose_for(Some(TrunkState::Fresh), offer), Choice::Refuse);
        assert_eq!(choose_for(Some(TrunkState::Up), offer), Choice::Refuse);
        assert_eq!(choose_for(Some(TrunkState::Stalled), offer), Choice::Begin);
    }
}
