//! Plain distribution over TCP: one connection to another node, from the first byte of its handshake to its end.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::timeout;
use tracing::info;

use super::node::Shared;
use crate::dist::Format;
use crate::dist::StreamDecoder;
use crate::dist::StreamEncoder;
use crate::dist::handshake;
use crate::endpoint::io::write::write_all;
use crate::endpoint::packets;
use crate::etf::Atom;
use crate::node::ConnectionError;
use crate::node::FarIdentity;
use crate::node::arrivals::Arrivals;
use crate::node::handshake::Handshake;
use crate::node::handshake::HandshakeStep;
use crate::node::outlet::Connection;

/// Bytes requested from the socket at once.
const READ: usize = 256 * 1024;

/// A body of this size shares the buffer in which it was read. A smaller one would keep many times its size as long as its
/// receiver keeps it.
const LARGE: usize = READ / 8;

/// A TCP stream, bytes read beyond the last message, and the number of the connection attempt.
pub(in crate::node) struct Wire {
    pub(in crate::node) stream: TcpStream,
    pub(in crate::node) input: BytesMut,
    pub(in crate::node) attempt: u64,
}

impl Wire {
    pub(in crate::node) fn new(stream: TcpStream, attempt: u64) -> Self {
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            input: BytesMut::new(),
            attempt,
        }
    }

    /// Performs the handshake until it succeeds or fails.
    pub(in crate::node) async fn shake(
        &mut self,
        shared: &Arc<Shared>,
        mut party: Handshake,
    ) -> Result<FarIdentity, ConnectionError> {
        loop {
            self.flush(&mut party).await?;
            let Some(message) = handshake::decode(&mut self.input)? else {
                if self.stream.read_buf(&mut self.input).await? == 0 {
                    return Err(party.ended(ConnectionError::Closed));
                }
                continue;
            };
            let step = handle_message(shared, &mut party, &message, &mut self.attempt);
            self.flush(&mut party).await?;
            if let HandshakeStep::Complete(far) = step? {
                return Ok(far);
            }
        }
    }

    async fn flush(&mut self, party: &mut Handshake) -> std::io::Result<()> {
        let mut framed = BytesMut::new();
        while let Some(message) = party.poll_message() {
            handshake::encode(&message, &mut framed);
        }
        self.stream.write_all(&framed).await
    }

    /// Carries signals until the connection ends.
    pub(in crate::node) async fn carry(self, shared: Arc<Shared>, far: FarIdentity) {
        let (name, is_visible) = (far.name.clone(), far.is_visible());
        let up = shared.apply(|machine| machine.established(self.attempt, far));
        let Some(connection) = up.and_then(|id| shared.connection(id)) else {
            return;
        };
        info!(node = %shared.name, remote = name, is_visible, "connected to a node");
        connection.establish();
        let reason = converse(self, &shared, &connection).await.to_string();
        shared.disconnect(&connection.node, connection.id, &reason);
    }
}

/// Passes a message to the handshake. If it is the first of an incoming connection, decides its status, and sets `attempt` to
/// its number.
pub(in crate::node) fn handle_message(
    shared: &Arc<Shared>,
    party: &mut Handshake,
    message: &[u8],
    attempt: &mut u64,
) -> Result<HandshakeStep, ConnectionError> {
    let name = match party.handle_message(message)? {
        HandshakeStep::Asked(name) => name,
        other => return Ok(other),
    };
    let node = Atom::new(&name)?;
    let (status, called) = shared.apply(|machine| machine.called(&node));
    *attempt = called;
    party.decide(status)?;
    Ok(HandshakeStep::Continue)
}

/// Runs both directions, neither of which waits for the other.
async fn converse(wire: Wire, shared: &Arc<Shared>, connection: &Arc<Connection>) -> ConnectionError {
    let (read, write) = wire.stream.into_split();
    let mut reader = Reader {
        stream: read,
        input: wire.input,
        decoder: StreamDecoder::new(Format::Header),
        arrivals: Arrivals::new(shared, connection),
        connection: Arc::clone(connection),
        shared: Arc::clone(shared),
    };
    let mut writer = Writer {
        stream: write,
        encoder: StreamEncoder::new(Format::Header),
        messages: 0,
        connection: Arc::clone(connection),
        shared: Arc::clone(shared),
    };
    let outcome = tokio::select! {
        error = reader.run() => error,
        error = writer.run() => error,
    };
    if matches!(outcome, ConnectionError::Local(_)) {
        // The other node still reads what was written. Closing at once would reset the connection and lose the end.
        let _ = writer.stream.shutdown().await;
        let _ = timeout(shared.config.stop_time, reader.discard()).await;
    }
    outcome
}

struct Reader {
    stream: OwnedReadHalf,
    input: BytesMut,
    decoder: StreamDecoder,
    arrivals: Arrivals,
    connection: Arc<Connection>,
    shared: Arc<Shared>,
}

impl Reader {
    async fn run(&mut self) -> ConnectionError {
        loop {
            if let Err(error) = self.step().await {
                return error;
            }
        }
    }

    async fn step(&mut self) -> Result<(), ConnectionError> {
        let taken = self.take_packets();
        self.arrivals.flush();
        taken?;
        // Not reading slows the other node down. The timer for its silence does not run meanwhile.
        poll_fn(|context| self.connection.poll_arrears(context)).await;
        self.input.reserve(READ);
        let silence = self.shared.config.net_ticktime;
        match timeout(silence, self.stream.read_buf(&mut self.input)).await {
            Ok(Ok(0)) => Err(ConnectionError::Closed),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(ConnectionError::Silent(silence)),
        }
    }

    fn take_packets(&mut self) -> Result<(), ConnectionError> {
        while let Some(packet) = self.decoder.decode(&mut self.input)? {
            if let Some(mut content) = packets::content(packet) {
                let body = content.body_mut();
                if body.len() < LARGE {
                    *body = Bytes::copy_from_slice(body);
                }
                self.arrivals.take(content)?;
            }
        }
        Ok(())
    }

    async fn discard(&mut self) {
        self.input.clear();
        while matches!(self.stream.read_buf(&mut self.input).await, Ok(count) if count > 0) {
            self.input.clear();
        }
    }
}

struct Writer {
    stream: OwnedWriteHalf,
    encoder: StreamEncoder,
    /// Fragmented messages so far.
    messages: u64,
    connection: Arc<Connection>,
    shared: Arc<Shared>,
}

impl Writer {
    async fn run(&mut self) -> ConnectionError {
        loop {
            if let Err(error) = self.step().await {
                return error;
            }
        }
    }

    async fn step(&mut self) -> Result<(), ConnectionError> {
        let batch = poll_fn(|context| self.connection.poll_batch(context));
        match timeout(self.shared.config.tick_interval(), batch).await {
            Err(_) => {
                let mut tick = BytesMut::new();
                StreamEncoder::tick(&mut tick);
                Ok(self.stream.write_all(&tick).await?)
            }
            Ok(Err(reason)) => Err(ConnectionError::Local(reason)),
            Ok(Ok(batch)) => {
                let buffers = batch.packets(&mut self.encoder, &mut self.messages)?;
                Ok(write_all(&mut self.stream, buffers).await?)
            }
        }
    }
}
