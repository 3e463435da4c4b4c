//! A connection to another node as a circuit of the daemon's sessions, from its handshake to its end.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;

use crate::dist::Format;
use crate::endpoint::Closed;
use crate::endpoint::Nodes;
use crate::endpoint::io::attachment::Delivery;
use crate::endpoint::io::endpoint::Endpoint;
use crate::endpoint::io::endpoint::SignalReceiver;
use crate::endpoint::io::endpoint::SignalSender;
use crate::endpoint::io::session::SessionHandle;
use crate::endpoint::read_ahead::READ_AHEAD;
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

/// Maximum number of signals handed to the session at once.
const BATCH: usize = 1024;

/// Asks the daemon where a node is.
pub(in crate::node) async fn find(daemon: &mpsc::Sender<Request>, node: &Atom) -> Result<Place, ConnectionError> {
    let gone = || ConnectionError::Local("the daemon has stopped".to_owned());
    let (answer, answered) = oneshot::channel();
    let target = node.as_str().to_owned();
    daemon
        .send(Request::Find { target, answer })
        .await
        .map_err(|_| gone())?;
    answered.await.map_err(|_| gone())
}

/// A circuit of a known session.
pub(in crate::node) struct Circuit {
    endpoint: Endpoint,
    /// Which nodes the peer may speak for.
    policy: Policy,
    pub(in crate::node) attempt: u64,
}

impl Circuit {
    /// Opens a circuit to a node of a peer, and performs the handshake.
    pub(in crate::node) async fn call(
        shared: &Arc<Shared>,
        node: &Atom,
        attempt: u64,
        session: SessionHandle,
        policy: Policy,
    ) -> Result<(Self, FarIdentity), ConnectionError> {
        let mut party = Handshake::initiate(shared.own.clone(), node, rand::random());
        let send_name = party.poll_message().unwrap_or_default();
        let endpoint = Endpoint::open(&session, node.as_str().to_owned(), send_name)
            .await
            .map_err(refused)?;
        let mut circuit = Self {
            endpoint,
            policy,
            attempt,
        };
        let far = circuit.shake_or_close(shared, party).await?;
        Ok((circuit, far))
    }

