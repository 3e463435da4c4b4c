//! A leg: one TCP connection between this gateway and a BEAM, from the handshake to its end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;

use crate::codec::Buffers;
use crate::dist::FRAGMENT_SIZE;
use crate::dist::Format;
use crate::dist::Packet;
use crate::dist::Party;
use crate::dist::Question;
use crate::dist::StreamDecoder;
use crate::dist::StreamEncoder;
use crate::dist::handshake;
use crate::dist::handshake::Status;
use crate::endpoint::Follower;
use crate::endpoint::io::attachment::Delivery;
use crate::endpoint::io::endpoint::Endpoint;
use crate::endpoint::io::endpoint::SignalReceiver;
use crate::endpoint::io::endpoint::SignalSender;
use crate::endpoint::io::write::write_all;
use crate::endpoint::packets;
use crate::endpoint::packets::intake;
use crate::gateway::GatewayConfig;
use crate::gateway::LegError;
use crate::gateway::silence::Due;
use crate::gateway::silence::Silence;
use crate::router::Denied;
use crate::session::Agreed;

/// Bytes read at once from a node that sends much.
const READ_MOST: usize = 256 * 1024;

/// Stands in the log for a node that has no name yet.
pub(in crate::gateway) const NAMELESS: &str = "a node without a name";

/// Tells a node that waits for the first answer to its name that it may not connect.
pub(in crate::gateway) async fn refuse(stream: &mut TcpStream) {
    let mut framed = BytesMut::new();
    handshake::encode(&Status::NotAllowed.encode(), &mut framed);
    // The node may be gone by now.
    let _ = stream.write_all(&framed).await;
}

/// A leg with its circuit.
pub(in crate::gateway) struct Leg {
    pub(in crate::gateway) stream: TcpStream,
    pub(in crate::gateway) input: BytesMut,
    pub(in crate::gateway) handshake: Follower,
    pub(in crate::gateway) endpoint: Endpoint,
    /// The node that the initiator asked for.
    pub(in crate::gateway) target: String,
    pub(in crate::gateway) config: Arc<GatewayConfig>,
}

impl Leg {
    /// Runs the leg until it ends. Calls `established` when the nodes have shaken hands. The log has the beginning and the end, with the
    /// reason.
    pub(in crate::gateway) async fn run(mut self, established: impl FnOnce()) {
        let circuit = self.endpoint.circuit().clone();
        let (peer, id) = (Arc::clone(circuit.peer()), circuit.id());
        let limit = self.config.handshake_time;
        let shaken = timeout(limit, self.shake_hands()).await;
        // A node without a name has got one in the handshake.
        let from = self.handshake.relay().initiator_name().unwrap_or(NAMELESS).to_owned();
        let to = self.target.clone();
        let outcome = match shaken {
            Ok(Ok(agreed)) => {
                established();
                info!(%peer, circuit = %id, from, to, "a circuit has begun");
                self.converse(agreed).await
            }
            Ok(Err(LegError::Closed)) => self.closed(&from),
            Ok(Err(LegError::CircuitClosed(reason))) => self.denied(reason).await,
            Ok(Err(error)) => error,
            Err(_) => LegError::Late("the handshake was not complete", limit),
        };
        if !matches!(outcome, LegError::CircuitClosed(_)) {
            circuit.close(outcome.to_string()).await;
        }
        info!(%peer, circuit = %id, from, to, reason = %outcome, "a circuit has ended");
    }

    /// Relays the handshake until both nodes have agreed.
    async fn shake_hands(&mut self) -> Result<Agreed, LegError> {
        loop {
            while let Some(message) = handshake::decode(&mut self.input)? {
                let (message, is_complete) = self.handshake.sent(&message)?;
                self.endpoint.send_handshake(message).await?;
                if is_complete {
                    return self.agreed();
                }
            }
            tokio::select! {
                read = self.stream.read_buf(&mut self.input) => {
                    if read? == 0 {
                        return Err(LegError::Closed);
                    }
                }
                message = self.endpoint.receive_handshake() => {
                    let (message, is_complete) = self.handshake.received(&message?)?;
                    let mut framed = BytesMut::new();
                    handshake::encode(&message, &mut framed);
                    self.stream.write_all(&framed).await?;
                    if is_complete {
                        return self.agreed();
                    }
                }
            }
        }
    }

