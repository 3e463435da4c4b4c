use std::fmt;

use tracing::info;

use crate::fields::List;

/// What a daemon says of itself when it serves: name, addresses and settings.
#[derive(Debug)]
pub(crate) struct Banner {
    pub(super) name: String,
    /// Where peers find it.
    pub(super) quic: String,
    /// Where nodes find the port mapper.
    pub(super) port_mapper: Vec<String>,
    /// The host parts of its nodes.
    pub(super) hosts: Vec<String>,
    pub(super) lanes: u8,
    pub(super) key_exchange: String,
    /// Sizes of the receive buffer and the send buffer of its UDP socket, in KiB.
    pub(super) buffers: (usize, usize),
    /// The peers that it dials, with their addresses.
    pub(super) peers: Vec<String>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Banner {
    /// Tells it in the log.
    pub(crate) fn log(&self) {
        let (receive, send) = self.buffers;
        info!(
            version = VERSION,
            name = self.name,
            quic = self.quic,
            port_mapper = List::of(&self.port_mapper).value(),
            hosts = List::of(&self.hosts).value(),
            lanes = self.lanes,
            key_exchange = self.key_exchange,
            udp_receive_kib = receive,
            udp_send_kib = send,
            peers = List::of(&self.peers).value(),
            "the daemon serves"
        );
    }
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (receive, send) = self.buffers;
        write!(
            f,
            "beamway {VERSION} {name}: QUIC {quic}, port mapper {epmd}, hosts {hosts}, {lanes} lanes, aws-lc-rs {exchange}, \
             UDP buffers {receive} and {send} KiB, peers: {peers}",
            name = self.name,
            quic = self.quic,
            epmd = self.port_mapper.join(" "),
            hosts = self.hosts.join(" "),
            lanes = self.lanes,
            exchange = self.key_exchange,
            peers = if self.peers.is_empty() {
                "none".to_owned()
            } else {
                self.peers.join(", ")
            },
        )
    }
}
