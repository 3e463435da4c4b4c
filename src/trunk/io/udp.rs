//! The UDP endpoint of a daemon, for peers that dial it and peers that it dials.

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
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;

/// Peers are told that the daemon stops; most have heard it sooner.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The endpoint and what the kernel granted it.
#[derive(Debug)]
pub struct UdpEndpoint {
    /// One socket for peers that dial us and peers that we dial.
    pub endpoint: Endpoint,
    /// Bytes granted for receiving and for sending.
    #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "the program tells its user"))]
    pub buffers: (usize, usize),
    /// Ends when the socket does.
    closed: oneshot::Receiver<()>,
}

impl UdpEndpoint {
    /// Tells the peers, and gives the port back.
    pub async fn close(self, reason: &str) {
        self.endpoint.close(TrunkConfig::ENDED, reason.as_bytes());
        // An attempt to reach nobody is waited for in vain.
        let _ = timeout(LAST_WORDS, self.endpoint.wait_idle()).await;
        let address = self.endpoint.local_addr().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        // It keeps the socket of before as well, until something comes in over the new one.
        for _ in 0..2 {
            let _ = self.endpoint.rebind_abstract(Arc::new(Nowhere(address)));
        }
        let _ = timeout(LAST_WORDS, self.closed).await;
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
    let (socket, closed) = Datagrams::new(socket.into(), config.datagram_max).map_err(refuse)?;
    let socket = Arc::new(socket);
    let endpoint =
        Endpoint::new_with_abstract_socket(config.endpoint(reset_key), Some(tls), socket, runtime).map_err(refuse)?;
    Ok(UdpEndpoint {
        endpoint,
        buffers,
        closed,
    })
}
