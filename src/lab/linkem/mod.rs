//! Rank 10: a line with faults, for tests and measurements: the tool behind `beamway linkem`.
//!
//! A [`Cable`] joins two network namespaces by a TUN device in each; whatever crosses it, TCP or QUIC, crosses the same
//! line, so that a comparison is fair. Each direction is a [`Line`] with delay, jitter, loss (by chance or in bursts), a
//! rate with a drop-tail buffer, duplicates, reordering, and a blackout switch, all by a seed.
//!
//! - `config`: what a direction does, and the words that say it.
//! - `machine`: what happens to a packet that comes in now; pure, tested in virtual time.
//! - `cable`: namespaces, devices, and a thread for each direction.
//! - `stats`: what became of the packets.
//!
//! It uses nothing else of beamway and nothing but the command line uses it; the real daemon never sees it.

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
