use std::time::Duration;
use std::time::Instant;

/// A circuit is drained when its nodes have sent nothing for this long.
const QUIET: Duration = Duration::from_millis(50);

/// One of the two daemons leaves, or both.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) since: Instant,
    pub(super) next: Instant,
    pub(super) reason: String,
    pub(super) closing: Closing,
}

/// When this daemon closes its halves of the circuits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// The peer leaves: each half is closed after the peer's half.
    Follows,
    /// This daemon leaves: all halves are closed together, on command.
    Waits,
    /// This daemon leaves, and the command was given.
    Ends,
}

/// The state of a circuit while a daemon leaves.
#[derive(Debug, Default)]
pub(super) struct Draining {
    /// Whether either node has sent anything since the last check.
    pub(super) has_spoken: bool,
    /// When either node last sent something.
    heard: Option<Instant>,
    /// Whether both nodes have been silent long enough, or the time limit has passed.
    pub(super) is_quiet: bool,
    /// Whether no more signals are accepted from the node.
    pub(super) is_draining: bool,
    /// Whether the peer was told where the signals of this side end. Its own may still arrive.
    pub(super) is_half_closed: bool,
}

impl Draining {
    pub(super) fn listen(&mut self, now: Instant, is_long: bool) {
        if std::mem::take(&mut self.has_spoken) || self.heard.is_none() {
            self.heard = Some(now);
        }
        self.is_quiet |= is_long || self.heard.is_some_and(|heard| now >= heard + QUIET);
    }
}
