use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use quinn::congestion::Controller;
use quinn::congestion::ControllerFactory;
use quinn::congestion::ControllerMetrics;
use quinn_proto::RttEstimator;

use super::Calls;
use super::controller;

/// The number of times that packets on one network path were newly acknowledged. All clones share one count.
///
/// QUIC's own statistics also count repeated acknowledgements. A peer that no longer receives our packets repeats its last
/// acknowledgements in everything it sends, so a path that is dead in one direction would appear to work.
#[derive(Clone, Debug, Default)]
pub struct Acknowledgements(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    acknowledgements: AtomicU64,
    /// The least round-trip time in nanoseconds.
    least: AtomicU64,
}

impl Acknowledgements {
    /// The count.
    pub fn count(&self) -> u64 {
        self.0.acknowledgements.load(Ordering::Relaxed)
    }

    /// The least round-trip time that they have shown, if there were any.
    pub fn least_round_trip(&self) -> Option<Duration> {
        let least = Duration::from_nanos(self.0.least.load(Ordering::Relaxed));
        Some(least).filter(|least| !least.is_zero())
    }
}

/// The counters that the controller of a connection shares.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The acknowledgements that the controller counts.
    pub acknowledgements: Acknowledgements,
    /// Where calls are reported to the controller, if it uses them.
    pub calls: Option<Calls>,
}

impl Shared {
    /// The counters of a controller that a [`Counting`] factory created; `None` for any other controller. `state` is a copy of the
    /// controller, as quinn hands it out. The counters are shared, not copied, so one copy is enough while the connection's path
    /// stays the same.
    pub fn of(state: Box<dyn Controller>) -> Option<Self> {
        let counted = state.into_any().downcast::<Counted>().ok()?;
        Some(Self {
            acknowledgements: counted.acknowledgements,
            calls: controller::calls(counted.inner),
        })
    }
}

/// Creates controllers that count acknowledgements, and delegate the rest to a controller from the inner factory.
pub struct Counting(pub Arc<dyn ControllerFactory + Send + Sync>);

impl ControllerFactory for Counting {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::clone(&self.0).build(now, current_mtu);
        let acknowledgements = Acknowledgements::default();
        Box::new(Counted {
            inner,
            acknowledgements,
            least: Duration::ZERO,
        })
    }
}

struct Counted {
    inner: Box<dyn Controller>,
    acknowledgements: Acknowledgements,
    /// The least round-trip time.
    least: Duration,
}

impl Controller for Counted {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.least = rtt.min();
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_packet_num_acked: Option<u64>) {
        let counts = &self.acknowledgements.0;
        counts.acknowledgements.fetch_add(1, Ordering::Relaxed);
        let least = u64::try_from(self.least.as_nanos()).unwrap_or(u64::MAX);
        counts.least.store(least, Ordering::Relaxed);
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
        Box::new(Self {
            inner: self.inner.clone_box(),
            acknowledgements: self.acknowledgements.clone(),
            least: self.least,
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

    fn controller(of: Algorithm) -> Box<dyn Controller> {
        Arc::new(Counting(of.factory())).build(Instant::now(), 1200)
    }

    /// Calls that are reported to one copy of a controller reach all copies.
    #[test]
    fn the_model_hears_of_calls_and_others_do_not_care() {
        let model = controller(Algorithm::Model);
        let calls = |state| Shared::of(state).expect("a counting controller").calls;
        calls(model.clone_box()).expect("the model").tell(7);
        assert_eq!(calls(model).expect("the model").count(), 7);
        assert!(calls(controller(Algorithm::Cubic)).is_none());
    }

    /// The count can be read through the handle taken when the connection began, without another copy of the controller.
    #[test]
    fn one_copy_shows_all_later_acknowledgements() {
        let mut controller = controller(Algorithm::Cubic);
        let shared = Shared::of(controller.clone_box()).expect("a counting controller");
        for count in 1..=3 {
            controller.on_end_acks(Instant::now(), 0, false, None);
            assert_eq!(shared.acknowledgements.count(), count);
        }
        let another = Shared::of(super::tests::controller(Algorithm::Cubic)).expect("a counting controller");
        assert_eq!(another.acknowledgements.count(), 0, "each path has a count of its own");
    }
}
