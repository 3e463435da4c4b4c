//! One local end of a circuit, from its opening to its close.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio_util::sync::PollSender;

use super::attachment::Delivery;
use super::attachment::EndpointEvent;
use super::attachment::attachment;
use super::session::Command;
use super::session::SessionHandle;
use crate::endpoint::Closed;
use crate::endpoint::TrySendError;
use crate::endpoint::read_ahead::ReadAhead;
use crate::session::Agreed;
use crate::session::Intake;
use crate::wire::CircuitId;

/// Names a circuit towards its session, for whoever closes it.
#[derive(Clone, Debug)]
pub struct CircuitHandle {
    session: SessionHandle,
    id: CircuitId,
}

impl CircuitHandle {
    /// Its number.
    pub const fn id(&self) -> CircuitId {
        self.id
    }

    /// The peer's name.
    pub const fn peer(&self) -> &Arc<str> {
        &self.session.peer
    }

    /// Closes the circuit: what was sent before is still delivered at the far side, which then hears the reason.
    pub async fn close(&self, reason: String) {
        let circuit = self.id;
        self.session.send(Command::Close { circuit, reason }).await;
    }

    async fn send(&self, command: Command) -> Result<(), Closed> {
        if self.session.send(command).await {
            Ok(())
        } else {
            Err(Closed::NoSession)
        }
    }
}

/// The local end of a circuit whose nodes shake hands.
///
/// Dropping it without [`CircuitHandle::close`] ends the circuit too, once the session has something for it.
#[derive(Debug)]
pub struct Endpoint {
    circuit: CircuitHandle,
    events: mpsc::Receiver<EndpointEvent>,
    ahead: ReadAhead,
}

impl Endpoint {
    /// Opens a circuit to the node `target`, `name@host`, with the first handshake message of ours.
    ///
    /// # Errors
    /// If the session is gone, or refuses.
    pub async fn open(session: &SessionHandle, target: String, send_name: Bytes) -> Result<Self, Closed> {
        let (attachment, mut events, ahead) = attachment();
        let open = Command::Open {
            target,
            send_name,
            attachment,
        };
        if !session.send(open).await {
            return Err(Closed::NoSession);
        }
        match events.recv().await {
            Some(EndpointEvent::Opened(id)) => Ok(Self {
                circuit: CircuitHandle {
                    session: session.clone(),
                    id,
                },
                events,
                ahead,
            }),
            Some(EndpointEvent::Closed(reason)) => Err(Closed::Circuit(reason)),
            _ => Err(Closed::NoSession),
        }
    }

    /// Takes a circuit that the peer opened.
    ///
    /// # Errors
    /// If the session is gone.
    pub async fn accept(session: &SessionHandle, id: CircuitId) -> Result<Self, Closed> {
        let (attachment, events, ahead) = attachment();
        let circuit = CircuitHandle {
            session: session.clone(),
            id,
        };
        let accept = Command::Accept {
            circuit: id,
            attachment,
        };
        circuit.send(accept).await?;
        Ok(Self { circuit, events, ahead })
    }

    /// Which circuit it is.
    pub const fn circuit(&self) -> &CircuitHandle {
        &self.circuit
    }

    /// Sends the node's next handshake message.
    ///
    /// # Errors
    /// If the session is gone.
    pub async fn send_handshake(&self, message: Bytes) -> Result<(), Closed> {
        let circuit = self.circuit.id;
        self.circuit.send(Command::Handshake { circuit, message }).await
    }

    /// The far side's next handshake message. May be given up while it waits; nothing is lost then.
    ///
    /// # Errors
    /// If the circuit has ended.
    pub async fn receive_handshake(&mut self) -> Result<Bytes, Closed> {
        loop {
            match self.events.recv().await {
                Some(EndpointEvent::Handshake(message)) => return Ok(message),
                Some(EndpointEvent::Closed(reason)) => return Err(Closed::Circuit(reason)),
                // Nothing is delivered before both sides are established.
                Some(EndpointEvent::Opened(_) | EndpointEvent::Deliver(_)) => {}
                None => return Err(Closed::NoSession),
            }
        }
    }

    /// The nodes have agreed: signals may go both ways.
    ///
    /// # Errors
    /// If the session is gone.
    pub async fn establish(self, agreed: Agreed) -> Result<(SignalSender, SignalReceiver), Closed> {
        let circuit = self.circuit.id;
        self.circuit.send(Command::Established { circuit, agreed }).await?;
        let sender = SignalSender {
            circuit: self.circuit.clone(),
            ahead: self.ahead,
            queue: None,
        };
        let receiver = SignalReceiver {
            circuit: self.circuit,
            events: self.events,
        };
        Ok((sender, receiver))
    }
}

