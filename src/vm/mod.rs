//! Rank 8: where an Erlang VM attaches that has the carrier inside (`erl -proto_dist beamway`).
//!
//! Its packets cross between VM and library in batches, since each crossing costs as much as a small message. There are no sockets
//! here: the NIF in `erlang/native` calls these types on the threads of the VM and of the runtime.
//!
//! - [`Outgoing`]: the packets that the VM has queued for a node become signals for its circuit.
//! - [`Incoming`]: the signals of a circuit become memory blocks full of packets for the VM.

mod incoming;
mod outgoing;

#[cfg(test)]
mod tests;

pub use incoming::Batch;
pub use incoming::Block;
pub use incoming::Incoming;
pub use outgoing::Outgoing;
