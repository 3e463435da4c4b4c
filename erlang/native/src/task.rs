//! The task of a connection, on the thread of the runtime: opens or accepts the circuit, and passes on what comes.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use beamway::etf::Pid;
use beamway::internals::dist::Party;
use beamway::internals::dist::Relay;
use beamway::internals::dist::case_hint;
use beamway::internals::dist::list_nodes;
use beamway::internals::endpoint::Follower;
use beamway::internals::endpoint::io::attachment::Delivery;
use beamway::internals::endpoint::io::endpoint::CircuitHandle;
use beamway::internals::endpoint::io::endpoint::Endpoint;
use beamway::internals::endpoint::io::endpoint::SignalReceiver;
use beamway::internals::hub::io::directory::Caller;
use beamway::internals::hub::io::directory::Place;
use beamway::internals::hub::io::directory::Request;
use beamway::internals::router::Denied;
use beamway::internals::session::Agreed;
use beamway::internals::vm::Block;
use beamway::internals::vm::Incoming;
use beamway::internals::vm::Outgoing;
use bytes::Bytes;
use rustler::Binary;
use rustler::Encoder;
use rustler::Env;
use rustler::LocalPid;
use rustler::OwnedBinary;
use rustler::OwnedEnv;
use rustler::ResourceArc;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tracing::info;
use tracing::warn;

use crate::atoms;
use crate::carrier;
use crate::circuit::Circuit;
use crate::circuit::Command;
use crate::circuit::MAILBOX;
use crate::circuit::Out;
use crate::circuit::Shared;
use crate::pulse;

/// Why a circuit ended.
enum End {
    /// The local node has ended it.
    Here(&'static str),
    /// It cannot go on.
    Broken(String),
    /// It was closed by the far side, or with its session.
    Closed(String),
}

impl From<beamway::internals::endpoint::Closed> for End {
    fn from(closed: beamway::internals::endpoint::Closed) -> Self {
        Self::Closed(closed.to_string())
    }
}

impl From<beamway::internals::endpoint::FollowError> for End {
    fn from(error: beamway::internals::endpoint::FollowError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<beamway::internals::dist::PacketError> for End {
    fn from(error: beamway::internals::dist::PacketError) -> Self {
        Self::Broken(format!("packet: {error}"))
    }
}

/// Opens a circuit to a node. The supervisor, which performs the handshake, and the controller hear of it.
pub(crate) fn open(target: String, send_name: Bytes, supervisor: LocalPid, controller: LocalPid) -> Circuit {
    let (circuit, commands) = Circuit::new();
    let shared = Arc::clone(&circuit.shared);
    let mut task = Task::new(&shared, commands);
    task.owners = Some((supervisor, controller));
    let opening = async move {
        task.is_finished = false;
        let end = match carrier::requests() {
            Some(requests) => task.open(requests, target, send_name).await,
            None => End::Broken("beamway does not run".to_owned()),
        };
        task.finish(&end).await;
    };
    if !carrier::spawn(&shared, opening) {
        shared.end.cancel();
    }
    circuit
}

/// Accepts a circuit that a peer has opened, and hands it to the acceptor.
pub(crate) async fn accept(caller: Caller, acceptor: &LocalPid) -> Result<(), String> {
    let Caller { session, open, policy } = caller;
    let relay = match Relay::new(&open.send_name) {
        Ok(relay) => relay,
        Err(error) => {
            session.refuse(open.circuit, error.to_string()).await;
            return Err(error.to_string());
        }
    };
    let endpoint = Endpoint::accept(&session, open.circuit)
        .await
        .map_err(|closed| closed.to_string())?;
    let send_name = relay.send_name();
    let follower = Follower::new(relay, Party::Acceptor, Arc::clone(&session.peer), policy);
    let (circuit, commands) = Circuit::new();
    let shared = Arc::clone(&circuit.shared);
    let mut task = Task::new(&shared, commands);
    carrier::spawn(&shared, async move {
        task.is_finished = false;
        let end = task.run(endpoint, follower).await;
        task.finish(&end).await;
    });
    let incoming = ResourceArc::new(circuit);
    // If the acceptor has ended, the circuit ends with this reference.
    let _ = OwnedEnv::new().send_and_clear(acceptor, |env| {
        (atoms::beamway_incoming(), incoming, binary(env, &send_name)).encode(env)
    });
    Ok(())
}

fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Binary<'a> {
    OwnedBinary::from_slice(bytes).release(env)
}

/// The task of a circuit.
struct Task {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    /// Supervisor and controller, once they are known.
    owners: Option<(LocalPid, LocalPid)>,
    /// The environment in which messages are made.
    message: OwnedEnv,
    /// The handle by which the circuit is closed, once it is open.
    circuit: Option<CircuitHandle>,
    /// Whether there is nobody to be told of the end: everybody knows, or the task never ran.
    is_finished: bool,
}

impl Drop for Task {
    /// A task that panics ends its circuit only, and its processes hear of it.
    fn drop(&mut self) {
        if !self.is_finished {
            self.tell_end("the task of the circuit has failed");
        }
    }
}

impl Task {
    fn new(shared: &Arc<Shared>, commands: mpsc::Receiver<Command>) -> Self {
        Self {
            shared: Arc::clone(shared),
            commands,
            owners: None,
            message: OwnedEnv::new(),
            circuit: None,
            // It does not run yet.
            is_finished: true,
        }
    }

