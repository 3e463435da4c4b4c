//! `beamway linkem`: emulated network paths with faults, for tests and measurements.
//!
//! A [`Cable`] joins two network namespaces by a TUN device in each. TCP and QUIC cross the same path, so a comparison is
//! fair. Each direction is a [`Line`] with delay, jitter, loss (at random or in bursts), bandwidth with a drop-tail buffer,
//! duplication, reordering, and a blackout switch, all from a seed.
//!
//! - `config`: the settings of a direction, and the words for them.
//! - `machine`: what happens to a packet that arrives now; pure, tested in virtual time.
//! - `cable`: namespaces, devices, and a thread for each direction.
//! - `stats`: counters of packets.
//!
//! The daemon does not use it.

mod cable;
mod command;
mod config;
mod error;
mod machine;
mod stats;

#[cfg(test)]
mod tests;

pub use cable::Cable;
pub use cable::Direction;
pub use cable::End;
pub(in crate::lab) use command::run;
pub use config::LineConfig;
pub use error::LinkemError;
pub use machine::Line;
pub use stats::LineStats;
