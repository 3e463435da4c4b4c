use std::time::Duration;
use std::time::Instant;

/// Nodes that were silent for so long have said what they had to say.
const QUIET: Duration = Duration::from_millis(50);

/// One of the two daemons leaves, or both.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) since: Instant,
    pub(super) next: Instant,
    pub(super) reason: String,
    pub(super) part: Part,
}

/// When this daemon ends its halves of the circuits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The peer leaves: each after the peer's half.
    Follows,
    /// We leave: all together, when told to.
    Waits,
    /// We leave and were told.
    Ends,
}

/// What a circuit has left to do when a daemon leaves.
#[derive(Debug, Default)]
pub(super) struct Draining {
    /// Whether either node has said anything since the last look.
    pub(super) has_spoken: bool,
    /// When that was.
    heard: Option<Instant>,
    /// Whether both have said what they had to say, or were listened to for long enough.
    pub(super) is_heard_out: bool,
    /// Whether nothing more is taken from the node.
    pub(super) is_deaf: bool,
    /// Whether the peer was told where our signals end; its own may still come.
    pub(super) is_out: bool,
}

impl Draining {
    pub(super) fn listen(&mut self, now: Instant, is_long: bool) {
        if std::mem::take(&mut self.has_spoken) || self.heard.is_none() {
            self.heard = Some(now);
        }
        self.is_heard_out |= is_long || self.heard.is_some_and(|heard| now >= heard + QUIET);
    }
}
