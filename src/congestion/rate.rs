use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// Packets that are sent within this fraction of a round-trip time form one group. The time of their samples is longer by as much.
const GROUPS_A_TRIP: u32 = 64;

/// The maximum number of groups. Beyond it, all further packets join the last group.
const GROUPS_MAX: usize = 4096;

/// The delivery rate, measured over one round trip at a time (draft-cheng-iccrg-delivery-rate-estimation).
///
/// A sample is the number of bytes acknowledged since a packet was sent, divided by the longer of two times: the time in which
/// they were acknowledged, and the time in which they were sent.
#[derive(Clone, Debug)]
pub(super) struct RateSampler {
    /// The number of bytes acknowledged so far.
    delivered: u64,
    /// When the last of them were acknowledged.
    delivered_at: Instant,
    /// When the packet that was acknowledged last was sent.
    first_sent: Instant,
    /// Until this many bytes are acknowledged, packets count as limited by the application: there was nothing more to send.
    app_limited_until: u64,
    groups: VecDeque<Group>,
    /// When the newest packet of the current acknowledgement was sent.
    newest: Option<Instant>,
    /// The minimum round-trip time.
    least: Duration,
}

/// Packets that were sent one after another, and the state when the first of them was sent.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: Instant,
    delivered: u64,
    delivered_at: Instant,
    first_sent: Instant,
    is_app_limited: bool,
}

/// The measurement from one acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// The round-trip time of the newest packet that it acknowledges.
    pub(super) round_trip: Duration,
    /// When that packet was sent.
    pub(super) sent: Instant,
    /// The number of bytes that had been acknowledged when that packet was sent.
    pub(super) delivered_before: u64,
    /// The number of bytes that are acknowledged now.
    pub(super) delivered: u64,
    /// The delivery rate in bytes per second; zero if the time is too short to measure.
    pub(super) rate: f64,
    /// Whether there was not enough to send. Then the path may be faster than this.
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

    /// Records that packets are sent. `is_first` says that nothing else is in flight.
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

    /// Records the acknowledgement of a packet that was sent at `sent`.
    pub(super) fn on_ack(&mut self, sent: Instant, bytes: u64) {
        self.delivered = self.delivered.saturating_add(bytes);
        self.newest = self.newest.max(Some(sent));
    }

    /// Ends an acknowledgement. Returns `None` if it acknowledged only packets that are older than those acknowledged before.
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
