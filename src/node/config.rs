use std::time::Duration;

use crate::etf::Limits;

/// What one node takes before it slows others down, and how long it waits.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// What a mailbox holds, and what happens to more.
    pub mailbox: MailboxBound,
    /// Bytes that a connection may bring for mailboxes that are full; then nothing more is read from it until they are
    /// received. Everything else on that connection waits meanwhile, so it is generous.
    pub arrears: usize,
    /// Bytes that may wait to be written to one node; then those who send to it wait.
    pub outlet: usize,
    /// Bytes that may wait in any case: what a node makes us answer without reading the answers ends its connection here.
    pub outlet_max: usize,
    /// Bytes of one message from outside, and of all that have arrived only in part on one connection.
    pub message: usize,
    /// What a term from outside may cost.
    pub limits: Limits,
    /// Silence after which a connection is given up; it must match the other nodes' `net_ticktime`.
    pub net_ticktime: Duration,
    /// Time for a connection to come up (`net_setuptime`).
    pub setup_time: Duration,
    /// Processes there may be when another node asks for one more.
    pub processes: usize,
    /// Time for processes to end when the node stops.
    pub stop_time: Duration,
}

/// A bound of what waits for one process. One message more than fits is always taken, or one run of them (16 KiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxBound {
    /// Messages.
    pub messages: usize,
    /// Bytes, as they came or as the terms were made.
    pub bytes: usize,
    /// What happens then.
    pub when_full: WhenFull,
}

/// What happens to a message whose mailbox is full. Exits, monitors and all else that is no message always come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Its sender is slowed down: on this node it waits, on another the credit of its circuit holds it up, or the socket.
    #[default]
    Wait,
    /// It is lost, and nobody waits: for what is out of date soon.
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
    /// How often a connection that is otherwise idle says that we are alive: four times in a tick time, as nodes do, but
    /// at least each second, since another node's tick time is not known.
    pub fn tick_interval(&self) -> Duration {
        (self.net_ticktime / 4).clamp(Duration::from_millis(50), Duration::from_secs(1))
    }
}