    /// Accepts a circuit that a peer has opened, and performs the handshake.
    pub(in crate::node) async fn answer(
        shared: &Arc<Shared>,
        caller: Caller,
    ) -> Result<(Self, FarIdentity), ConnectionError> {
        let Caller { session, open, policy } = caller;
        let endpoint = Endpoint::accept(&session, open.circuit).await.map_err(refused)?;
        let mut circuit = Self {
            endpoint,
            policy,
            attempt: 0,
        };
        let mut party = Handshake::accept(shared.own.clone(), rand::random());
        let begun = handle_message(shared, &mut party, &open.send_name, &mut circuit.attempt);
        let far = match begun {
            Ok(_) => circuit.shake_or_close(shared, party).await?,
            Err(error) => {
                let _ = circuit.flush(&mut party).await;
                circuit.endpoint.circuit().close(error.to_string()).await;
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
            self.endpoint.circuit().close(error.to_string()).await;
            shared.apply(|machine| machine.abandon(self.attempt, &error.to_string()));
        }
        shaken
    }

    async fn shake(&mut self, shared: &Arc<Shared>, mut party: Handshake) -> Result<FarIdentity, ConnectionError> {
        loop {
            self.flush(&mut party).await?;
            let message = match self.endpoint.receive_handshake().await {
                Ok(message) => message,
                Err(Closed::Circuit(reason)) => return Err(party.ended(ConnectionError::Local(reason))),
                Err(Closed::NoSession) => return Err(no_session()),
            };
            let step = handle_message(shared, &mut party, &message, &mut self.attempt);
            self.flush(&mut party).await?;
            let HandshakeStep::Complete(far) = step? else {
                continue;
            };
            self.check(&far)?;
            return Ok(far);
        }
    }

    /// Checks that the peer may speak for the node that has answered.
    fn check(&self, far: &FarIdentity) -> Result<(), ConnectionError> {
        self.policy.check(&far.name).map_err(|reason| ConnectionError::Policy {
            peer: self.endpoint.circuit().peer().to_string(),
            node: far.name.clone(),
            reason: reason.to_string(),
        })
    }

    async fn flush(&self, party: &mut Handshake) -> Result<(), ConnectionError> {
        while let Some(message) = party.poll_message() {
            self.endpoint.send_handshake(message).await.map_err(refused)?;
        }
        Ok(())
    }

    /// Carries signals until the connection ends.
    pub(in crate::node) async fn carry(self, shared: Arc<Shared>, far: FarIdentity) {
        let circuit = self.endpoint.circuit().clone();
        let name = far.name.clone();
        let up = shared.apply(|machine| machine.established(self.attempt, far));
        let Some(connection) = up.and_then(|id| shared.connection(id)) else {
            return circuit
                .close("another connection to the node was established first".to_owned())
                .await;
        };
        info!(node = %shared.name, remote = name, peer = %circuit.peer(), "connected to a node");
        let outcome = self.converse(&shared, &connection).await;
        let reason = outcome.to_string();
        shared.disconnect(&connection.node, connection.id, &reason);
        if !matches!(outcome, ConnectionError::CircuitClosed(_)) {
            circuit.close(reason).await;
        }
    }

    /// Runs both directions, neither of which waits for the other.
    async fn converse(self, shared: &Arc<Shared>, connection: &Arc<Connection>) -> ConnectionError {
        let agreed = Agreed {
            format: Format::Header,
            creation: shared.own.creation,
            is_reader: true,
            suspends: false,
        };
        let (sender, receiver) = match self
            .endpoint
            .establish(agreed, Nodes::new(&shared.name, &connection.node))
            .await
        {
            Ok(established) => established,
            Err(closed) => return closed.into(),
        };
        connection.establish();
        let silence = silence(receiver.far_silence(), shared.config.net_ticktime);
        let mut reader = Reader {
            signals: receiver,
            arrivals: Arrivals::new(shared, connection),
            connection,
        };
        let mut writer = Writer {
            signals: sender,
            messages: 0,
            connection,
        };
        tokio::select! {
            error = reader.run() => error,
            error = writer.run() => error,
            error = silence => error,
        }
    }
}

/// Ends the connection when the far node has been silent for the tick time, as its daemon tells.
async fn silence(mut far: watch::Receiver<bool>, limit: Duration) -> ConnectionError {
    while far.wait_for(|is_silent| *is_silent).await.is_ok() {
        match timeout(limit, far.wait_for(|is_silent| !*is_silent)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => break,
            Err(_) => return ConnectionError::Silent(limit),
        }
    }
    // The circuit has ended, and the reader reports the reason.
    std::future::pending().await
}

fn no_session() -> ConnectionError {
    ConnectionError::Local(Closed::NoSession.to_string())
}

/// The error for a circuit that ended before the connection was established.
fn refused(closed: Closed) -> ConnectionError {
    ConnectionError::Local(closed.to_string())
}

struct Reader<'a> {
    signals: SignalReceiver,
    arrivals: Arrivals,
    connection: &'a Arc<Connection>,
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
        let Delivery { contents, cost } = self.signals.receive().await?;
        let taken = contents.into_iter().try_for_each(|content| self.arrivals.take(content));
        self.arrivals.flush();
        taken?;
        // Messages that full mailboxes hold do not count as written yet, so the credit of the circuit slows the senders down.
        poll_fn(|context| self.connection.poll_arrears(context)).await;
        Ok(self.signals.written(cost).await?)
    }
}

struct Writer<'a> {
    signals: SignalSender,
    /// Fragmented messages so far.
    messages: u64,
    connection: &'a Arc<Connection>,
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
            self.signals.send(signals).await?;
            if self.signals.ready().await.is_err() {
                // The reader reports the reason.
                return std::future::pending().await;
            }
        }
    }
}

/// Accepts the circuits that peers open to this node.
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn a_far_node_that_is_silent_for_the_tick_time_is_given_up() {
        let (told, far) = watch::channel(false);
        let mut ended = tokio::spawn(silence(far, LIMIT));
        assert!(timeout(LIMIT * 2, &mut ended).await.is_err(), "it speaks");
        for _ in 0..3 {
            told.send_replace(true);
            assert!(
                timeout(LIMIT / 3, &mut ended).await.is_err(),
                "it may be silent a while"
            );
            told.send_replace(false);
            assert!(timeout(LIMIT * 2, &mut ended).await.is_err(), "it speaks again");
        }
        told.send_replace(true);
        let error = timeout(LIMIT * 20, ended)
            .await
            .expect("an end in time")
            .expect("no panic");
        assert_eq!(error.to_string(), "net_tick_timeout: nothing was received for 300ms");
    }

    #[tokio::test]
    async fn the_end_of_a_circuit_is_told_by_others() {
        let (told, far) = watch::channel(true);
        drop(told);
        assert!(timeout(LIMIT, silence(far, Duration::ZERO)).await.is_err());
    }
}
