//! Rank 11: the person at the keyboard.
//!
//! [`main`] is the whole program: it reads the arguments (`args`), does one command and gives the exit status:
//! 0 done, 1 a mistake of the user or a failure, 2 wrong usage or something missing on this machine.
//!
//! - `run`: the daemon, after everything it needs is read and checked.
//! - `check`: the same reading and checking without running; every mistake at once.
//! - [`mod@bench`]: carriers of distribution compared: what a user measures before he decides.
//! - [`certs`]: makes an authority and certificates.
//! - `cookie`: where the nodes' cookie comes from.
//! - [`demo`]: the main job, shown on this machine with real nodes.
//! - [`errand`]: calls a function, sends a message, or pings, as a native node.
//! - `linkem`: a line with faults, for tests and measurements; hidden.
//! - [`stage`]: nodes, gateways and processes that `demo` and `bench` play on.
//! - [`sim`]: the daemons' code on a simulated network, with faults; for those who change it.
//! - `load`: files → settings and identity, for `run` and `check`.
//! - `log`: what is logged, how, and who decides.
//! - `output`: lines for the person; results on standard output, complaints on standard error.

mod args;
pub mod bench;
pub mod certs;
mod check;
mod cookie;
pub mod demo;
pub mod errand;
mod linkem;
mod log;
mod output;
mod program;
mod run;
pub mod sim;
pub mod stage;

pub use program::main;
