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

/// How long datagrams stay small once large ones seemed to get lost, before larger ones are tried again.
const DISCOVERY_PAUSE: Duration = Duration::from_secs(5);

/// Settings of trunks, with their arithmetic.
#[derive(Clone, Debug)]
pub struct TrunkConfig {
    /// Lanes in each direction that the daemon wants: how many streams a peer may open.
    pub lanes: u8,
    /// Bytes of one lane underway, at most. Expected bandwidth × round trip / lanes in use: 1 Gbit/s × 20 ms = 2.5 MB
    /// over a few busy lanes.
    pub stream_window: u32,
    /// How long a peer may be silent before the trunk is lost. It bounds how long the loss of a host goes unnoticed.
    pub idle_timeout: Duration,
    /// How often a silent trunk is kept alive: several times within the idle timeout, so that one loss does not end it.
    pub keep_alive: Duration,
    /// Bytes asked of the kernel for what arrived and was not read. Its default holds fewer than 100 full packets.
    pub receive_buffer: usize,
    /// Bytes asked of the kernel for what is to leave.
    pub send_buffer: usize,
    /// Bytes of the largest datagram that is tried on the way to the peer, and taken from it: 1200 to 16,200, since
    /// the kernel takes 64 KiB at once. Fewer and larger ones cost less, where the network carries them.
    pub datagram_max: u16,
    /// How much may be under way.
    pub congestion: Algorithm,
}

/// Defaults. Those that a user can set have their reasons beside their limits, in the module `config`.
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
    /// QUIC's settings.
    ///
    /// No lane may ever wait for another, so the connection's windows hold what all lanes' windows hold, and the send
    /// buffer twice that: quinn counts bytes there until they are acknowledged, after the peer has read them.
    pub fn transport(&self) -> TransportConfig {
        let streams = u32::from(self.lanes) + 1;
        let all = self.stream_window.saturating_mul(streams);
        let mut discovery = MtuDiscoveryConfig::default();
        // Loss in bursts, among datagrams of many sizes, is taken now and then for a way that large ones do not pass. Only
        // probes find out, and they cost little.
        discovery
            .upper_bound(self.datagram_max)
            .black_hole_cooldown(DISCOVERY_PAUSE);
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

    /// QUIC's settings for peers that dial us.
    pub fn server(&self, tls: Arc<rustls::ServerConfig>) -> Result<quinn::ServerConfig, String> {
        let crypto = QuicServerConfig::try_from(tls).map_err(|error| error.to_string())?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        // Half-open handshakes kept: beyond it newcomers wait for their own retry. We use no 0-RTT, so little is buffered.
        config
            .max_incoming(1024)
            .incoming_buffer_size(64 * 1024)
            .incoming_buffer_size_total(4 << 20);
        config.transport_config(Arc::new(self.transport()));
        Ok(config)
    }

    /// QUIC's settings for peers that we dial.
    pub fn client(&self, tls: Arc<rustls::ClientConfig>) -> Result<quinn::ClientConfig, String> {
        let crypto = QuicClientConfig::try_from(tls).map_err(|error| error.to_string())?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(self.transport()));
        Ok(config)
    }

    /// Settings of the UDP endpoint, with the key of stateless resets.
    pub fn endpoint(&self, reset_key: Arc<dyn HmacKey>) -> EndpointConfig {
        let mut config = EndpointConfig::new(reset_key);
        // Fails below 1200, which no setting allows: then QUIC's own bound holds.
        let _ = config.max_udp_payload_size(self.datagram_max);
        config
    }

    /// Code of a connection that was dropped: it says nothing of the session. quinn sends it when its handle is dropped.
    pub const DROPPED: VarInt = VarInt::from_u32(0);
    /// Code of a connection that is not needed: there is a session already.
    pub const DUPLICATE: VarInt = VarInt::from_u32(1);
    /// Code of a connection whose peer was refused.
    pub const REFUSED: VarInt = VarInt::from_u32(2);
    /// Code of a connection whose session has ended on our side.
    pub const ENDED: VarInt = VarInt::from_u32(4);
    /// Code of a connection whose peer broke the protocol.
    pub const BROKEN: VarInt = VarInt::from_u32(3);
}
