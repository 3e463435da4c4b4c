//! Sockets and tasks of a gateway.
//!
//! - [`gateway`]: the task that answers the port mapper and attaches BEAMs to the hub.
//! - `persona`: a listener that stands for a remote node; a BEAM's connection to it opens a circuit.
//! - `accept`: a circuit that a peer opens; it is connected to the local BEAM.
//! - `leg`: what both lead to: one BEAM's connection, from the handshake to its end.

mod accept;
pub mod gateway;
mod leg;
mod persona;
