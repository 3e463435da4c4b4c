use std::time::Duration;

use crate::etf::Limits;

/// Limits and time-outs of one node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The bound of each mailbox, and what happens beyond it.
    pub mailbox: MailboxBound,
    /// Bytes that one connection may bring for mailboxes that are full. Beyond that, the connection is not read until some of
    /// these messages are received. Everything else on the connection waits too, so the limit is generous.
    pub arrears: usize,
    /// Bytes that may wait to be written to one node before senders to that node wait.
    pub outlet: usize,
    /// Bytes that may wait to be written in any case. A node that makes this one send replies, and does not read them, loses
    /// its connection at this limit.
    pub outlet_max: usize,
    /// Maximum size in bytes of one message from another node, and of all partly received messages on one connection
    /// together.
    pub message: usize,
    /// Limits on decoding terms from other nodes.
    pub limits: Limits,
    /// Silence after which a connection is closed. Over plain distribution it must match `net_ticktime` of the other node; over lanes
    /// it begins when the other daemon tells that its node is silent.
    pub net_ticktime: Duration,
    /// Time for a connection to be established (`net_setuptime`).
    pub setup_time: Duration,
    /// With this many processes, spawn requests of other nodes are refused with `system_limit`. Local spawning is not limited.
    pub processes: usize,
    /// Time that processes have to end when the node stops.
    pub stop_time: Duration,
}

/// A bound on what waits for one process. It can be exceeded by one message, or by one run of messages (16 KiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxBound {
    /// Number of messages.
    pub messages: usize,
    /// Bytes: as received from other nodes, or an estimate for terms of this node.
    pub bytes: usize,
    /// What happens to further messages.
    pub when_full: WhenFull,
}

/// What happens to a message for a full mailbox. Exit signals, `DOWN` and other entries that are not messages are always
/// delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The sender is slowed down. A sender on this node waits; one on another node is held up by circuit credit or TCP flow
    /// control.
    #[default]
    Wait,
    /// The message is lost and nobody waits. Meant for data that soon becomes out of date.
    Drop,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            mailbox: MailboxBound {
                messages: 16 * 1024,
                bytes: 4 << 20,
                when_full: WhenFull::default(),
            },
            arrears: 16 << 20,
            outlet: 256 << 10,
            outlet_max: 64 << 20,
            message: 64 << 20,
            limits: Limits::default(),
            net_ticktime: Duration::from_secs(60),
            setup_time: Duration::from_secs(7),
            processes: 1 << 20,
            stop_time: Duration::from_secs(5),
        }
    }
}

impl NodeConfig {
    /// Interval of heartbeats on a connection that is otherwise idle: four per tick time, as other nodes do, but at least one
    /// per second, since the tick time of the other node is not known.
    pub fn tick_interval(&self) -> Duration {
        (self.net_ticktime / 4).clamp(Duration::from_millis(50), Duration::from_secs(1))
    }
}
