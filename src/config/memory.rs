use super::settings::Config;
use super::units::size_text;
use crate::endpoint::read_ahead::READ_AHEAD;
use crate::endpoint::underway::BYTES_MAX;
use crate::hub::NAMES_OF_A_PEER;
use crate::session::SessionConfig;

/// What a peer's names may take: those that it has announced, and those that the hub has not heard yet.
const NAMES: u64 = 2 * NAMES_OF_A_PEER as u64;

/// The most memory that a daemon may use, in bytes (docs/ARCHITECTURE.md, "Memory").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorstCase {
    /// Per circuit: data that the local node has not read.
    pub circuit: u64,
    /// For all local nodes.
    pub nodes: u64,
    /// Per peer: data that waits to be sent or acknowledged.
    pub replay: u64,
    /// Per peer, in QUIC: one window per stream for receiving, and twice that for sending.
    pub quic: u64,
    /// Per peer: its names, and notices that it has not read.
    pub notices: u64,
    /// Per connection of a local node: what is read ahead of the peer's credit, and what is underway to the node. How many
    /// connections there are is for the nodes to decide, so this is in no sum.
    pub connection: u64,
    /// In the kernel, for the UDP socket, which counts twice the configured size.
    pub socket: u64,
    /// The sum: local nodes, socket, and all peers.
    pub process: u64,
}

impl Config {
    /// Computes the sums for this configuration. Each peer that dials in and is not in it adds its part.
    pub fn worst_case(&self) -> WorstCase {
        let streams = u64::from(self.gateway.lanes) + 1;
        let quic = self.transport.stream_window.saturating_mul(streams).saturating_mul(3);
        let replay = self.session.replay_budget;
        let peers = self.peers.len() as u64;
        let nodes = self.gateway.memory;
        let transport = &self.transport;
        let socket = (transport.udp_receive_buffer as u64)
            .saturating_add(transport.udp_send_buffer as u64)
            .saturating_mul(2);
        let notices = NAMES + SessionConfig::CONTROL_MAX as u64;
        WorstCase {
            circuit: self.gateway.circuit_budget,
            nodes,
            replay,
            quic,
            notices,
            connection: READ_AHEAD + BYTES_MAX,
            socket,
            process: nodes.saturating_add(socket).saturating_add(
                replay
                    .saturating_add(quic)
                    .saturating_add(notices)
                    .saturating_mul(peers),
            ),
        }
    }
}

impl std::fmt::Display for WorstCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "at most {} per circuit, {} for all local nodes; per peer {} unsent or unacknowledged, {} in QUIC, and {} of names and \
             notices; {} for the UDP socket; {} in total, and {} for each connection of a local node",
            size_text(self.circuit),
            size_text(self.nodes),
            size_text(self.replay),
            size_text(self.quic),
            size_text(self.notices),
            size_text(self.socket),
            size_text(self.process),
            size_text(self.connection),
        )
    }
}
