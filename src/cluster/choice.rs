use crate::trunk::handle::Link;
use crate::wire::SessionId;

/// The session that runs with a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    /// The life of the peer it is with.
    pub(super) boot: [u8; 16],
    /// Which one, and how many trunks have carried it.
    pub(super) id: SessionId,
    /// How its trunk does.
    pub(super) link: Link,
}

/// What a greeted connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It begins a session; one that runs is over.
    Begin,
    /// It carries the session that runs, which is known by this from now on.
    Resume(SessionId),
    /// It is not needed.
    Refuse,
}

/// Decides for the daemon with the lower name. The peer greeted as the life `boot` and has the session `held` with us.
///
/// Both daemons may dial, several times at once, and a greeting may be older than what it meets. A trunk is replaced only
/// by a connection whose greeting knew of it, unless that trunk has shown no sign of life.
pub(super) fn choose(running: Option<&Running>, boot: [u8; 16], held: Option<SessionId>) -> Choice {
    let Some(running) = running.filter(|running| running.boot == boot && running.link != Link::Down) else {
        return Choice::Begin;
    };
    let is_stalled = running.link == Link::Stalled;
    let id = running.id;
    match held.filter(|held| held.session == id.session) {
        Some(held) if held.trunk == id.trunk || running.link != Link::Up => Choice::Resume(SessionId {
            trunk: id.trunk + 1,
            ..id
        }),
        // The peer has lost the session, or greeted before it began.
        None if is_stalled => Choice::Begin,
        Some(_) | None => Choice::Refuse,
    }
}
