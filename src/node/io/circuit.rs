//! A circuit: one connection to another node through the daemon's sessions, from the handshake to its end.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;

use crate::dist::Format;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::EndpointEvent;
use crate::endpoint::io::session::EndpointReceiver;
use crate::endpoint::io::session::READ_AHEAD;
use crate::endpoint::io::session::SessionHandle;
use crate::endpoint::io::session::leg;
use crate::etf::Atom;
use crate::hub::io::directory::Caller;
use crate::hub::io::directory::Place;
use crate::hub::io::directory::Request;
use crate::node::ConnectionError;
use crate::node::FarIdentity;
use crate::node::Handshake;
use crate::node::HandshakeStep;
use crate::node::arrivals::Arrivals;
use crate::node::io::node::Shared;
use crate::node::io::tcp::handle_message;
use crate::node::outlet::Batch;
use crate::node::outlet::Connection;
use crate::router::Policy;
use crate::session::Agreed;
use crate::session::Intake;
use crate::wire::CircuitId;
use crate::wire::Content;

/// Signals handed to the session at once, at most.
const BATCH: usize = 1024;

/// Asks the daemon where a node is.
pub(in crate::node) async fn find(daemon: &mpsc::Sender<Request>, node: &Atom) -> Result<Place, ConnectionError> {
    let gone = || ConnectionError::Local("the daemon has ended".to_owned());
    let (answer, answered) = oneshot::channel();
    let target = node.as_str().to_owned();
    daemon
        .send(Request::Find { target, answer })
        .await
        .map_err(|_| gone())?;
    answered.await.map_err(|_| gone())
}

/// A circuit whose session is known.
pub(in crate::node) struct Circuit {
    session: SessionHandle,
    id: CircuitId,
    receiver: EndpointReceiver,
    /// Which nodes the peer may speak for.
    policy: Policy,
    pub(in crate::node) attempt: u64,
}

impl Circuit {
    /// Opens a circuit to a node of a peer, and shakes hands.
    pub(in crate::node) async fn call(
        shared: &Arc<Shared>,
        node: &Atom,
        attempt: u64,
        session: SessionHandle,
        policy: Policy,
    ) -> Result<(Self, FarIdentity), ConnectionError> {
        let mut party = Handshake::initiate(shared.own.clone(), node, rand::random());
        let send_name = party.poll_message().unwrap_or_default();
        let (sender, mut receiver) = leg();
        let target = node.as_str().to_owned();
        let open = Command::Open {
            target,
            send_name,
            leg: sender,
        };
        let opened = if session.send(open).await {
            receiver.events.recv().await
        } else {
            None
        };
        let id = match opened {
            Some(EndpointEvent::Opened(id)) => id,
            Some(EndpointEvent::Finished(reason)) => return Err(ConnectionError::Local(reason)),
            _ => return Err(no_session()),
        };
        let mut circuit = Self {
            session,
            id,
            receiver,
            policy,
            attempt,
        };
        let far = circuit.shake_or_close(shared, party).await?;
        Ok((circuit, far))
    }

    /// Takes a circuit that a peer has opened, and shakes hands.
    pub(in crate::node) async fn answer(
        shared: &Arc<Shared>,
        caller: Caller,
    ) -> Result<(Self, FarIdentity), ConnectionError> {
        let Caller { session, open, policy } = caller;
        let (sender, receiver) = leg();
        let accept = Command::Accept {
            circuit: open.circuit,
            leg: sender,
        };
        if !session.send(accept).await {
            return Err(no_session());
        }
        let mut circuit = Self {
            session,
            id: open.circuit,
            receiver,
            policy,
            attempt: 0,
        };
        let mut party = Handshake::accept(shared.own.clone(), rand::random());
        let begun = handle_message(shared, &mut party, &open.send_name, &mut circuit.attempt);
        let far = match begun {
            Ok(_) => circuit.shake_or_close(shared, party).await?,
            Err(error) => {
                let _ = circuit.flush(&mut party).await;
                circuit.close(&error.to_string()).await;
                return Err(error);
            }
        };
        Ok((circuit, far))
    }

