//! Rank 7: the directory of a daemon: which nodes are where, and who may speak for whom.
//!
//! - [`Hub`] is the machine: local nodes attach to it, peers announce theirs, and every look-up is answered from both. What
//!   peers announced is kept whole; who holds a name is decided when it is asked for.
//! - [`io::task`] runs it: it hears of peers from their sessions, and of local nodes from the gateway and from native nodes.
//! - [`io::directory`]: how those ask.

mod announcements;
mod error;
pub mod io;
mod machine;

#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "internals"))]
pub use announcements::HOSTS_OF_A_NODE;
#[cfg(any(test, feature = "internals"))]
pub use announcements::NODES_OF_A_PEER;
pub use error::AttachError;
pub use error::OpenError;
pub use error::Unreachable;
pub use machine::Announced;
pub use machine::Answer;
pub use machine::Hub;
pub use machine::Moved;
