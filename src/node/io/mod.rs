//! Tasks and connections of a native node.
//!
//! - `start`: the builder of a node, its listener, its registration; `node`: the state that all its tasks share; `context`: a
//!   process as its own code uses it.
//! - `connect`: connects to another node in one of two `ways`: through the port mapper and TCP, or through a daemon of this
//!   process.
//! - `tcp`: a connection over TCP, from its handshake to its end; `circuit`: the same over a session.

pub(super) mod circuit;
pub(super) mod connect;
pub(super) mod context;
pub(super) mod node;
pub(super) mod start;
pub(super) mod tcp;
pub(super) mod ways;

#[cfg(test)]
mod tests;
