//! Rank 6: the local end of a circuit, whatever is attached to it: a BEAM's leg, a native node, a simulated one.
//!
//! - [`io::session`]: how an endpoint and the task that owns the session talk.
//! - [`packets`]: what frames carry, as the packets of a connection to a node.

pub mod io;
pub mod packets;

#[cfg(test)]
mod tests;
