use std::time::Duration;
use std::time::Instant;

use super::TrunkState;
use super::idle::Idle;
use super::liveness::Liveness;

/// Judges the trunk of a session: whether it works, when another one is tried, and when the session ends.
///
/// The parameter `stalled` of its methods is the time since when frames have been waiting for the peer's receipt, or `None` if
/// none are waiting.
#[derive(Debug)]
pub(super) struct Keeper {
    /// How long the session waits for a working trunk. Zero means that the session ends with its trunk.
    grace: Duration,
    /// The interval between attempts to get another trunk.
    race_interval: Duration,
    state: TrunkState,
    /// When the trunk was lost.
    lost: Option<Instant>,
    liveness: Liveness,
    /// What is known of the trunk while nothing is expected.
    idle: Idle,
}

impl Keeper {
    /// Creates the state for a session whose first trunk was just established.
    pub(super) fn new(grace: Duration, race_interval: Duration, keep_alive: Duration) -> Self {
        Self {
            grace,
            race_interval,
            state: TrunkState::Fresh,
            lost: None,
            liveness: Liveness::default(),
            idle: Idle::new(keep_alive),
        }
    }

    pub(super) const fn state(&self) -> TrunkState {
        self.state
    }

    pub(super) const fn grace(&self) -> Duration {
        self.grace
    }

    /// Starts again for another trunk, which carries the session from now on.
    pub(super) fn resume(&mut self) {
        *self = Self::new(self.grace, self.race_interval, self.idle.keep_alive());
    }

    /// Records that the peer sent something on the trunk.
    pub(super) const fn heard(&mut self) {
        self.state = TrunkState::Up;
    }

    /// Records that the trunk is lost. A peer that had been silent before has been silent since then: QUIC gives up a trunk only
    /// after its idle timeout.
    pub(super) fn lose(&mut self, stalled: Option<Instant>, now: Instant) {
        self.lost = Some(self.silent_since(stalled).map_or(now, |since| since.min(now)));
    }

    /// Records the total number of acknowledgements on the trunk. Call it when [`Keeper::is_count_due`].
    pub(super) fn count(&mut self, acknowledgements: u64, now: Instant) {
        self.liveness.count(acknowledgements, now);
    }

    /// Whether the acknowledgements should be counted now, because no frame has been acknowledged for a while.
    pub(super) fn is_count_due(&self, stalled: Option<Instant>, now: Instant) -> bool {
        self.next_count(stalled).is_some_and(|at| at <= now)
    }

    /// Records the total number of datagrams that have arrived on the trunk. Call it when [`Keeper::is_look_due`].
    pub(super) fn look(&mut self, datagrams: u64, now: Instant) {
        self.idle.look(datagrams, now);
    }

    /// Whether it should be looked now whether anything has arrived.
    pub(super) fn is_look_due(&self, now: Instant) -> bool {
        self.watches() && self.idle.next_look().is_none_or(|at| at <= now)
    }

    /// Whether there is a trunk to watch.
    const fn watches(&self) -> bool {
        self.lost.is_none() && !self.grace.is_zero()
    }

    /// Updates the state of the trunk, whose round-trip time is `round_trip`. Returns a reason if the session ends.
    pub(super) fn judge(&mut self, stalled: Option<Instant>, round_trip: Duration, now: Instant) -> Option<String> {
        if self.grace.is_zero() {
            return None;
        }
        let silence = self
            .silent_since(stalled)
            .map(|since| now.saturating_duration_since(since));
        if silence.is_some_and(|silence| silence >= self.grace) {
            return Some(format!("the peer was silent for the grace time of {:?}", self.grace));
        }
        if silence.is_some_and(|silence| self.is_stalled(silence, round_trip)) {
            self.state = TrunkState::Stalled;
        } else if self.state == TrunkState::Stalled {
            self.state = TrunkState::Up;
        }
        None
    }

