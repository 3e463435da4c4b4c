//! Rank 14: what shows, measures and shakes beamway: behind the feature `lab`, never in a daemon's way.
//!
//! - [`demo`]: the main job, shown on this machine with real nodes.
//! - [`mod@bench`]: carriers of distribution compared: what a user measures before he decides.
//! - [`testbed`]: nodes, gateways and processes that `demo` and `bench` run on.
//! - [`sim`]: the daemons' code on a simulated network, with faults; for those who change it.
//! - [`linkem`]: a network path with faults between two namespaces, for tests and measurements.
//! - `args`: what can be asked for; `program`: which module does it.

mod args;
pub mod bench;
pub mod demo;
pub mod linkem;
mod program;
pub mod sim;
pub mod testbed;

pub use args::Command;
pub use program::execute;
