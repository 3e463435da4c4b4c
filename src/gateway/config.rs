use std::time::Duration;

/// Settings of legs.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The nodes' `net_ticktime`: a local node that is silent for so long is taken for dead. It must match the nodes'
    /// own setting, whose default is 60 s; they send at least four times within it.
    pub net_ticktime: Duration,
    /// How long a handshake may take in all. A node gives up after 7 s a step (`net_setuptime`), and there are four.
    pub handshake_time: Duration,
    /// How long a node may take to close its side after we have closed ours.
    pub linger: Duration,
    /// Asked of the kernel for what is written to a node and not read yet. Little, so that small signals on other lanes
    /// pass bulk before it; enough to keep a loopback connection busy while the task does something else.
    pub send_buffer: usize,
    /// Asked of the kernel for what a node has written and we have not read. Once a circuit has no more credit, small signals
    /// wait behind all of that, and the kernel's own choice is several megabytes: half a second of 100 Mbit/s.
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

    /// How often a silent leg is ticked: four times within the ticktime as nodes do, and at least every second, so that
    /// nodes with a short ticktime of their own stay content.
    pub fn tick_interval(&self) -> Duration {
        (self.net_ticktime / 4).min(Duration::from_secs(1))
    }
}
