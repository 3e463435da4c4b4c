//! The session's side of an endpoint.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::endpoint::read_ahead::ReadAhead;
use crate::endpoint::read_ahead::Taken;
use crate::endpoint::read_ahead::read_ahead;
use crate::endpoint::underway::Underway;
use crate::wire::CircuitId;
use crate::wire::Content;

/// Events that may wait for an endpoint. The session keeps at most two deliveries underway to it, so this is only reached by
/// a peer that floods it with handshake messages, and costs that peer the circuit.
const EVENTS: usize = 16;

/// What a session tells an endpoint.
#[derive(Debug)]
pub enum EndpointEvent {
    /// The circuit that was wanted has this id.
    Opened(CircuitId),
    /// The far side's next handshake message.
    Handshake(Bytes),
    /// Signals for the node.
    Deliver(Delivery),
    /// The circuit is closed, and why: nothing more will come.
    Closed(String),
}

/// Signals of the far node, in order. The endpoint says when the node has them, by their cost.
#[derive(Debug, Default)]
pub struct Delivery {
    /// What to write, in this order.
    pub contents: Vec<Content>,
    /// What that counts for, as [`Content::cost`] does.
    pub cost: u64,
}

/// An endpoint as its session holds it. Dropping it ends the endpoint.
#[derive(Debug)]
pub struct Attachment {
    events: mpsc::Sender<EndpointEvent>,
    taken: Taken,
    underway: Underway,
}

/// The endpoint does not listen any more, or was flooded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Both sides of a new endpoint.
pub(super) fn attachment() -> (Attachment, mpsc::Receiver<EndpointEvent>, ReadAhead) {
    let (events, receiver) = mpsc::channel(EVENTS);
    let (ahead, taken) = read_ahead();
    let attachment = Attachment {
        events,
        taken,
        underway: Underway::default(),
    };
    (attachment, receiver, ahead)
}

impl Attachment {
    /// About how many bytes it may be handed now; `None` while it must write what it has.
    pub const fn room(&self) -> Option<u64> {
        self.underway.room()
    }

    /// Hands signals over.
    ///
    /// # Errors
    /// If nobody takes them.
    pub fn deliver(&mut self, delivery: Delivery) -> Result<(), Gone> {
        self.underway.add(delivery.cost);
        self.tell(EndpointEvent::Deliver(delivery))
    }

    /// The endpoint has written a delivery of that cost.
    pub const fn written(&mut self, cost: u64) {
        self.underway.written(cost);
    }

    /// The session has taken so much of what the endpoint sent.
    pub fn taken(&self, cost: u64) {
        self.taken.add(cost);
    }

    /// Tells it something; never waits.
    ///
    /// # Errors
    /// If nobody listens, or too much is waiting.
    pub fn tell(&self, event: EndpointEvent) -> Result<(), Gone> {
        self.events.try_send(event).map_err(|_| Gone)
    }
}
