//! The local end of a circuit, from its opening to its close.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::watch;
use tokio_util::sync::PollSender;

use super::attachment::Attached;
use super::attachment::Delivery;
use super::attachment::EndpointEvent;
use super::attachment::attachment;
use super::attachment::clock;
use super::session::Command;
use super::session::PeerSilence;
use super::session::SessionHandle;
use crate::endpoint::Closed;
use crate::endpoint::Nodes;
use crate::endpoint::TrySendError;
use crate::endpoint::read_ahead::ReadAhead;
use crate::etf::Pid;
use crate::session::Agreed;
use crate::session::Intake;
use crate::wire::CircuitId;

/// A handle by which to close a circuit.
#[derive(Clone, Debug)]
pub struct CircuitHandle {
    session: SessionHandle,
    id: CircuitId,
}

impl CircuitHandle {
    /// The id of the circuit.
    pub const fn id(&self) -> CircuitId {
        self.id
    }

    /// The peer's name.
    pub const fn peer(&self) -> &Arc<str> {
        &self.session.peer
    }

    /// Closes the circuit. Signals sent before are still delivered at the far side, which then gets the reason.
    pub async fn close(&self, reason: String) {
        let circuit = self.id;
        self.session.send(Command::Close { circuit, reason }).await;
    }

    /// Tells the peer that the local node has fallen silent, or speaks again.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn silence(&self, is_silent: bool) -> Result<(), Closed> {
        let circuit = self.id;
        self.send(Command::Silence { circuit, is_silent }).await
    }

    async fn send(&self, command: Command) -> Result<(), Closed> {
        if self.session.send(command).await {
            Ok(())
        } else {
            Err(Closed::NoSession)
        }
    }
}

/// The local end of a circuit during the handshake of its nodes.
///
/// If it is dropped without [`CircuitHandle::close`], the circuit is closed when the session next has something for it.
#[derive(Debug)]
pub struct Endpoint {
    circuit: CircuitHandle,
    attached: Attached,
}

impl Endpoint {
    /// Opens a circuit to the node `target` (`name@host`). `send_name` is the first handshake message of the local node.
    ///
    /// # Errors
    /// If the session has ended or refuses the circuit.
    pub async fn open(session: &SessionHandle, target: String, send_name: Bytes) -> Result<Self, Closed> {
        let (attachment, mut attached) = attachment();
        let open = Command::Open {
            target,
            send_name,
            attachment,
        };
        if !session.send(open).await {
            return Err(Closed::NoSession);
        }
        match attached.events.recv().await {
            Some(EndpointEvent::Opened(id)) => Ok(Self {
                circuit: CircuitHandle {
                    session: session.clone(),
                    id,
                },
                attached,
            }),
            Some(EndpointEvent::Closed(reason)) => Err(Closed::Circuit(reason)),
            _ => Err(Closed::NoSession),
        }
    }

    /// Accepts a circuit that the peer opened.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn accept(session: &SessionHandle, id: CircuitId) -> Result<Self, Closed> {
        let (attachment, attached) = attachment();
        let circuit = CircuitHandle {
            session: session.clone(),
            id,
        };
        let accept = Command::Accept {
            circuit: id,
            attachment,
        };
        circuit.send(accept).await?;
        Ok(Self { circuit, attached })
    }

    /// The handle of the circuit.
    pub const fn circuit(&self) -> &CircuitHandle {
        &self.circuit
    }

    /// Sends the local node's next handshake message.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn send_handshake(&self, message: Bytes) -> Result<(), Closed> {
        let circuit = self.circuit.id;
        self.circuit.send(Command::Handshake { circuit, message }).await
    }

    /// Receives the far side's next handshake message. Cancel-safe.
    ///
    /// # Errors
    /// If the circuit has ended.
    pub async fn receive_handshake(&mut self) -> Result<Bytes, Closed> {
        loop {
            match self.attached.events.recv().await {
                Some(EndpointEvent::Handshake(message)) => return Ok(message),
                Some(EndpointEvent::Closed(reason)) => return Err(Closed::Circuit(reason)),
                // Nothing is delivered before both sides are established.
                Some(EndpointEvent::Opened(_) | EndpointEvent::Deliver(_)) => {}
                None => return Err(Closed::NoSession),
            }
        }
    }

    /// Ends the handshake: the nodes have agreed, and signals may be exchanged.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn establish(self, agreed: Agreed, nodes: Nodes) -> Result<(SignalSender, SignalReceiver), Closed> {
        let circuit = self.circuit.id;
        let established = Command::Established { circuit, agreed, nodes };
        self.circuit.send(established).await?;
        let Attached {
            events,
            ahead,
            silence,
            suspended,
        } = self.attached;
        let sender = SignalSender {
            circuit: self.circuit.clone(),
            ahead,
            suspended,
            queue: None,
        };
        let receiver = SignalReceiver {
            circuit: self.circuit,
            events,
            silence,
        };
        Ok((sender, receiver))
    }
}

