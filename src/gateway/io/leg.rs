//! A leg: one TCP connection between this gateway and a BEAM, from the handshake to its end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::codec::Buffers;
use crate::dist::FRAGMENT_SIZE;
use crate::dist::Format;
use crate::dist::PacketDecoder;
use crate::dist::PacketEncoder;
use crate::dist::Party;
use crate::dist::Relay;
use crate::dist::Relayed;
use crate::dist::handshake;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::EndpointEvent;
use crate::endpoint::io::session::EndpointReceiver;
use crate::endpoint::io::session::READ_AHEAD;
use crate::endpoint::io::session::SessionHandle;
use crate::endpoint::io::write::write_all;
use crate::endpoint::packets;
use crate::endpoint::packets::intake;
use crate::gateway::GatewayConfig;
use crate::gateway::LegError;
use crate::router::Policy;
use crate::session::Agreed;
use crate::wire::CircuitId;
use crate::wire::Content;

/// Bytes read at once from a node that has more.
const READ_MOST: usize = 256 * 1024;

/// A leg whose circuit is known.
pub(in crate::gateway) struct Leg {
    pub(in crate::gateway) stream: TcpStream,
    pub(in crate::gateway) input: BytesMut,
    pub(in crate::gateway) relay: Relay,
    /// Which of the two nodes is the local one.
    pub(in crate::gateway) local: Party,
    pub(in crate::gateway) circuit: CircuitId,
    pub(in crate::gateway) session: SessionHandle,
    pub(in crate::gateway) receiver: EndpointReceiver,
    /// Which nodes the peer may speak for.
    pub(in crate::gateway) policy: Policy,
    pub(in crate::gateway) config: Arc<GatewayConfig>,
}

impl Leg {
    /// Runs the leg to its end and says why it ended.
    pub(in crate::gateway) async fn run(mut self) -> LegError {
        let (session, circuit) = (self.session.clone(), self.circuit);
        let limit = self.config.handshake_time;
        let outcome = match timeout(limit, self.shake_hands()).await {
            Ok(Ok(format)) => self.converse(format).await,
            Ok(Err(error)) => error,
            Err(_) => LegError::Late("the handshake was not complete", limit),
        };
        if !matches!(outcome, LegError::Finished(_)) {
            let reason = outcome.to_string();
            session.send(Command::Close { circuit, reason }).await;
        }
        outcome
    }

    /// Relays the handshake until both nodes are content.
    async fn shake_hands(&mut self) -> Result<Format, LegError> {
        loop {
            while let Some(message) = handshake::decode(&mut self.input)? {
                let local = self.local;
                let (message, is_complete) = self.follow(local, &message)?;
                let circuit = self.circuit;
                self.command(Command::Handshake { circuit, message }).await?;
                if is_complete {
                    return self.establish().await;
                }
            }
            tokio::select! {
                read = self.stream.read_buf(&mut self.input) => {
                    if read? == 0 {
                        return Err(LegError::Closed);
                    }
                }
                event = self.receiver.events.recv() => {
                    let message = match event {
                        Some(EndpointEvent::Handshake(message)) => message,
                        Some(EndpointEvent::Finished(reason)) => return Err(LegError::Finished(reason)),
                        Some(EndpointEvent::Opened(_) | EndpointEvent::Deliver(_)) => continue,
                        None => return Err(LegError::NoSession),
                    };
                    let (message, is_complete) = self.follow(self.far(), &message)?;
                    let mut framed = BytesMut::new();
                    handshake::encode(&message, &mut framed);
                    self.stream.write_all(&framed).await?;
                    if is_complete {
                        return self.establish().await;
                    }
                }
            }
        }
    }

    const fn far(&self) -> Party {
        match self.local {
            Party::Acceptor => Party::Initiator,
            Party::Initiator => Party::Acceptor,
        }
    }

    /// Passes a message through the relay, and checks a name that the far side has just claimed.
    fn follow(&mut self, from: Party, message: &Bytes) -> Result<(Bytes, bool), LegError> {
        let (message, is_complete) = match self.relay.handle(from, message)? {
            Relayed::Pass(message) => (message, false),
            Relayed::Complete(message) => (message, true),
        };
        let claimed = match self.local {
            Party::Acceptor => self.relay.initiator_name(),
            Party::Initiator => self.relay.acceptor_name(),
        };
        match claimed {
            Some(node) if !self.policy.allows(node) => Err(LegError::Policy {
                peer: self.session.peer.to_string(),
                node: node.to_owned(),
            }),
            _ => Ok((message, is_complete)),
        }
    }