    /// When [`Keeper::judge`] must be called next.
    pub(super) fn poll_timeout(&self, stalled: Option<Instant>) -> Option<Instant> {
        if self.grace.is_zero() {
            return None;
        }
        let over = self.silent_since(stalled).map(|since| since + self.grace);
        let look = self.idle.next_look().filter(|_| self.watches());
        over.into_iter().chain(self.next_count(stalled)).chain(look).min()
    }

    /// Since when nothing has arrived although something is expected: an acknowledgement, or at least the answer to a keep-alive.
    pub(super) fn silent_since(&self, stalled: Option<Instant>) -> Option<Instant> {
        let acknowledged = stalled.map(|since| self.liveness.silent_since(since));
        self.lost
            .or_else(|| acknowledged.into_iter().chain(self.idle.silent_since()).min())
    }

    fn next_count(&self, stalled: Option<Instant>) -> Option<Instant> {
        let since = stalled.filter(|_| self.watches())?;
        Some(self.liveness.next_count(since, self.race_interval))
    }

    /// Whether another trunk should be tried: there is none, or an acknowledgement takes longer than three race intervals and
    /// four round-trip times.
    fn is_stalled(&self, silence: Duration, round_trip: Duration) -> bool {
        self.lost.is_some() || (silence >= self.race_interval * 3 && silence >= round_trip * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const GRACE: Duration = Duration::from_secs(15);
    const KEEP_ALIVE: Duration = Duration::from_secs(3);

    fn keeper() -> (Keeper, Instant) {
        (Keeper::new(GRACE, 150 * MS, KEEP_ALIVE), Instant::now())
    }

    #[test]
    fn a_trunk_is_fresh_until_the_peer_is_heard() {
        let (mut keeper, now) = keeper();
        assert_eq!(keeper.state(), TrunkState::Fresh);
        assert_eq!(keeper.judge(None, MS, now), None);
        assert_eq!(
            keeper.state(),
            TrunkState::Fresh,
            "silence is normal while nothing is expected"
        );
        assert_eq!(keeper.poll_timeout(None), None);
        keeper.heard();
        assert_eq!(keeper.state(), TrunkState::Up);
    }

    #[test]
    fn without_acknowledgements_another_trunk_is_tried_after_three_intervals_and_four_round_trips() {
        for (round_trip, after) in [(MS, 450 * MS), (200 * MS, 800 * MS)] {
            let (mut keeper, start) = keeper();
            keeper.heard();
            let stalled = Some(start);
            assert_eq!(keeper.judge(stalled, round_trip, start + after - MS), None);
            assert_eq!(keeper.state(), TrunkState::Up);
            assert_eq!(keeper.judge(stalled, round_trip, start + after), None);
            assert_eq!(keeper.state(), TrunkState::Stalled);
            // The peer has acknowledged: no frame is waiting.
            assert_eq!(keeper.judge(None, round_trip, start + after + MS), None);
            assert_eq!(keeper.state(), TrunkState::Up);
        }
    }

    /// Whole frames take seconds on a slow path, while packets are acknowledged all the time.
    #[test]
    fn a_slow_path_is_not_taken_for_a_dead_one() {
        let (mut keeper, start) = keeper();
        keeper.heard();
        let stalled = Some(start);
        let mut now = start;
        for count in 1..100 {
            assert!(!keeper.is_count_due(stalled, now));
            now = keeper.poll_timeout(stalled).expect("a time to count");
            assert!(keeper.is_count_due(stalled, now));
            keeper.count(count, now);
            assert_eq!(keeper.judge(stalled, MS, now), None);
            assert_eq!(keeper.state(), TrunkState::Up);
        }
        assert!(now > start + 14 * Duration::from_secs(1));
        // Now the trunk is dead. The grace time starts at the last acknowledgement.
        let over = now + GRACE;
        assert_eq!(keeper.judge(stalled, MS, over - MS), None);
        assert_eq!(keeper.state(), TrunkState::Stalled);
        assert!(
            keeper
                .judge(stalled, MS, over)
                .is_some_and(|reason| reason.contains("15s"))
        );
    }

    #[test]
    fn a_lost_trunk_is_replaced_at_once_or_the_session_is_over_after_the_grace() {
        let (mut keeper, start) = keeper();
        keeper.heard();
        keeper.lose(None, start);
        assert_eq!(keeper.judge(None, MS, start), None);
        assert_eq!(keeper.state(), TrunkState::Stalled);
        assert_eq!(keeper.poll_timeout(None), Some(start + GRACE));
        assert!(
            !keeper.is_count_due(Some(start), start + GRACE),
            "there is nothing to count"
        );
        keeper.resume();
        assert_eq!(keeper.state(), TrunkState::Fresh);
        assert_eq!(keeper.judge(None, MS, start + GRACE), None, "the timer has stopped");
        keeper.lose(None, start + GRACE);
        assert!(keeper.judge(None, MS, start + 2 * GRACE).is_some());
    }

    /// QUIC gives up a trunk when its peer has been silent for the idle timeout: of the grace time, that much is over.
    #[test]
    fn silence_before_the_loss_is_part_of_the_grace_time() {
        let (mut keeper, start) = keeper();
        keeper.heard();
        let stalled = Some(start);
        let lost = start + GRACE - MS;
        assert_eq!(keeper.judge(stalled, MS, lost), None);
        keeper.lose(stalled, lost);
        assert_eq!(keeper.judge(stalled, MS, lost), None);
        assert_eq!(keeper.poll_timeout(stalled), Some(start + GRACE));
        assert!(keeper.judge(stalled, MS, start + GRACE).is_some());
    }

    /// Looks once a second, as a session does, until something changes. Returns when, and what.
    fn watched(keeper: &mut Keeper, stalled: Option<Instant>, start: Instant) -> Vec<(u64, TrunkState, bool)> {
        let mut now = start;
        let mut found = Vec::new();
        loop {
            if keeper.is_look_due(now) {
                keeper.look(1, now);
            }
            if keeper.is_count_due(stalled, now) {
                keeper.count(0, now);
            }
            let before = keeper.state();
            let over = keeper.judge(stalled, MS, now);
            if over.is_some() || keeper.state() != before {
                found.push((now.duration_since(start).as_secs(), keeper.state(), over.is_some()));
            }
            if over.is_some() {
                return found;
            }
            now = keeper.poll_timeout(stalled).expect("a time to look");
        }
    }

    #[test]
    fn a_dead_trunk_is_noticed_although_nothing_is_expected() {
        let (mut keeper, start) = keeper();
        keeper.heard();
        let found = watched(&mut keeper, None, start);
        assert_eq!(
            found,
            [(4, TrunkState::Stalled, false), (18, TrunkState::Stalled, true)]
        );
    }

    /// Something is sent on a trunk that has been dead for a while: the grace time has begun before.
    #[test]
    fn silence_before_something_is_sent_is_part_of_the_grace_time() {
        let (mut keeper, start) = keeper();
        keeper.heard();
        let stalled = Some(start + 10 * Duration::from_secs(1));
        assert_eq!(
            watched(&mut keeper, stalled, start).last().map(|found| found.0),
            Some(18)
        );
        // QUIC gives the trunk up meanwhile.
        let (mut keeper, start) = self::keeper();
        keeper.look(1, start);
        keeper.lose(None, start + GRACE);
        let over = start + KEEP_ALIVE + GRACE;
        assert_eq!(keeper.judge(None, MS, over - MS), None);
        assert!(keeper.judge(None, MS, over).is_some());
    }

    #[test]
    fn without_grace_nothing_is_watched() {
        let start = Instant::now();
        let mut keeper = Keeper::new(Duration::ZERO, 150 * MS, KEEP_ALIVE);
        assert!(!keeper.is_look_due(start));
        assert_eq!(keeper.poll_timeout(Some(start)), None);
        assert_eq!(keeper.judge(Some(start), MS, start + GRACE), None);
        assert_eq!(keeper.state(), TrunkState::Fresh);
    }
}