    /// The local node closed the connection during the handshake. A node that learns that the remote one has another name than it was
    /// asked for by closes it at once, and says nothing in its own log.
    fn closed(&self, from: &str) -> LegError {
        match self.handshake.relay().acceptor_name() {
            Some(node) if self.handshake.local() == Party::Initiator && self.handshake.relay().awaits_reply() => {
                let error = LegError::OtherName(node.to_owned());
                warn!(peer = %self.endpoint.circuit().peer(), from, %error, "a local node gave up a connection");
                error
            }
            _ => LegError::Closed,
        }
    }

    /// The circuit was closed during the handshake. If it was denied, and the local node waits for an answer, it gets the usual one.
    async fn denied(&mut self, reason: String) -> LegError {
        let is_asked = self.handshake.local() == Party::Initiator && self.handshake.relay().awaits_status();
        if is_asked && Denied::is_reason(&reason) {
            refuse(&mut self.stream).await;
        }
        LegError::CircuitClosed(reason)
    }

    fn agreed(&self) -> Result<Agreed, LegError> {
        self.handshake.agreed().ok_or(LegError::NoSession)
    }

    /// The question by which the local node shows that it lives, in the name of the far one.
    fn question(&self) -> Arc<Question> {
        let name = self.handshake.far_name();
        let creations = self.handshake.relay().agreed();
        let creation = creations.map(|(_, initiator, acceptor)| match self.handshake.local() {
            Party::Acceptor => initiator,
            Party::Initiator => acceptor,
        });
        let id = rand::random();
        Arc::new(Question::new(
            name.unwrap_or_default(),
            creation.unwrap_or_default(),
            id,
        ))
    }

    /// Translates packets and signals until one side ends. Neither direction waits for the other.
    async fn converse(self, agreed: Agreed) -> LegError {
        let format = agreed.format;
        let question = self.question();
        let node = self.handshake.local_name().unwrap_or_default().to_owned();
        let (sender, receiver) = match self.endpoint.establish(agreed, self.handshake.nodes()).await {
            Ok(established) => established,
            Err(closed) => return closed.into(),
        };
        let (read, write) = self.stream.into_split();
        let far = receiver.far_silence();
        // Only BEAMs, and what is much like them, understand fragments.
        let understands = format == Format::Header;
        let silence = Silence::new(self.config.net_ticktime, sender.tells_silence(), understands);
        let asks = Arc::new(AtomicBool::new(silence.is_asked()));
        let mut reader = Reader {
            stream: read,
            input: self.input,
            decoder: StreamDecoder::new(format),
            format,
            has_more: false,
            signals: sender,
            node,
            silence,
            question: Arc::clone(&question),
            asks: Arc::clone(&asks),
            far: far.clone(),
            config: Arc::clone(&self.config),
        };
        let mut writer = Writer {
            stream: write,
            encoder: StreamEncoder::new(format),
            signals: receiver,
            question,
            asks,
            far,
            config: self.config,
        };
        let outcome = tokio::select! {
            error = reader.run() => error,
            error = writer.run() => error,
        };
        if matches!(outcome, LegError::CircuitClosed(_) | LegError::NoSession) {
            // The node still reads what was written: close our end and let the node close its own. Closing both at once while
            // the node is sending would reset the connection and lose the end of what was written.
            let _ = writer.stream.shutdown().await;
            let _ = timeout(reader.config.linger, reader.discard()).await;
        }
        outcome
    }
}

/// Reads from the BEAM.
struct Reader {
    stream: OwnedReadHalf,
    input: BytesMut,
    decoder: StreamDecoder,
    format: Format,
    /// The last read filled the buffer.
    has_more: bool,
    signals: SignalSender,
    /// The name of the local node, for logs.
    node: String,
    silence: Silence,
    question: Arc<Question>,
    /// Set when the writer shall ask the question.
    asks: Arc<AtomicBool>,
    /// Whether the far node is silent.
    far: watch::Receiver<bool>,
    config: Arc<GatewayConfig>,
}

impl Reader {
    async fn run(&mut self) -> LegError {
        loop {
            match self.step().await {
                Ok(()) => {}
                Err(error) => return error,
            }
        }
    }

