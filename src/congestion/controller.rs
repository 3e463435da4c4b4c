use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn::congestion::Controller;
use quinn::congestion::ControllerFactory;
use quinn_proto::RttEstimator;

use super::Calls;
use super::model::Model;

/// Creates a [`Model`] for each trunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ModelFactory;

impl ControllerFactory for ModelFactory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Model::new(now, current_mtu))
    }
}

/// The [`Calls`] of a controller, if it is a [`Model`].
pub(super) fn calls(state: Box<dyn Controller>) -> Option<Calls> {
    state.into_any().downcast::<Model>().ok().map(|model| model.calls())
}

/// quinn asks only for the window. It stops sending when the window is full, and paces at 1.25 windows per round-trip time.
impl Controller for Model {
    fn on_sent(&mut self, now: Instant, bytes: u64, _last_packet_number: u64) {
        self.handle_sent(now, bytes);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, _rtt: &RttEstimator) {
        self.handle_ack(now, sent, bytes, app_limited);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, _largest: Option<u64>) {
        self.handle_end_acks(now, in_flight, app_limited);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
        if is_persistent_congestion {
            self.handle_dark();
        } else if lost_bytes == 0 {
            self.handle_mark(now, sent);
        } else {
            self.handle_loss(now, sent, lost_bytes);
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.set_mtu(new_mtu);
    }

    fn window(&self) -> u64 {
        self.window()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
