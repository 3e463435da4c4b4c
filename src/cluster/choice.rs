use crate::trunk::TrunkState;
use crate::wire::SessionId;

/// The session with a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    /// The incarnation of the peer.
    pub(super) boot: [u8; 16],
    /// The number of the session, and of its latest trunk.
    pub(super) id: SessionId,
    /// The state of its trunk.
    pub(super) state: TrunkState,
}

/// What a greeted connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It starts a session. If there is one already, that ends first.
    Begin,
    /// It carries the existing session, which has this id from now on.
    Resume(SessionId),
    /// It is not needed, and is closed.
    Refuse,
}

/// A connection that could carry a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// The incarnation of the peer that sent the greeting.
    pub(super) boot: [u8; 16],
    /// The session with us that the peer had when it sent the greeting.
    pub(super) held: Option<SessionId>,
    /// Whether we dialled. If the peer dialled, it wants another trunk.
    pub(super) is_ours: bool,
}

/// Decides for the daemon with the lower name.
///
/// Both daemons may dial, several times at once, and a greeting may be older than the current state. A trunk is replaced only
/// if we want another one, or if the sender of the greeting knew this trunk, or if this trunk has shown no sign of life.
pub(super) fn choose(running: Option<&Running>, offer: &Offer) -> Choice {
    let Offer { boot, held, is_ours } = *offer;
    let Some(running) = running.filter(|running| running.boot == boot && running.state != TrunkState::Down) else {
        return Choice::Begin;
    };
    let is_stalled = running.state == TrunkState::Stalled;
    let id = running.id;
    let is_wanted = |held: &SessionId| match running.state {
        TrunkState::Stalled => true,
        _ if is_ours => false,
        TrunkState::Fresh => true,
        TrunkState::Up | TrunkState::Down => held.trunk == id.trunk,
    };
    match held.filter(|held| held.session == id.session) {
        Some(held) if is_wanted(&held) => Choice::Resume(SessionId {
            trunk: id.trunk + 1,
            ..id
        }),
        // The peer has lost the session, or sent its greeting before the session began.
        None if is_stalled => Choice::Begin,
        Some(_) | None => Choice::Refuse,
    }
}
