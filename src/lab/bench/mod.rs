//! `beamway bench`: carriers of distribution compared in one run, on this machine, with real nodes.
//!
//! [`run`] starts a pair of nodes over each carrier and measures row after row over all of them, round after round, so that
//! what else the machine does falls on all alike. Every message is counted and compared where it arrives.
//!
//! - [`findings`]: what a run found; `--json` prints it, and an interrupted run is resumed from it.
//! - [`report`]: what of it a person is shown.
//! - `command`: what is asked for, from the first node to the report; `store`: the folder of a run.
//! - `plan`: what is measured, and how long; `rows`: the rows; `quantiles`: where times are looked at.
//! - `rounds`: the course of a run; a disturbed measurement is repeated.
//! - `cluster`: the nodes over one carrier; `near`: the node that measures, ours or not; `measure`: a row over it; `protocol`,
//!   `modules` with `beamway_bench.erl`: what the nodes do.
//! - `between`: two nodes that are there already.
//! - `network_path`: rate, delay and loss of an emulated network path; `emulation`: two network namespaces joined by one.
//! - `machine`: what `/proc` says.

mod between;
mod cluster;
mod command;
mod emulation;
pub mod findings;
mod machine;
mod measure;
mod modules;
mod near;
mod network_path;
mod plan;
mod protocol;
mod quantiles;
pub mod report;
mod rounds;
mod rows;
mod store;

pub use between::Between;
pub use command::Options;
pub use command::carrier;
pub use command::other;
pub use command::run;
#[doc(hidden)]
pub use modules::MODULES;
pub use plan::Extent;
