use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use quinn::congestion::Controller;
use quinn::congestion::ControllerFactory;
use quinn::congestion::ControllerMetrics;
use quinn_proto::RttEstimator;

use crate::congestion;
use crate::congestion::Calls;

/// Tells a trunk that is slow from one that is dead, by QUIC's own acknowledgements.
///
/// The session knows of whole frames. On a slow line those of all lanes share it and arrive together, seconds apart: by
/// frames alone such a line looks dead, and the trunk that replaces the one at hand starts with all of them again.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// Acknowledgements counted so far.
    count: u64,
    /// When they were last counted.
    looked: Option<Instant>,
    /// When there were last more than before.
    grown: Option<Instant>,
}

impl Hearing {
    /// When the acknowledgements should be counted next, if no frame has been acknowledged since `since`.
    pub(super) fn next_look(&self, since: Instant, interval: Duration) -> Instant {
        self.looked.map_or(since, |looked| looked.max(since)) + interval
    }

    /// There are so many acknowledgements now.
    pub(super) fn look(&mut self, count: u64, now: Instant) {
        self.looked = Some(now);
        if count != self.count {
            self.count = count;
            self.grown = Some(now);
        }
    }

    /// Since when nothing was acknowledged, if no frame has been since `since`.
    pub(super) fn silent_since(&self, since: Instant) -> Instant {
        self.grown.map_or(since, |grown| grown.max(since))
    }
}

/// Makes controllers that count what is acknowledged, and leave the rest to one that `inner` makes.
pub(super) struct Counting(pub(super) Arc<dyn ControllerFactory + Send + Sync>);

impl ControllerFactory for Counting {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::clone(&self.0).build(now, current_mtu);
        Box::new(Counted { inner, count: 0 })
    }
}

/// A congestion controller, and how often it has heard that packets arrived.
///
/// QUIC's own statistics count acknowledgements that say nothing new as well: a peer that hears nothing of us any more
/// repeats its last ones in all that it sends, and a line that is dead in one direction would seem to live.
struct Counted {
    inner: Box<dyn Controller>,
    count: u64,
}

/// How often packets of a connection with such a controller were acknowledged for the first time.
pub(super) fn acknowledgements(state: Box<dyn Controller>) -> u64 {
    state
        .into_any()
        .downcast::<Counted>()
        .map_or(0, |counted| counted.count)
}

/// Where the controller of a connection that has such a one hears of calls, if it wants to.
pub(super) fn calls(state: Box<dyn Controller>) -> Option<Calls> {
    let counted = state.into_any().downcast::<Counted>().ok()?;
    congestion::calls(counted.inner)
}

impl Controller for Counted {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_packet_num_acked: Option<u64>) {
        self.count += 1;
        self.inner
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
        self.inner
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.inner.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        let inner = self.inner.clone_box();
        Box::new(Self {
            inner,
            count: self.count,
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::Algorithm;

    const MS: Duration = Duration::from_millis(1);

    /// What one copy of a controller is told, all hear.
    #[test]
    fn the_model_hears_of_calls_and_others_do_not_care() {
        let controller = |of: Algorithm| Arc::new(Counting(of.factory())).build(Instant::now(), 1200);
        let model = controller(Algorithm::Model);
        calls(model.clone_box()).expect("the model").tell(7);
        assert_eq!(calls(model).expect("the model").count(), 7);
        assert!(calls(controller(Algorithm::Cubic)).is_none());
    }

    #[test]
    fn acknowledgements_put_silence_off_and_their_end_begins_it() {
        let since = Instant::now();
        let mut hearing = Hearing::default();
        assert_eq!(hearing.silent_since(since), since);
        let mut now = since;
        for count in [3, 4, 9] {
            now = hearing.next_look(since, 150 * MS);
            hearing.look(count, now);
            assert_eq!(hearing.silent_since(since), now);
        }
        assert_eq!(now, since + 450 * MS);
        hearing.look(9, now + 150 * MS);
        assert_eq!(hearing.silent_since(since), now);
        // A frame that is acknowledged counts as well.
        assert_eq!(hearing.silent_since(now + 200 * MS), now + 200 * MS);
        assert_eq!(hearing.next_look(now + 200 * MS, 150 * MS), now + 350 * MS);
    }
}