/// Sends the signals of the local node.
#[derive(Debug)]
pub struct SignalSender {
    circuit: CircuitHandle,
    ahead: ReadAhead,
    suspended: watch::Receiver<Arc<[Pid]>>,
    /// Waits for room in the session's queue, which is rarely necessary.
    queue: Option<Box<PollSender<Command>>>,
}

fn cost(signals: &[Intake]) -> u64 {
    signals.iter().map(|signal| signal.content.cost()).sum()
}

impl SignalSender {
    /// Hands signals to the session, in order. This does not wait for credit; call [`SignalSender::ready`] before reading the next
    /// signals.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn send(&mut self, signals: Vec<Intake>) -> Result<(), Closed> {
        self.ahead.sent(cost(&signals));
        let circuit = self.circuit.id;
        self.circuit.send(Command::Signals { circuit, signals }).await
    }

    /// Whether the peer can be told that the local node is silent.
    pub const fn tells_silence(&self) -> bool {
        self.circuit.session.tells_silence
    }

    /// The handle of the circuit.
    pub const fn circuit(&self) -> &CircuitHandle {
        &self.circuit
    }

    /// Waits until more may be sent ahead of the circuit's credit. This applies the backpressure of the far side. Cancel-safe.
    ///
    /// # Errors
    /// If the circuit has ended. [`SignalReceiver`] returns the reason.
    pub async fn ready(&self) -> Result<(), Closed> {
        poll_fn(|context| self.ahead.poll_room(context.waker(), clock))
            .await
            .map_err(|()| Closed::NoSession)
    }

    /// Whether more may be sent ahead of the circuit's credit now.
    pub fn has_room(&self) -> bool {
        self.ahead.has_room()
    }
}

/// The non-blocking interface.
#[cfg_attr(
    not(feature = "internals"),
    allow(dead_code, reason = "for threads that must not wait, such as the schedulers of a VM")
)]
impl SignalSender {
    /// The processes of the local node that must not send for now, if [`Agreed::suspends`] says that they can be suspended: those
    /// with most of what is on the way.
    pub fn suspended(&self) -> watch::Receiver<Arc<[Pid]>> {
        self.suspended.clone()
    }

    /// Hands signals to the session, in order, if there is room now.
    ///
    /// # Errors
    /// If there is no room, or the session has ended. The error contains the signals.
    pub fn try_send(&mut self, signals: Vec<Intake>) -> Result<(), TrySendError<Vec<Intake>>> {
        if !self.has_room() {
            return Err(TrySendError::Full(signals));
        }
        let (circuit, cost) = (self.circuit.id, cost(&signals));
        match self.circuit.session.commands().try_reserve() {
            Ok(room) => {
                room.send(Command::Signals { circuit, signals });
                self.ahead.sent(cost);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(())) => Err(TrySendError::Full(signals)),
            Err(mpsc::error::TrySendError::Closed(())) => Err(TrySendError::NoSession(signals)),
        }
    }

