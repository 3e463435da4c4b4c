use std::time::Duration;

/// Settings of legs.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The longest `net_ticktime` of the local nodes, whose default is 60 s. The leg of a node that is silent for twice this time is
    /// closed; after this time, if the peer cannot be told of its silence.
    pub net_ticktime: Duration,
    /// Time-out of a whole handshake. A node gives up after 7 s per step (`net_setuptime`), and there are four steps.
    pub handshake_time: Duration,
    /// How long a node may take to close its end after we have closed ours.
    pub linger: Duration,
    /// Size in bytes of the kernel buffer for data written to a node. It is small, so that small signals on other lanes
    /// overtake bulk data, but large enough to keep a loopback connection busy while the task does something else.
    pub send_buffer: usize,
    /// Size in bytes of the kernel buffer for data received from a node. Once a circuit has no credit left, small signals
    /// wait behind all of this data. The kernel's default is several megabytes, which is half a second at 100 Mbit/s.
    pub receive_buffer: u32,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            net_ticktime: Self::NET_TICKTIME,
            handshake_time: Duration::from_secs(30),
            linger: Duration::from_secs(5),
            send_buffer: 256 * 1024,
            receive_buffer: 256 * 1024,
        }
    }
}

impl GatewayConfig {
    /// Erlang's own default.
    pub const NET_TICKTIME: Duration = Duration::from_secs(60);

    /// Interval of heartbeats on a silent leg: four per tick time, as nodes do, and at least one per second, for nodes with a
    /// short tick time of their own.
    pub fn tick_interval(&self) -> Duration {
        (self.net_ticktime / 4).min(Duration::from_secs(1))
    }
}
