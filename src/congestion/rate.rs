use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// Packets that leave within this part of a round trip are one group: their samples are of a time that is longer by as much.
const GROUPS_A_TRIP: u32 = 64;

/// Groups remembered, at most; beyond it the last one takes all that leaves.
const GROUPS_MAX: usize = 4096;

/// How fast bytes arrive at the other side, measured over one round trip at a time, as in draft-cheng-iccrg-delivery-rate-estimation.
///
/// A sample is what was acknowledged from the moment on when a packet left, divided by the longer of two times: that in which
/// it was acknowledged and that in which it was sent.
#[derive(Clone, Debug)]
pub(super) struct RateSampler {
    /// Bytes acknowledged so far, and when the last of them were.
    delivered: u64,
    delivered_at: Instant,
    /// When the packet left that was acknowledged last.
    first_sent: Instant,
    /// Packets that leave before so many bytes were acknowledged could have been followed by more, had there been more.
    app_limited_until: u64,
    groups: VecDeque<Group>,
    /// Of the acknowledgement that is being read: when its newest packet left.
    newest: Option<Instant>,
    /// The least round trip.
    least: Duration,
}

/// Packets that left one after the other, and what was known when the first of them did.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: Instant,
    delivered: u64,
    delivered_at: Instant,
    first_sent: Instant,
    is_app_limited: bool,
}

/// What one acknowledgement tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Of the newest packet that it acknowledges.
    pub(super) round_trip: Duration,
    /// When that packet left.
    pub(super) sent: Instant,
    /// Bytes that had been acknowledged when it left, and have been now.
    pub(super) delivered_before: u64,
    pub(super) delivered: u64,
    /// Bytes per second; zero where the time is too short to tell.
    pub(super) rate: f64,
    /// There was not enough to send: the line may be faster than this.
    pub(super) is_app_limited: bool,
}

impl RateSampler {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            delivered: 0,
            delivered_at: now,
            first_sent: now,
            app_limited_until: 0,
            groups: VecDeque::new(),
            newest: None,
            least: Duration::ZERO,
        }
    }

    /// Packets leave; `is_first`: nothing else is under way.
    pub(super) fn on_sent(&mut self, now: Instant, is_first: bool) {
        if is_first {
            (self.first_sent, self.delivered_at) = (now, now);
        }
        let group = Group {
            first: now,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent: self.first_sent,
            is_app_limited: self.delivered < self.app_limited_until,
        };
        let is_full = self.groups.len() >= GROUPS_MAX;
        let joins = |last: &&mut Group| {
            is_full
                || last.delivered_at == group.delivered_at
                || now.saturating_duration_since(last.first) < self.least / GROUPS_A_TRIP
        };
        match self.groups.back_mut().filter(joins) {
            Some(last) => last.is_app_limited |= group.is_app_limited,
            None => self.groups.push_back(group),
        }
    }

    /// A packet that left then is acknowledged.
    pub(super) fn on_ack(&mut self, sent: Instant, bytes: u64) {
        self.delivered = self.delivered.saturating_add(bytes);
        self.newest = self.newest.max(Some(sent));
    }

    /// That was all of one acknowledgement. Nothing, when only older packets than before were acknowledged.
    pub(super) fn on_end_acks(&mut self, now: Instant, in_flight: u64, is_app_limited: bool) -> Option<Sample> {
        if is_app_limited {
            self.app_limited_until = self.delivered.saturating_add(in_flight.max(1));
        }
        let sent = self.newest.take()?;
        let older = self.groups.partition_point(|group| group.first <= sent);
        let group = *self.groups.get(older.checked_sub(1)?)?;
        self.groups.drain(..older - 1);
        let sending = sent.saturating_duration_since(group.first_sent);
        let acknowledging = now.saturating_duration_since(group.delivered_at);
        let time = sending.max(acknowledging);
        (self.first_sent, self.delivered_at) = (sent.max(self.first_sent), now);
        let bytes = self.delivered - group.delivered;
        let round_trip = now.saturating_duration_since(sent);
        self.least = if self.least.is_zero() {
            round_trip
        } else {
            self.least.min(round_trip)
        };
        Some(Sample {
            round_trip,
            sent,
            delivered_before: group.delivered,
            delivered: self.delivered,
            rate: if time.is_zero() {
                0.0
            } else {
                bytes as f64 / time.as_secs_f64()
            },
            is_app_limited: group.is_app_limited,
        })
    }
}
