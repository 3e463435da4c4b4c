use crate::trunk::TrunkState;
use crate::wire::SessionId;

/// The session that runs with a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    /// The life of the peer it is with.
    pub(super) boot: [u8; 16],
    /// Which one, and how many trunks have carried it.
    pub(super) id: SessionId,
    /// How its trunk does.
    pub(super) state: TrunkState,
}

/// What a greeted connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It begins a session; one that runs ends.
    Begin,
    /// It carries the session that runs, which is known by this from now on.
    Resume(SessionId),
    /// It is not needed.
    Refuse,
}

/// A connection that could carry a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// The life of the peer that greeted.
    pub(super) boot: [u8; 16],
    /// The session that it had with us then.
    pub(super) held: Option<SessionId>,
    /// Whether we dialled; else the peer did, and wants another trunk.
    pub(super) is_ours: bool,
}

/// Decides for the daemon with the lower name.
///
/// Both daemons may dial, several times at once, and a greeting may be older than what it meets. A trunk is replaced only
/// if we want another, or by a connection whose greeting knew of it, unless that trunk has shown no sign of life.
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
        // The peer has lost the session, or greeted before it began.
        None if is_stalled => Choice::Begin,
        Some(_) | None => Choice::Refuse,
    }
}