    async fn establish(&mut self) -> Result<Format, LegError> {
        let Some((format, initiator, acceptor)) = self.relay.agreed() else {
            return Err(LegError::NoSession);
        };
        let creation = match self.local {
            Party::Acceptor => acceptor,
            Party::Initiator => initiator,
        };
        let circuit = self.circuit;
        let terms = Agreed {
            format,
            creation,
            is_reader: false,
        };
        self.command(Command::Established { circuit, terms }).await?;
        Ok(format)
    }

    async fn command(&self, command: Command) -> Result<(), LegError> {
        if self.session.send(command).await {
            Ok(())
        } else {
            Err(LegError::NoSession)
        }
    }

    /// Translates packets and signals until one side ends; each direction goes on whatever the other waits for.
    async fn converse(self, format: Format) -> LegError {
        let (read, write) = self.stream.into_split();
        let mut reader = Reader {
            stream: read,
            input: self.input,
            decoder: PacketDecoder::new(format),
            format,
            has_more: false,
            taken: self.receiver.taken,
            sent: 0,
            circuit: self.circuit,
            session: self.session.clone(),
            config: Arc::clone(&self.config),
        };
        let mut writer = Writer {
            stream: write,
            encoder: PacketEncoder::new(format),
            events: self.receiver.events,
            circuit: self.circuit,
            session: self.session,
            config: self.config,
        };
        let outcome = tokio::select! {
            error = reader.run() => error,
            error = writer.run() => error,
        };
        if matches!(outcome, LegError::Finished(_) | LegError::NoSession) {
            // The node still reads what was written: close our side, and let it close its own. Closing at once while it
            // is sending would reset the connection and lose the end of what we wrote.
            let _ = writer.stream.shutdown().await;
            let _ = timeout(reader.config.linger, reader.discard()).await;
        }
        outcome
    }
}

/// From the BEAM.
struct Reader {
    stream: OwnedReadHalf,
    input: BytesMut,
    decoder: PacketDecoder,
    format: Format,
    /// The last read took all that there was room for.
    has_more: bool,
    taken: watch::Receiver<u64>,
    sent: u64,
    circuit: CircuitId,
    session: SessionHandle,
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
            if let Some(signal) = intake(packet, self.format)? {
                self.sent += signal.content.cost();
                signals.push(signal);
            }
        }
        if !signals.is_empty() {
            let circuit = self.circuit;
            if !self.session.send(Command::Signals { circuit, signals }).await {
                return Err(LegError::NoSession);
            }
        }
        // Not reading is the VM's own backpressure. The clock of silence stands still meanwhile.
        let sent = self.sent;
        if self.taken.wait_for(|taken| sent < *taken + READ_AHEAD).await.is_err() {
            return std::future::pending().await;
        }
        let silence = self.config.net_ticktime;
        match timeout(silence, self.read()).await {
            Ok(Ok(0)) => Err(LegError::Closed),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(LegError::Late("the local node sent nothing, not even a tick,", silence)),
        }
    }

    /// Reads what there is. A leg that waits keeps no buffer: of a thousand nodes most are silent. One that has more to
    /// read gets a larger one: what is left of a packet at a buffer's end is copied into the next.
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

/// Towards the BEAM.
struct Writer {
    stream: OwnedWriteHalf,
    encoder: PacketEncoder,
    events: mpsc::Receiver<EndpointEvent>,
    circuit: CircuitId,
    session: SessionHandle,
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
        match timeout(self.config.tick_interval(), self.events.recv()).await {
            Err(_) => {
                let mut tick = BytesMut::new();
                PacketEncoder::tick(&mut tick);
                Ok(self.stream.write_all(&tick).await?)
            }
            Ok(Some(EndpointEvent::Deliver(contents))) => self.deliver(contents).await,
            Ok(Some(EndpointEvent::Finished(reason))) => Err(LegError::Finished(reason)),
            Ok(Some(EndpointEvent::Opened(_) | EndpointEvent::Handshake(_))) => Ok(()),
            Ok(None) => Err(LegError::NoSession),
        }
    }

    async fn deliver(&mut self, contents: Vec<Content>) -> Result<(), LegError> {
        let cost = contents.iter().map(Content::cost).sum();
        let mut buffers = Buffers::default();
        for content in &contents {
            packets::encode(content, &mut self.encoder, &mut buffers)?;
        }
        write_all(&mut self.stream, buffers).await?;
        let circuit = self.circuit;
        if self.session.send(Command::Written { circuit, cost }).await {
            Ok(())
        } else {
            Err(LegError::NoSession)
        }
    }
}
