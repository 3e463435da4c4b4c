//! `beamway demo`: the main job, shown on this machine with real nodes.
//!
//! [`run`] makes a throw-away authority with certificates, starts two gateways and three pairs of Erlang nodes (one pair
//! over beamway, one over plain distribution, one over distribution with TLS), measures the same rows over each and
//! prints one table. Where no Erlang is in the path, native nodes take the place of the BEAMs, and there is no pair over
//! TLS. All of it lives in one temporary folder and a handful of child processes, and all of it is gone at the end, however
//! the end comes.
//!
//! * `command`: the course of the demo;
//! * [`report`]: the figures of a run, as a table and as JSON;
//! * [`rows`]: what is measured, and how a figure becomes a fault when the far node saw something else than was sent;
//! * [`native`]: nodes that are no BEAMs.

mod command;
pub mod native;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod rows;

#[cfg(test)]
mod tests;

pub use command::Options;
pub use command::run;