    async fn step(&mut self) -> Result<(), LegError> {
        let mut signals = Vec::new();
        while let Some(packet) = self.decoder.decode(&mut self.input)? {
            if self.silence.is_asked() && self.is_answer(&packet) {
                self.silence.answered();
                continue;
            }
            if let Some(signal) = intake(packet, self.format)? {
                signals.push(signal);
            }
        }
        if !signals.is_empty() {
            self.signals.send(signals).await?;
        }
        // Not reading makes the VM apply its own backpressure. The timer for its silence does not run meanwhile.
        if self.signals.ready().await.is_err() {
            // The writer gets the reason.
            return std::future::pending().await;
        }
        loop {
            match timeout(self.silence.step(), self.read()).await {
                Ok(Ok(0)) => return Err(LegError::Closed),
                Ok(Ok(_)) if self.silence.heard() => return self.tell(false).await,
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => self.passed().await?,
            }
        }
    }

    fn is_answer(&self, packet: &Packet) -> bool {
        matches!(packet, Packet::Signal(body) if self.question.is_answer(body))
    }

    /// The node has sent nothing for a while.
    async fn passed(&mut self) -> Result<(), LegError> {
        let is_far_silent = *self.far.borrow();
        match self.silence.passed(is_far_silent) {
            Due::Nothing => Ok(()),
            Due::Ask => {
                self.asks.store(true, Ordering::Relaxed);
                Ok(())
            }
            Due::Tell => self.tell(true).await,
            Due::Close => {
                let limit = self.silence.limit();
                Err(LegError::Late("the local node sent nothing, not even a tick,", limit))
            }
        }
    }

    async fn tell(&self, is_silent: bool) -> Result<(), LegError> {
        let node = &self.node;
        if is_silent {
            info!(
                node,
                "a local node is silent: its partners are told, and their own tick time applies"
            );
        } else {
            info!(node, "a silent local node speaks again");
        }
        Ok(self.signals.circuit().silence(is_silent).await?)
    }

    /// Reads what is available. A waiting leg keeps no buffer, since most of a thousand nodes are silent. A leg that has more
    /// to read gets a larger buffer, since a partial packet at the end of one buffer is copied into the next.
    async fn read(&mut self) -> std::io::Result<usize> {
        poll_fn(|context| {
            self.input
                .reserve(if self.has_more { READ_MOST } else { FRAGMENT_SIZE });
            let read = pin!(self.stream.read_buf(&mut self.input)).poll(context);
            self.has_more = self.input.len() == self.input.capacity();
            if read.is_pending() && self.input.is_empty() {
                self.input = BytesMut::new();
            }
            read
        })
        .await
    }

    async fn discard(&mut self) {
        self.input.clear();
        while matches!(self.stream.read_buf(&mut self.input).await, Ok(count) if count > 0) {
            self.input.clear();
        }
    }
}

/// Writes to the BEAM.
struct Writer {
    stream: OwnedWriteHalf,
    encoder: StreamEncoder,
    signals: SignalReceiver,
    question: Arc<Question>,
    asks: Arc<AtomicBool>,
    far: watch::Receiver<bool>,
    config: Arc<GatewayConfig>,
}

impl Writer {
    async fn run(&mut self) -> LegError {
        loop {
            match self.step().await {
                Ok(()) => {}
                Err(error) => return error,
            }
        }
    }

    async fn step(&mut self) -> Result<(), LegError> {
        if self.asks.load(Ordering::Relaxed) && !*self.far.borrow() {
            return self.ask().await;
        }
        match timeout(self.config.tick_interval(), self.signals.receive()).await {
            // Nothing may vouch for a far node that is silent: the tick time of the local node applies.
            Err(_) if *self.far.borrow() => Ok(()),
            Err(_) => {
                let mut tick = BytesMut::new();
                StreamEncoder::tick(&mut tick);
                Ok(self.stream.write_all(&tick).await?)
            }
            Ok(delivery) => self.deliver(delivery?).await,
        }
    }

    async fn ask(&mut self) -> Result<(), LegError> {
        self.asks.store(false, Ordering::Relaxed);
        let question = self.question.control();
        let mut packet = BytesMut::new();
        self.encoder.signal(question.len(), &mut packet);
        packet.extend_from_slice(question);
        Ok(self.stream.write_all(&packet).await?)
    }

    async fn deliver(&mut self, delivery: Delivery) -> Result<(), LegError> {
        let mut buffers = Buffers::default();
        for content in &delivery.contents {
            packets::encode(content, &mut self.encoder, &mut buffers)?;
        }
        write_all(&mut self.stream, buffers).await?;
        Ok(self.signals.written(delivery.cost).await?)
    }
}
