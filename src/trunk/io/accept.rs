//! The UDP endpoint of the daemon, and peers that dial it.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::Connection;
use quinn::Endpoint;
use quinn::RecvStream;
use quinn::SendStream;
use quinn::crypto::HmacKey;
use rustls_pki_types::CertificateDer;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::debug;
use tracing::info;
use tracing::warn;

use super::datagrams::Datagrams;
use super::nowhere::Nowhere;
use super::streams::CONTROL_PRIORITY;
use super::trunks::Held;
use crate::tls::PeerCertificate;
use crate::trunk::Agreement;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;
use crate::wire::Notice;
use crate::wire::NoticeDecoder;

/// Greetings underway at once: handshakes are costly and run under one lock of the endpoint.
const GREETINGS: usize = 32;

/// A connection that has not greeted by then is dropped.
const GREETING_TIME: Duration = Duration::from_secs(10);

/// Peers are told that the daemon stops; most have heard it sooner.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A connection to a peer whose certificate and greeting were accepted.
#[derive(Debug)]
pub struct Greeted {
    /// The connection.
    pub connection: Connection,
    /// The control stream, towards the peer.
    pub control: SendStream,
    /// The control stream, from the peer.
    pub notices: NoticeReader,
    /// What was agreed.
    pub agreement: Agreement,
    /// Whether we dialled.
    pub is_ours: bool,
}

/// Reads notices off a control stream.
#[derive(Debug)]
pub struct NoticeReader {
    stream: RecvStream,
    decoder: NoticeDecoder,
}

impl NoticeReader {
    pub(in crate::trunk) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            decoder: NoticeDecoder::default(),
        }
    }

    /// The next notice. Not cancel-safe between notices only: what was read stays in the decoder.
    pub async fn read(&mut self) -> Result<(u64, Notice), TrunkError> {
        loop {
            if let Some(notice) = self.decoder.poll_notice()? {
                return Ok(notice);
            }
            match self.stream.read_chunk(usize::MAX, true).await? {
                Some(chunk) => self.decoder.push(&chunk.bytes),
                None => return Err(TrunkError::Ended("its control stream")),
            }
        }
    }
}

/// The endpoint and what the kernel granted it.
#[derive(Debug)]
pub struct UdpEndpoint {
    /// One socket for peers that dial us and peers that we dial.
    pub endpoint: Endpoint,
    /// Bytes granted for receiving and for sending.
    #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "the program tells its user"))]
    pub buffers: (usize, usize),
    /// Ends when the socket does.
    gone: oneshot::Receiver<()>,
}

impl UdpEndpoint {
    /// Tells the peers, and gives the port back.
    pub async fn close(self, reason: &str) {
        self.endpoint.close(TrunkConfig::OVER, reason.as_bytes());
        // An attempt to reach nobody is waited for in vain.
        let _ = timeout(LAST_WORDS, self.endpoint.wait_idle()).await;
        let address = self.endpoint.local_addr().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        // It keeps the socket of before as well, until something comes in over the new one.
        for _ in 0..2 {
            let _ = self.endpoint.rebind_abstract(Arc::new(Nowhere(address)));
        }
        let _ = timeout(LAST_WORDS, self.gone).await;
    }
}

/// Binds the UDP socket.
///
/// # Errors
/// If the address cannot be had.
pub fn bind(
    address: SocketAddr,
    config: &TrunkConfig,
    tls: quinn::ServerConfig,
    reset_key: Arc<dyn HmacKey>,
) -> Result<UdpEndpoint, TrunkError> {
    let refuse = |source| TrunkError::Bind { address, source };
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).map_err(refuse)?;
    // Asked, not demanded: what was granted is printed at the start, with the advice that fits.
    let _ = socket.set_recv_buffer_size(config.receive_buffer);
    let _ = socket.set_send_buffer_size(config.send_buffer);
    socket.set_nonblocking(true).map_err(refuse)?;
    socket.bind(&address.into()).map_err(refuse)?;
    let buffers = (
        socket.recv_buffer_size().unwrap_or(0),
        socket.send_buffer_size().unwrap_or(0),
    );
    let runtime = Arc::new(quinn::TokioRuntime);
    let (socket, gone) = Datagrams::new(socket.into(), config.datagram_max).map_err(refuse)?;
    let socket = Arc::new(socket);
    let endpoint =
        Endpoint::new_with_abstract_socket(config.endpoint(reset_key), Some(tls), socket, runtime).map_err(refuse)?;
    Ok(UdpEndpoint {
        endpoint,
        buffers,
        gone,
    })
}

