//! The session's side of an endpoint.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::watch;

use crate::endpoint::read_ahead::ReadAhead;
use crate::endpoint::read_ahead::Taken;
use crate::endpoint::read_ahead::read_ahead;
use crate::endpoint::underway::Underway;
use crate::etf::Pid;
use crate::wire::CircuitId;
use crate::wire::Content;

/// The capacity of an endpoint's queue of events. The session keeps at most two deliveries underway, so only a peer that floods
/// the endpoint with handshake messages exceeds it. Then the circuit is closed.
const EVENTS: usize = 16;

/// The time from tokio's clock, which a simulation controls.
pub(super) fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// An event from a session for an endpoint.
#[derive(Debug)]
pub enum EndpointEvent {
    /// The requested circuit has this id.
    Opened(CircuitId),
    /// The far side's next handshake message.
    Handshake(Bytes),
    /// Signals for the node.
    Deliver(Delivery),
    /// The circuit is closed, for this reason. No event follows.
    Closed(String),
}

/// Signals of the far node, in order. The endpoint reports their cost when the node has them.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The contents to write, in this order.
    pub contents: Vec<Content>,
    /// The sum of their costs in bytes, as counted by [`Content::cost`].
    pub cost: u64,
}

/// The session's side of an endpoint. Dropping it ends the endpoint.
#[derive(Debug)]
pub struct Attachment {
    events: mpsc::Sender<EndpointEvent>,
    taken: Taken,
    underway: Underway,
    silence: watch::Sender<bool>,
    suspended: watch::Sender<Arc<[Pid]>>,
}

/// The endpoint's side, in parts.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) events: mpsc::Receiver<EndpointEvent>,
    pub(super) ahead: ReadAhead,
    /// Whether the far node is silent.
    pub(super) silence: watch::Receiver<bool>,
    /// Processes of the local node that must not send for now.
    pub(super) suspended: watch::Receiver<Arc<[Pid]>>,
}

/// The endpoint no longer exists, or its queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Creates both sides of a new endpoint.
pub(super) fn attachment() -> (Attachment, Attached) {
    let (events_in, events) = mpsc::channel(EVENTS);
    let (ahead, taken) = read_ahead();
    let (silence_in, silence) = watch::channel(false);
    let (suspended_in, suspended) = watch::channel(Arc::default());
    let attachment = Attachment {
        events: events_in,
        taken,
        underway: Underway::default(),
        silence: silence_in,
        suspended: suspended_in,
    };
    let attached = Attached {
        events,
        ahead,
        silence,
        suspended,
    };
    (attachment, attached)
}

impl Attachment {
    /// About how many bytes the endpoint may be handed now; `None` if it must first write what it has.
    pub const fn room(&self) -> Option<u64> {
        self.underway.room()
    }

    /// Hands signals to the endpoint.
    ///
    /// # Errors
    /// If the endpoint no longer exists, or its queue is full.
    pub fn deliver(&mut self, delivery: Delivery) -> Result<(), Gone> {
        self.underway.add(delivery.cost);
        self.tell(EndpointEvent::Deliver(delivery))
    }

    /// Records that the endpoint has written a delivery of this cost.
    pub const fn written(&mut self, cost: u64) {
        self.underway.written(cost);
    }

    /// Records that the session has taken signals of this cost from the endpoint.
    pub fn taken(&self, cost: u64) {
        self.taken.add(cost, clock);
    }

    /// How long the endpoint has waited for the session to take more.
    pub fn blocked(&self) -> Duration {
        self.taken.blocked(clock())
    }

    /// Tells the endpoint whether the far node is silent. It has no place in the queue of events, so it cannot fill it.
    pub fn silence(&self, is_silent: bool) {
        self.silence
            .send_if_modified(|before| std::mem::replace(before, is_silent) != is_silent);
    }

    /// Tells the endpoint which processes of the local node must not send for now, all of them.
    pub fn suspend(&self, senders: Vec<Pid>) {
        self.suspended.send_replace(senders.into());
    }

    /// Sends an event to the endpoint, without waiting.
    ///
    /// # Errors
    /// If the endpoint no longer exists, or its queue is full.
    pub fn tell(&self, event: EndpointEvent) -> Result<(), Gone> {
        self.events.try_send(event).map_err(|_| Gone)
    }
}