    /// Opens a circuit, and runs it until it ends.
    async fn open(&mut self, requests: mpsc::Sender<Request>, target: String, send_name: Bytes) -> End {
        let relay = match Relay::new(&send_name) {
            Ok(relay) => relay,
            Err(error) => return End::Broken(error.to_string()),
        };
        let end = self.shared.end.clone();
        let opening = async {
            match carrier::find(requests, target.clone()).await.map_err(End::Broken)? {
                Place::Peer { session, policy } => {
                    let pair = relay.initiator_name().map(|from| policy.check_pair(from, &target));
                    if let Some(Err(denied)) = pair {
                        let reason = denied.to_string();
                        session.deny(target.clone(), reason.clone()).await;
                        return Err(End::Broken(reason));
                    }
                    let endpoint = Endpoint::open(&session, target.clone(), relay.send_name()).await?;
                    Ok((endpoint, session, policy))
                }
                Place::Here { .. } => Err(End::Broken(format!("{target} is this node"))),
                Place::Unknown { known, .. } => {
                    let hint = case_hint(&target, known.iter().flatten().map(String::as_str));
                    let known = list_nodes(&known);
                    Err(End::Broken(format!(
                        "no peer has announced node {target}{hint}; known nodes: {known}"
                    )))
                }
            }
        };
        match end.run_until_cancelled(opening).await {
            None => End::Here("the connection was given up"),
            Some(Err(end)) => end,
            Some(Ok((endpoint, session, policy))) => {
                let peer = Arc::clone(&session.peer);
                self.run(endpoint, Follower::new(relay, Party::Initiator, peer, policy))
                    .await
            }
        }
    }

    /// Runs the circuit until it ends.
    async fn run(&mut self, endpoint: Endpoint, mut follower: Follower) -> End {
        let circuit = endpoint.circuit().clone();
        self.circuit = Some(circuit.clone());
        let (input, agreed, endpoint) = match self.shake_hands(endpoint, &mut follower).await {
            Ok(agreed) => agreed,
            Err(end) => return end,
        };
        let format = agreed.format;
        let agreed = Agreed {
            suspends: true,
            ..agreed
        };
        let (sender, receiver) = match endpoint.establish(agreed, follower.nodes()).await {
            Ok(established) => established,
            Err(closed) => return closed.into(),
        };
        let from = follower.relay().initiator_name().unwrap_or_default().to_owned();
        let to = follower.relay().acceptor_name().unwrap_or_default().to_owned();
        let (peer, id) = (Arc::clone(circuit.peer()), circuit.id());
        info!(%peer, circuit = %id, from, to, "a circuit has begun");
        let far = follower.far_name().unwrap_or_default().to_owned();
        let _ = self.shared.names.set((far, Arc::clone(&peer)));
        let _ = self
            .shared
            .silence
            .set((receiver.far_silence(), receiver.peer_silence()));
        let tells_silence = sender.tells_silence();
        let suspended = sender.suspended();
        *self.shared.out() = Some(Out {
            packets: Outgoing::new(format),
            signals: sender,
            kept: Vec::new(),
        });
        self.tell_controller(|env| atoms::beamway_ready().encode(env));
        let end = self
            .converse(receiver, input, Incoming::new(format), suspended, tells_silence)
            .await;
        let reason = end.text();
        info!(%peer, circuit = %id, from, to, reason, "a circuit has ended");
        end
    }

    /// Passes handshake messages until the VM says that it has completed the handshake.
    async fn shake_hands(
        &mut self,
        mut endpoint: Endpoint,
        follower: &mut Follower,
    ) -> Result<(LocalPid, Agreed, Endpoint), End> {
        loop {
            // Messages for processes that are not known yet wait in the endpoint.
            let is_owned = self.owners.is_some();
            tokio::select! {
                // A supervisor that refuses the other node says so and ends: what it said comes first.
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Own { supervisor, controller }) => self.owners = Some((supervisor, controller)),
                    Some(Command::Handshake(message)) => {
                        let (message, _) = follower.sent(&message)?;
                        endpoint.send_handshake(message).await?;
                    }
                    Some(Command::Establish(input)) => {
                        let agreed = follower.agreed().ok_or(End::Here("the handshake is not complete"))?;
                        return Ok((input, agreed, endpoint));
                    }
                    None => return Err(End::Here("the connection was given up during the handshake")),
                },
                () = self.shared.end.cancelled() => return Err(End::Here("the connection was given up during the handshake")),
                message = endpoint.receive_handshake(), if is_owned => {
                    let (message, _) = follower.received(&message?)?;
                    self.tell_supervisor(|env| (atoms::beamway_handshake(), binary(env, &message)).encode(env));
                }
            }
        }
    }

