//! Rank 6: where BEAMs attach.
//!
//! The [`driver`] owns what the host knows: its registered nodes, the peers' nodes, the *personas* (listeners that stand
//! for remote nodes). Each TCP connection of a BEAM is a *leg* with a task of its own ([`client`] towards local nodes,
//! [`server`] for their connections to personas, [`handle`] for what both do): first the handshake is relayed between
//! the two real nodes by [`Relay`], then packets and signals are translated.

mod config;
mod error;
pub mod io;

pub use config::GatewayConfig;
pub use error::LegError;
