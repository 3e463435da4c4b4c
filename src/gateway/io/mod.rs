//! Sockets and tasks of a gateway.
//!
//! - [`gateway`]: the task that answers the port mapper and attaches BEAMs to the hub.
//! - `persona`: a listener that stands for a remote node; a BEAM's connection to it opens a circuit.
//! - `accept`: connects a circuit that a peer opens to the local BEAM.
//! - `direct`: looks which nodes of other hosts have bypassed the gateways.
//! - `leg`: the connection to one BEAM, from its handshake to its end, whichever side opened it.

mod accept;
mod direct;
pub mod gateway;
mod leg;
mod persona;