    /// Passes signals to the VM, and events to the controller.
    async fn converse(
        &mut self,
        mut signals: SignalReceiver,
        input: LocalPid,
        mut packets: Incoming<VmBlock>,
        mut suspended: watch::Receiver<Arc<[Pid]>>,
        tells_silence: bool,
    ) -> End {
        let mut silence = pulse::silence();
        let shared = Arc::clone(&self.shared);
        // The cost of a delivery that does not count as written yet.
        let mut unwritten = 0;
        loop {
            let has_room = shared.waiting.load(Relaxed) <= MAILBOX;
            if has_room && unwritten > 0 {
                let cost = std::mem::take(&mut unwritten);
                if let Err(closed) = signals.written(cost).await {
                    return closed.into();
                }
            }
            tokio::select! {
                () = shared.end.cancelled() => return End::Here("the local node has closed the connection"),
                delivery = signals.receive(), if unwritten == 0 => {
                    let outcome = match delivery {
                        Ok(delivery) => self.deliver(&delivery, &input, &mut packets),
                        Err(closed) => return closed.into(),
                    };
                    match outcome {
                        Ok(cost) => unwritten = cost,
                        Err(end) => return end,
                    }
                }
                () = shared.room.notified(), if !has_room => {}
                () = shared.ready.notified() => self.tell_controller(|env| atoms::beamway_ready().encode(env)),
                Ok(()) = suspended.changed() => {
                    let processes: Vec<_> = suspended.borrow_and_update().iter().map(|pid| (pid.id, pid.serial)).collect();
                    self.tell_controller(|env| (atoms::beamway_suspend(), processes).encode(env));
                }
                Ok(()) = silence.changed(), if tells_silence => {
                    let is_silent = *silence.borrow_and_update();
                    if let Some(circuit) = &self.circuit {
                        let _ = circuit.silence(is_silent).await;
                    }
                }
            }
        }
    }

    /// Hands packets to the input process. Returns the cost of the delivery.
    fn deliver(&mut self, delivery: &Delivery, input: &LocalPid, packets: &mut Incoming<VmBlock>) -> Result<u64, End> {
        let cost = delivery.cost;
        let batches = packets.batches(&delivery.contents)?;
        if batches.is_empty() {
            return Ok(cost);
        }
        self.shared.waiting.fetch_add(cost, Relaxed);
        let sent = self.message.send_and_clear(input, |env| {
            let packets: Vec<Binary<'_>> = batches
                .into_iter()
                .map(|batch| {
                    let binary = batch.block.0.release(env);
                    binary.make_subbinary(0, batch.used).unwrap_or(binary)
                })
                .collect();
            (atoms::beamway_data(), packets, cost).encode(env)
        });
        sent.map_err(|_| End::Here("the process for input has ended"))?;
        Ok(cost)
    }

    fn tell_supervisor<'a>(&mut self, message: impl FnOnce(Env<'a>) -> rustler::Term<'a>) {
        if let Some((supervisor, _)) = &self.owners {
            let _ = self.message.send_and_clear(supervisor, message);
        }
    }

    fn tell_controller<'a>(&mut self, message: impl FnOnce(Env<'a>) -> rustler::Term<'a>) {
        if let Some((_, controller)) = &self.owners {
            let _ = self.message.send_and_clear(controller, message);
        }
    }

    /// Tells everybody concerned that the circuit has ended.
    async fn finish(&mut self, end: &End) {
        *self.shared.out() = None;
        let reason = end.text().to_owned();
        if !matches!(end, End::Closed(_))
            && let Some(circuit) = &self.circuit
        {
            circuit.close(reason.clone()).await;
        }
        match end {
            End::Broken(reason) => warn!(reason, "a connection has failed"),
            End::Closed(reason) if Denied::is_reason(reason) => warn!(reason, "a connection was refused"),
            End::Closed(_) | End::Here(_) => {}
        }
        // An acceptor may name the owners of a circuit that has ended meanwhile.
        while self.owners.is_none() {
            match self.shared.end.run_until_cancelled(self.commands.recv()).await {
                Some(Some(Command::Own { supervisor, controller })) => self.owners = Some((supervisor, controller)),
                Some(Some(_)) => {}
                Some(None) | None => break,
            }
        }
        self.tell_end(&reason);
    }

    /// Tells the processes of the circuit that it has ended.
    fn tell_end(&mut self, reason: &str) {
        self.is_finished = true;
        *self.shared.out() = None;
        // From here on nobody can establish the circuit without being told.
        self.commands.close();
        self.tell_supervisor(|env| (atoms::beamway_closed(), binary(env, reason.as_bytes())).encode(env));
        self.tell_controller(|env| (atoms::beamway_closed(), binary(env, reason.as_bytes())).encode(env));
    }
}

impl End {
    fn text(&self) -> &str {
        match self {
            Self::Here(reason) => reason,
            Self::Broken(reason) | Self::Closed(reason) => reason,
        }
    }
}

/// A binary of the VM.
struct VmBlock(OwnedBinary);

impl Block for VmBlock {
    fn allocate(size: usize) -> Option<Self> {
        Some(Self(OwnedBinary::new(size)))
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_mut_slice()
    }
}
