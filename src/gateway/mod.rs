//! Rank 8: where BEAMs attach.
//!
//! [`io::gateway`] attaches each BEAM that registers with the port mapper to the hub. It answers look-ups of remote nodes
//! with *personas*: listening ports that stand for remote nodes. Each TCP connection with a BEAM is a *leg* with a task of
//! its own: first [`Relay`](crate::dist::Relay) relays the handshake between the two real nodes, then packets and signals are
//! translated.
//!
//! A daemon without BEAMs runs no gateway. [`Hosts`]: which host parts of node names mean this machine.

mod config;
mod direct;
mod error;
mod hosts;
pub mod io;
mod silence;

pub use config::GatewayConfig;
pub use error::LegError;
pub use hosts::Hosts;
