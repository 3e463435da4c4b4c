//! Rank 7: the directory of a daemon: which nodes are where, and who may speak for whom.
//!
//! - [`Hub`] is the machine: local nodes attach to it, peers announce their nodes, and each look-up considers both. All
//!   announcements are kept; who holds a name is decided at look-up.
//! - [`Scope`]: which nodes a list of names holds.
//! - [`HostPorts`]: where the host of a node is dialled that nobody has announced.
//! - [`Starting`]: how long questions wait for peers that are being dialled.
//! - [`io::task`] runs it. Sessions report peers to it, and the gateway and native nodes report local nodes.
//! - [`io::directory`]: the requests to that task.

mod announcements;
mod answer;
mod error;
pub mod io;
mod machine;
mod names;
mod outbox;
mod ports;
mod starting;

#[cfg(test)]
mod tests;

pub use announcements::NAMES_OF_A_PEER;
#[cfg(any(test, feature = "internals"))]
pub use announcements::NODES_OF_A_PEER;
pub use answer::Announced;
pub use answer::Answer;
pub use answer::Moved;
pub use error::AttachError;
pub use error::OpenError;
pub use error::Unreachable;
pub use machine::Hub;
pub use names::Scope;
pub use ports::HostPorts;
pub use starting::Starting;
