use std::sync::Arc;
use std::time::Duration;

use quinn::EndpointConfig;
use quinn::IdleTimeout;
use quinn::MtuDiscoveryConfig;
use quinn::TransportConfig;
use quinn::VarInt;
use quinn::crypto::HmacKey;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::crypto::rustls::QuicServerConfig;

use crate::congestion::Algorithm;
use crate::congestion::Counting;
use crate::session::SessionConfig;

/// How long datagrams stay small after large ones appeared to be lost, before larger ones are tried again.
const DISCOVERY_PAUSE: Duration = Duration::from_secs(5);

/// How long after a search for the largest datagram the next one begins. A path may have become wider, or dropped everything
/// during the last search. Where a search finds nothing it costs some 30 datagrams.
pub(crate) const DISCOVERY_INTERVAL: Duration = Duration::from_secs(20);

/// Settings of trunks, and the QUIC settings that follow from them.
#[derive(Clone, Debug)]
pub struct TrunkConfig {
    /// The number of lanes in each direction that the daemon wants: how many streams a peer may open.
    pub lanes: u8,
    /// The maximum number of bytes of one lane in flight. Expected bandwidth × round trip / lanes in use: 1 Gbit/s × 20 ms
    /// = 2.5 MB over a few busy lanes.
    pub stream_window: u32,
    /// How long a peer may be silent before the trunk counts as lost. It bounds how long the loss of a host goes unnoticed.
    pub idle_timeout: Duration,
    /// The interval of keep-alive packets on a silent trunk: several per idle timeout, so that one lost packet does not
    /// end the trunk.
    pub keep_alive: Duration,
    /// The size in bytes requested for the socket's receive buffer. The kernel's default holds fewer than 100 full packets.
    pub receive_buffer: usize,
    /// The size in bytes requested for the socket's send buffer.
    pub send_buffer: usize,
    /// The size in bytes of the largest datagram that is sent to the peer (if the path carries it) or accepted from it: 1200
    /// to 16,200, since the kernel takes 64 KiB at once. Fewer, larger datagrams cost less, where the network carries them.
    pub datagram_max: u16,
    /// The congestion control algorithm, which bounds the bytes in flight.
    pub congestion: Algorithm,
}

/// Defaults. For those that a user can set, the reasons are documented next to their limits, in the module `config`.
impl TrunkConfig {
    pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
    pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
    pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(3);
    pub(crate) const UDP_BUFFER: usize = 4 << 20;
    pub(crate) const DATAGRAM_MAX: u16 = 16_200;
}

impl Default for TrunkConfig {
    fn default() -> Self {
        Self {
            lanes: SessionConfig::LANES,
            stream_window: Self::STREAM_WINDOW,
            idle_timeout: Self::IDLE_TIMEOUT,
            keep_alive: Self::KEEP_ALIVE,
            receive_buffer: Self::UDP_BUFFER,
            send_buffer: Self::UDP_BUFFER,
            datagram_max: Self::DATAGRAM_MAX,
            congestion: Algorithm::default(),
        }
    }
}

impl TrunkConfig {
    /// The QUIC transport parameters.
    ///
    /// No lane may ever wait for another one. So the receive window of the connection is as large as the windows of all
    /// lanes together. The send buffer is twice that, because quinn counts bytes there until they are acknowledged, which
    /// is after the peer has read them.
    pub fn transport(&self) -> TransportConfig {
        let streams = u32::from(self.lanes) + 1;
        let all = self.stream_window.saturating_mul(streams);
        let mut discovery = MtuDiscoveryConfig::default();
        // quinn sometimes mistakes bursts of loss among datagrams of many sizes for a path that drops large ones. Only probes
        // can tell the difference, and they cost little.
        discovery
            .upper_bound(self.datagram_max)
            .black_hole_cooldown(DISCOVERY_PAUSE)
            .interval(DISCOVERY_INTERVAL);
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(1u8.into())
            .max_concurrent_uni_streams(self.lanes.into())
            .stream_receive_window(self.stream_window.into())
            .receive_window(all.into())
            .send_window(u64::from(all) * 2)
            .datagram_receive_buffer_size(None)
            .mtu_discovery_config(Some(discovery))
            .keep_alive_interval(Some(self.keep_alive))
            .congestion_controller_factory(Arc::new(Counting(self.congestion.factory())))
            .max_idle_timeout(IdleTimeout::try_from(self.idle_timeout).ok());
        transport
    }

    /// The QUIC configuration for peers that dial this daemon.
    pub fn server(&self, tls: Arc<rustls::ServerConfig>) -> Result<quinn::ServerConfig, String> {
        let crypto = QuicServerConfig::try_from(tls).map_err(|error| error.to_string())?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        // The number of half-open handshakes: beyond it, a client must retransmit its first packet. Little is buffered, since
        // 0-RTT is not used.
        config
            .max_incoming(1024)
            .incoming_buffer_size(64 * 1024)
            .incoming_buffer_size_total(4 << 20);
        config.transport_config(Arc::new(self.transport()));
        Ok(config)
    }

    /// The QUIC configuration for peers that this daemon dials.
    pub fn client(&self, tls: Arc<rustls::ClientConfig>) -> Result<quinn::ClientConfig, String> {
        let crypto = QuicClientConfig::try_from(tls).map_err(|error| error.to_string())?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(self.transport()));
        Ok(config)
    }

    /// The configuration of the UDP endpoint. `reset_key` is the key of stateless resets.
    pub fn endpoint(&self, reset_key: Arc<dyn HmacKey>) -> EndpointConfig {
        let mut config = EndpointConfig::new(reset_key);
        // This fails only below 1200, which no setting allows. In that case QUIC's own limit applies.
        let _ = config.max_udp_payload_size(self.datagram_max);
        config
    }

    /// Close code: the connection was dropped. The session is not affected. quinn sends it when its handle is dropped.
    pub const DROPPED: VarInt = VarInt::from_u32(0);
    /// Close code: the connection is not needed, because there is a session already.
    pub const DUPLICATE: VarInt = VarInt::from_u32(1);
    /// Close code: the peer was refused.
    pub const REFUSED: VarInt = VarInt::from_u32(2);
    /// Close code: the session has ended on the side that closes.
    pub const ENDED: VarInt = VarInt::from_u32(4);
    /// Close code: the other side broke the protocol.
    pub const BROKEN: VarInt = VarInt::from_u32(3);
}