/// Takes the signals of the local node.
#[derive(Debug)]
pub struct SignalSender {
    circuit: CircuitHandle,
    ahead: ReadAhead,
    /// Waits for room in the session's queue, which is seldom needed.
    queue: Option<Box<PollSender<Command>>>,
}

fn cost(signals: &[Intake]) -> u64 {
    signals.iter().map(|signal| signal.content.cost()).sum()
}

impl SignalSender {
    /// Hands signals over, in order. It does not wait for credit: [`SignalSender::ready`] does, before the next ones are read.
    ///
    /// # Errors
    /// If the session is gone.
    pub async fn send(&mut self, signals: Vec<Intake>) -> Result<(), Closed> {
        self.ahead.sent(cost(&signals));
        let circuit = self.circuit.id;
        self.circuit.send(Command::Signals { circuit, signals }).await
    }

    /// Waits until so little is sent ahead of the circuit's credit that more may be: the backpressure of the far side. May be
    /// given up while it waits.
    ///
    /// # Errors
    /// If the circuit has ended; the receiver says why.
    pub async fn ready(&self) -> Result<(), Closed> {
        poll_fn(|context| self.ahead.poll_room(context.waker()))
            .await
            .map_err(|()| Closed::NoSession)
    }

    /// Whether so little is sent ahead that more may be.
    pub fn has_room(&self) -> bool {
        self.ahead.has_room()
    }
}

/// The face that never waits.
#[cfg_attr(
    not(feature = "internals"),
    allow(dead_code, reason = "for threads that must not wait, such as the schedulers of a VM")
)]
impl SignalSender {
    /// Hands signals over, in order, if there is room; never waits.
    ///
    /// # Errors
    /// If there is none, or the session is gone: the signals come back.
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

    /// Ready when [`SignalSender::try_send`] is worth another try. Otherwise the waker of `context` is woken then, from
    /// whatever thread the session runs on: it need not be that of a task.
    ///
    /// # Errors
    /// If the session is gone.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if ready!(self.ahead.poll_room(context.waker())).is_err() {
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
        // A place that is kept and not used would be missing to others.
        self.queue = None;
        Poll::Ready(room.map_err(|_| Closed::NoSession))
    }
}

/// Brings the signals of the far node.
#[derive(Debug)]
pub struct SignalReceiver {
    circuit: CircuitHandle,
    events: mpsc::Receiver<EndpointEvent>,
}

impl SignalReceiver {
    /// The next signals, to be answered with [`SignalReceiver::written`]. May be given up while it waits; nothing is lost then.
    ///
    /// # Errors
    /// If nothing more will come, and why.
    pub async fn receive(&mut self) -> Result<Delivery, Closed> {
        poll_fn(|context| self.poll_receive(context)).await
    }

    /// The next signals, or the waker of `context` is woken when there are some, from whatever thread the session runs on.
    ///
    /// # Errors
    /// If nothing more will come, and why.
    pub fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Delivery, Closed>> {
        loop {
            if let Some(outcome) = delivered(ready!(self.events.poll_recv(context))) {
                return Poll::Ready(outcome);
            }
        }
    }

    /// The node has a delivery of that cost: the far side may send as much more.
    ///
    /// # Errors
    /// If the session is gone.
    pub async fn written(&self, cost: u64) -> Result<(), Closed> {
        let circuit = self.circuit.id;
        self.circuit.send(Command::Written { circuit, cost }).await
    }
}

/// The face that never waits.
#[cfg_attr(
    not(feature = "internals"),
    allow(dead_code, reason = "for threads that must not wait, such as the schedulers of a VM")
)]
impl SignalReceiver {
    /// The next signals, if there are some now.
    ///
    /// # Errors
    /// If nothing more will come, and why.
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

    /// As [`SignalReceiver::written`], if the session's queue has room.
    ///
    /// # Errors
    /// If there is none, or the session is gone: the cost comes back.
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

/// What an event means to an endpoint that is established; `None` if nothing.
fn delivered(event: Option<EndpointEvent>) -> Option<Result<Delivery, Closed>> {
    match event {
        Some(EndpointEvent::Deliver(delivery)) => Some(Ok(delivery)),
        Some(EndpointEvent::Closed(reason)) => Some(Err(Closed::Circuit(reason))),
        Some(EndpointEvent::Opened(_) | EndpointEvent::Handshake(_)) => None,
        None => Some(Err(Closed::NoSession)),
    }
}