    async fn shake_or_close(&mut self, shared: &Arc<Shared>, party: Handshake) -> Result<FarIdentity, ConnectionError> {
        let limit = shared.config.setup_time;
        let shaken = timeout(limit, self.shake(shared, party))
            .await
            .unwrap_or(Err(ConnectionError::Late(limit)));
        if let Err(error) = &shaken {
            self.close(&error.to_string()).await;
            shared.apply(|machine| machine.abandon(self.attempt, &error.to_string()));
        }
        shaken
    }

    async fn shake(&mut self, shared: &Arc<Shared>, mut party: Handshake) -> Result<FarIdentity, ConnectionError> {
        loop {
            self.flush(&mut party).await?;
            let message = match self.receiver.events.recv().await {
                Some(EndpointEvent::Handshake(message)) => message,
                Some(EndpointEvent::Finished(reason)) => return Err(party.ended(ConnectionError::Local(reason))),
                Some(EndpointEvent::Opened(_) | EndpointEvent::Deliver(_)) => continue,
                None => return Err(no_session()),
            };
            let step = handle_message(shared, &mut party, &message, &mut self.attempt);
            self.flush(&mut party).await?;
            let HandshakeStep::Complete(far) = step? else {
                continue;
            };
            self.check(&far)?;
            let terms = Agreed {
                format: Format::Header,
                creation: shared.own.creation,
                is_reader: true,
            };
            let circuit = self.id;
            self.command(Command::Established { circuit, terms }).await?;
            return Ok(far);
        }
    }

    /// Whether the peer may speak for the node that it has led us to.
    fn check(&self, far: &FarIdentity) -> Result<(), ConnectionError> {
        if self.policy.allows(&far.name) {
            return Ok(());
        }
        Err(ConnectionError::Policy {
            peer: self.session.peer.to_string(),
            node: far.name.clone(),
        })
    }

    async fn flush(&self, party: &mut Handshake) -> Result<(), ConnectionError> {
        while let Some(message) = party.poll_message() {
            let circuit = self.id;
            self.command(Command::Handshake { circuit, message }).await?;
        }
        Ok(())
    }

    async fn command(&self, command: Command) -> Result<(), ConnectionError> {
        if self.session.send(command).await {
            Ok(())
        } else {
            Err(no_session())
        }
    }

    async fn close(&self, reason: &str) {
        let (circuit, reason) = (self.id, reason.to_owned());
        self.session.send(Command::Close { circuit, reason }).await;
    }

    /// Carries signals until the connection ends.
    pub(in crate::node) async fn carry(self, shared: Arc<Shared>, far: FarIdentity) {
        let (name, peer) = (far.name.clone(), self.session.peer.to_string());
        let up = shared.apply(|machine| machine.established(self.attempt, far));
        let Some(connection) = up.and_then(|id| shared.connection(id)) else {
            return self.close("another connection to the node was faster").await;
        };
        info!(node = %shared.name, far = name, peer, "a connection is up");
        connection.establish();
        let (session, id) = (self.session.clone(), self.id);
        let outcome = self.converse(&shared, &connection).await;
        let reason = outcome.to_string();
        shared.disconnect(&connection.node, connection.id, &reason);
        if !matches!(outcome, ConnectionError::Finished(_)) {
            session.send(Command::Close { circuit: id, reason }).await;
        }
    }

    /// Each direction goes on whatever the other waits for.
    async fn converse(self, shared: &Arc<Shared>, connection: &Arc<Connection>) -> ConnectionError {
        let mut reader = Reader {
            events: self.receiver.events,
            arrivals: Arrivals::new(shared, connection),
            connection,
            circuit: self.id,
            session: &self.session,
        };
        let mut writer = Writer {
            taken: self.receiver.taken,
            sent: 0,
            messages: 0,
            connection,
            circuit: self.id,
            session: &self.session,
        };
        tokio::select! {
            error = reader.run() => error,
            error = writer.run() => error,
        }
    }
}