/// Accepts peers until the endpoint is closed; those that greet as they should go to `greeted`.
pub async fn accept(endpoint: Endpoint, daemon: Arc<LocalDaemon>, held: Held, greeted: mpsc::Sender<Greeted>) {
    let greetings = Arc::new(Semaphore::new(GREETINGS));
    while let Some(incoming) = endpoint.accept().await {
        // Someone who has not shown that they receive at their address is asked to, once many are underway.
        if greetings.available_permits() < GREETINGS / 2 && !incoming.remote_address_validated() {
            let _ = incoming.retry();
            continue;
        }
        let Ok(permit) = Arc::clone(&greetings).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let (daemon, held, greeted) = (Arc::clone(&daemon), held.clone(), greeted.clone());
        tokio::spawn(async move {
            let from = incoming.remote_address();
            let welcomed = timeout(GREETING_TIME, answer(incoming, &daemon, &held)).await;
            drop(permit);
            match welcomed.unwrap_or(Err(TrunkError::Late("greet"))) {
                Ok(peer) => {
                    debug!(%from, peer = peer.agreement.peer, "a peer has dialled");
                    let _ = greeted.send(peer).await;
                }
                // Of many that are begun while a line is dark one is kept.
                Err(error @ TrunkError::Withdrawn) => debug!(%from, %error, "a connection was given up"),
                Err(error) => warn!(%from, %error, "a connection was refused"),
            }
        });
    }
    info!("no more peers are accepted");
}

async fn answer(incoming: quinn::Incoming, daemon: &LocalDaemon, held: &Held) -> Result<Greeted, TrunkError> {
    let connection = incoming.await?;
    let (control, receiving) = connection.accept_bi().await?;
    greet(connection, control, receiving, daemon, held, None).await
}

/// Exchanges hellos: the dialler first.
pub(in crate::trunk) async fn greet(
    connection: Connection,
    mut control: SendStream,
    receiving: RecvStream,
    daemon: &LocalDaemon,
    held: &Held,
    dialled: Option<&str>,
) -> Result<Greeted, TrunkError> {
    let hello = |peer: &str| {
        let mut hello = bytes::BytesMut::new();
        Notice::Hello(daemon.hello(held.get(peer))).encode(0, &mut hello);
        hello
    };
    if let Some(peer) = dialled {
        control.write_all(&hello(peer)).await?;
    }
    let mut notices = NoticeReader::new(receiving);
    let theirs = match notices.read().await? {
        (_, Notice::Hello(theirs)) => theirs,
        _ => return Err(TrunkError::Late("say hello first")),
    };
    let certificate = certificate_of(&connection)?;
    let agreement = daemon.agree(theirs, &certificate, dialled).inspect_err(|error| {
        connection.close(TrunkConfig::REFUSED, error.to_string().as_bytes());
    })?;
    if dialled.is_none() {
        control.write_all(&hello(&agreement.peer)).await?;
    }
    // Acknowledgements and the ends of circuits must not wait behind data.
    let _ = control.set_priority(CONTROL_PRIORITY);
    Ok(Greeted {
        connection,
        control,
        notices,
        agreement,
        is_ours: dialled.is_some(),
    })
}

/// The certificate that the peer authenticated with.
fn certificate_of(connection: &Connection) -> Result<PeerCertificate, TrunkError> {
    let chain = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    PeerCertificate::from_chain(&chain.unwrap_or_default()).map_err(|error| TrunkError::Identity {
        claimed: String::new(),
        reason: error.to_string(),
    })
}