    /// Ready when [`SignalSender::try_send`] may succeed. If pending, the waker of `context` is woken at that time, on the thread
    /// of the session. It need not belong to a task.
    ///
    /// # Errors
    /// If the session has ended.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if ready!(self.ahead.poll_room(context.waker(), clock)).is_err() {
            return Poll::Ready(Err(Closed::NoSession));
        }
        let commands = self.circuit.session.commands();
        if commands.capacity() > 0 && !commands.is_closed() {
            return Poll::Ready(Ok(()));
        }
        let queue = self
            .queue
            .get_or_insert_with(|| Box::new(PollSender::new(commands.clone())));
        let room = ready!(queue.poll_reserve(context));
        // A reserved place that is not used would be unavailable to other endpoints.
        self.queue = None;
        Poll::Ready(room.map_err(|_| Closed::NoSession))
    }
}

/// Receives the signals of the far node.
#[derive(Debug)]
pub struct SignalReceiver {
    circuit: CircuitHandle,
    events: mpsc::Receiver<EndpointEvent>,
    silence: watch::Receiver<bool>,
}

impl SignalReceiver {
    /// Whether the far node is silent, as the peer says. Then nothing may vouch for it here.
    pub fn far_silence(&self) -> watch::Receiver<bool> {
        self.silence.clone()
    }

    /// Whether the peer itself is silent. A gateway bridges that time for its nodes, a VM lets its own tick time apply.
    #[cfg_attr(not(feature = "internals"), allow(dead_code, reason = "for a carrier inside a VM"))]
    pub fn peer_silence(&self) -> PeerSilence {
        self.circuit.session.peer_silence.clone()
    }

    /// Receives the next signals. Report them with [`SignalReceiver::written`] when the node has them. Cancel-safe.
    ///
    /// # Errors
    /// If the circuit or the session has ended, with the reason.
    pub async fn receive(&mut self) -> Result<Delivery, Closed> {
        poll_fn(|context| self.poll_receive(context)).await
    }

    /// Polls for the next signals. If pending, the waker of `context` is woken when there are some, on the thread of the session.
    ///
    /// # Errors
    /// If the circuit or the session has ended, with the reason.
    pub fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Delivery, Closed>> {
        loop {
            if let Some(outcome) = delivered(ready!(self.events.poll_recv(context))) {
                return Poll::Ready(outcome);
            }
        }
    }

    /// Reports that the node has a delivery of this cost. The far side may then send as much again.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn written(&self, cost: u64) -> Result<(), Closed> {
        let circuit = self.circuit.id;
        self.circuit.send(Command::Written { circuit, cost }).await
    }
}

/// The non-blocking interface.
#[cfg_attr(
    not(feature = "internals"),
    allow(dead_code, reason = "for threads that must not wait, such as the schedulers of a VM")
)]
impl SignalReceiver {
    /// Returns the next signals, or `None` if there are none now.
    ///
    /// # Errors
    /// If the circuit or the session has ended, with the reason.
    pub fn try_receive(&mut self) -> Result<Option<Delivery>, Closed> {
        loop {
            let event = match self.events.try_recv() {
                Ok(event) => Some(event),
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => None,
            };
            if let Some(outcome) = delivered(event) {
                return outcome.map(Some);
            }
        }
    }

    /// Like [`SignalReceiver::written`], if the session's queue has room now.
    ///
    /// # Errors
    /// If there is no room, or the session has ended. The error contains the cost.
    pub fn try_written(&self, cost: u64) -> Result<(), TrySendError<u64>> {
        let circuit = self.circuit.id;
        let written = self
            .circuit
            .session
            .commands()
            .try_send(Command::Written { circuit, cost });
        written.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => TrySendError::Full(cost),
            mpsc::error::TrySendError::Closed(_) => TrySendError::NoSession(cost),
        })
    }
}

/// What an event means after the handshake; `None` if the event is ignored.
fn delivered(event: Option<EndpointEvent>) -> Option<Result<Delivery, Closed>> {
    match event {
        Some(EndpointEvent::Deliver(delivery)) => Some(Ok(delivery)),
        Some(EndpointEvent::Closed(reason)) => Some(Err(Closed::Circuit(reason))),
        Some(EndpointEvent::Opened(_) | EndpointEvent::Handshake(_)) => None,
        None => Some(Err(Closed::NoSession)),
    }
}
