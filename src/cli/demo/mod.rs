//! `beamway demo`: the main job, shown on this machine with real nodes.
//!
//! [`run`] makes a throw-away authority with certificates, starts two gateways and three pairs of Erlang nodes (one pair
//! over beamway, one over plain distribution, one over distribution with TLS), measures the same rows over each and
//! prints one table. Where no Erlang is in the path, native nodes take the place of the BEAMs, and there is no pair over
//! TLS. All of it lives in one temporary folder and a handful of child processes, and all of it is gone at the end, however
//! the end comes.
//!
//! * `command`: the course of the demo; `screen`: what it says meanwhile;
//! * [`report`]: the figures of a run, as a table and as JSON;
//! * [`rows`]: what is measured, and how a figure becomes a fault when the far node saw something else than was sent;
//! * [`carriers`]: a pair of nodes over beamway, plain distribution or TLS;
//! * [`gateways`], [`nodes`], [`port_mapper`]: what the pairs consist of;
//! * [`protocol`]: what a node is told and what it answers; [`erlang`] with `beamway_demo.erl`, and [`native`]: the nodes;
//! * [`supervise`]: a run that leaves nothing behind; [`workspace`], [`children`]: the folder and the processes.
//!
//! The benchmark `benches/beams.rs` uses the same nodes and rows; for it the parts are public, though not documented.

#[doc(hidden)]
pub mod carriers;
#[doc(hidden)]
pub mod children;
mod command;
#[doc(hidden)]
pub mod erlang;
#[doc(hidden)]
pub mod gateways;
pub mod native;
#[doc(hidden)]
pub mod nodes;
#[doc(hidden)]
pub mod port_mapper;
#[doc(hidden)]
pub mod protocol;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod rows;
mod screen;
#[doc(hidden)]
pub mod supervise;
#[doc(hidden)]
pub mod workspace;

#[cfg(test)]
mod tests;

pub use command::Options;
pub use command::run;
