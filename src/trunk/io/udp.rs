//! The UDP endpoint of a daemon, for incoming and outgoing connections.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::Endpoint;
use quinn::crypto::HmacKey;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::datagrams::Datagrams;
use super::nowhere::Nowhere;
use crate::trunk::SendErrors;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;

/// The time to tell peers that the daemon stops. Most have been told before.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The QUIC endpoint, and the buffer sizes that the kernel granted.
#[derive(Debug)]
pub struct UdpEndpoint {
    /// The endpoint. One socket serves incoming and outgoing connections.
    pub endpoint: Endpoint,
    /// The granted sizes in bytes of the receive buffer and the send buffer.
    #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "the program tells its user"))]
    pub buffers: (usize, usize),
    /// Completes when the socket is closed.
    closed: oneshot::Receiver<()>,
}

impl UdpEndpoint {
    /// Closes all connections with `reason`, and releases the port.
    pub async fn close(self, reason: &str) {
        self.endpoint.close(TrunkConfig::ENDED, reason.as_bytes());
        // The timeout is needed because an attempt to dial an unreachable peer would keep the endpoint busy.
        let _ = timeout(LAST_WORDS, self.endpoint.wait_idle()).await;
        let address = self.endpoint.local_addr().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        // quinn keeps the previous socket too, until something arrives on the new one. So its socket is replaced twice.
        for _ in 0..2 {
            let _ = self.endpoint.rebind_abstract(Arc::new(Nowhere(address)));
        }
        let _ = timeout(LAST_WORDS, self.closed).await;
    }
}

/// Binds a UDP socket. Without `tls` it serves outgoing connections only.
///
/// What the kernel does not send is recorded in `errors`.
///
/// # Errors
/// If the address cannot be bound.
pub fn bind(
    address: SocketAddr,
    config: &TrunkConfig,
    tls: Option<quinn::ServerConfig>,
    reset_key: Arc<dyn HmacKey>,
    errors: SendErrors,
) -> Result<UdpEndpoint, TrunkError> {
    let refuse = |source| TrunkError::Bind { address, source };
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).map_err(refuse)?;
    // The kernel may grant less. The granted sizes are printed at start, with advice if they are too small.
    let _ = socket.set_recv_buffer_size(config.receive_buffer);
    let _ = socket.set_send_buffer_size(config.send_buffer);
    socket.set_nonblocking(true).map_err(refuse)?;
    socket.bind(&address.into()).map_err(refuse)?;
    let buffers = (
        socket.recv_buffer_size().unwrap_or(0),
        socket.send_buffer_size().unwrap_or(0),
    );
    let runtime = Arc::new(quinn::TokioRuntime);
    let (socket, closed) = Datagrams::new(socket.into(), config.datagram_max, errors).map_err(refuse)?;
    let socket = Arc::new(socket);
    let endpoint =
        Endpoint::new_with_abstract_socket(config.endpoint(reset_key), tls, socket, runtime).map_err(refuse)?;
    Ok(UdpEndpoint {
        endpoint,
        buffers,
        closed,
    })
}
