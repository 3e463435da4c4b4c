//! Rank 6: the local end of a circuit, for a BEAM's leg, a native node or a simulated node.
//!
//! An [`Endpoint`](io::endpoint::Endpoint) opens or accepts a circuit, and passes handshake messages. When both nodes have agreed,
//! it becomes a [`SignalSender`](io::endpoint::SignalSender) and a [`SignalReceiver`](io::endpoint::SignalReceiver). Each has an
//! asynchronous interface (`send`, `receive`) and a non-blocking one (`try_send`, `try_receive`, with wake-ups for any thread).
//! An endpoint ends when the far side closes the circuit, the session ends, or
//! [`close`](io::endpoint::CircuitHandle::close) is called.
//!
//! - [`Follower`]: the handshake of the two nodes, as the local end passes it on.
//! - [`read_ahead`]: how far an endpoint may send ahead of its circuit's credit. [`underway`]: how much the session may hand to it.
//! - [`packets`]: conversion between frames and the packets of a connection to a node.
//! - [`SessionReport`]: what a session tells about itself.
//! - [`io::near`]: connecting to a node of this host, at whichever address it listens.
//! - [`io::session`]: the messages between endpoints and the task that owns a session. [`io::attachment`]: the session's side of
//!   an endpoint.

mod error;
mod follower;
pub mod io;
pub mod packets;
pub mod read_ahead;
mod report;
pub mod underway;

#[cfg(test)]
mod tests;

pub use error::Closed;
pub use error::NotFound;
pub use error::TrySendError;
pub use follower::FollowError;
pub use follower::Follower;
pub use report::Nodes;
pub use report::Outages;
pub use report::SessionReport;
pub use report::TrunkReport;