fn no_session() -> ConnectionError {
    ConnectionError::Local("the session with the peer has ended".to_owned())
}

struct Reader<'a> {
    events: mpsc::Receiver<EndpointEvent>,
    arrivals: Arrivals,
    connection: &'a Arc<Connection>,
    circuit: CircuitId,
    session: &'a SessionHandle,
}

impl Reader<'_> {
    async fn run(&mut self) -> ConnectionError {
        loop {
            if let Err(error) = self.step().await {
                return error;
            }
        }
    }

    async fn step(&mut self) -> Result<(), ConnectionError> {
        match self.events.recv().await {
            Some(EndpointEvent::Deliver(contents)) => {
                let cost = contents.iter().map(Content::cost).sum();
                let taken = contents.into_iter().try_for_each(|content| self.arrivals.take(content));
                self.arrivals.flush();
                taken?;
                // What full mailboxes hold is not yet written: so the circuit's credit is what slows the senders.
                poll_fn(|context| self.connection.poll_arrears(context)).await;
                let circuit = self.circuit;
                if self.session.send(Command::Written { circuit, cost }).await {
                    Ok(())
                } else {
                    Err(no_session())
                }
            }
            Some(EndpointEvent::Finished(reason)) => Err(ConnectionError::Finished(reason)),
            Some(EndpointEvent::Opened(_) | EndpointEvent::Handshake(_)) => Ok(()),
            None => Err(no_session()),
        }
    }
}

struct Writer<'a> {
    taken: watch::Receiver<u64>,
    /// Cost of all signals handed over.
    sent: u64,
    /// Messages in fragments so far.
    messages: u64,
    connection: &'a Arc<Connection>,
    circuit: CircuitId,
    session: &'a SessionHandle,
}

impl Writer<'_> {
    async fn run(&mut self) -> ConnectionError {
        loop {
            let batch = match poll_fn(|context| self.connection.poll_batch(context)).await {
                Ok(batch) => batch,
                Err(reason) => return ConnectionError::Local(reason),
            };
            if let Err(error) = self.send(batch).await {
                return error;
            }
        }
    }

    async fn send(&mut self, batch: Batch) -> Result<(), ConnectionError> {
        let mut contents = batch.contents(&mut self.messages).into_iter();
        loop {
            let mut signals = Vec::new();
            let mut cost = 0;
            for (head, content) in contents.by_ref() {
                cost += content.cost();
                signals.push(match head {
                    Some(head) => Intake::message(head, content),
                    None => Intake::read(content, Format::Header)?,
                });
                if signals.len() >= BATCH || cost >= READ_AHEAD / 2 {
                    break;
                }
            }
            if signals.is_empty() {
                return Ok(());
            }
            self.sent += cost;
            let circuit = self.circuit;
            if !self.session.send(Command::Signals { circuit, signals }).await {
                return Err(no_session());
            }
            let sent = self.sent;
            if self.taken.wait_for(|taken| sent < *taken + READ_AHEAD).await.is_err() {
                // The reader says why.
                return std::future::pending().await;
            }
        }
    }
}

/// Takes the circuits that peers open to this node.
pub(in crate::node) async fn serve(shared: Arc<Shared>, mut callers: mpsc::Receiver<Caller>) {
    loop {
        let caller = tokio::select! {
            caller = callers.recv() => caller,
            () = shared.stopping.cancelled() => return,
        };
        let Some(caller) = caller else {
            return;
        };
        let answering = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            match Circuit::answer(&answering, caller).await {
                Ok((circuit, far)) => circuit.carry(answering, far).await,
                Err(error) => warn!(node = %answering.name, %error, "a connection was refused"),
            }
        });
    }
}
