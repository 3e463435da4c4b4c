//! Rank 6: the local end of a circuit, whatever is attached to it: a BEAM's leg, a native node, a simulated one.
//!
//! An [`Endpoint`](io::endpoint::Endpoint) opens a circuit or accepts one, and passes handshake messages. Once both nodes
//! have agreed it is established: a [`SignalSender`](io::endpoint::SignalSender) and a
//! [`SignalReceiver`](io::endpoint::SignalReceiver), each with an asynchronous face (`send`, `receive`) and one that never
//! waits (`try_send`, `try_receive`, with wake-ups that any thread can use). It ends when the far side closes the circuit, the
//! session ends, or we [close](io::endpoint::CircuitHandle::close) it.
//!
//! - [`read_ahead`]: how far an endpoint may send ahead of its circuit's credit; [`underway`]: what the session may hand to it.
//! - [`packets`]: what frames carry, as the packets of a connection to a node.
//! - [`io::session`]: what endpoints and the task that owns a session say to each other; [`io::attachment`]: the session's
//!   side of an endpoint.

mod error;
pub mod io;
pub mod packets;
pub mod read_ahead;
pub mod underway;

#[cfg(test)]
mod tests;

pub use error::Closed;
pub use error::TrySendError;
