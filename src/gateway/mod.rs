//! Rank 8: where BEAMs attach.
//!
//! [`io::gateway`] attaches each BEAM that registers at the port mapper to the hub, and answers look-ups of remote nodes by
//! *personas*, listeners that stand for these. Each TCP connection of a BEAM is a *leg* with a task of its own: first the
//! handshake is relayed between the two real nodes by [`Relay`](crate::dist::Relay), then packets and signals are translated.
//!
//! A daemon without BEAMs runs no gateway.

mod config;
mod error;
pub mod io;

pub use config::GatewayConfig;
pub use error::LegError;
