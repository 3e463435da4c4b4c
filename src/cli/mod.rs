//! Rank 13: the command line.
//!
//! [`execute`] runs one [`Command`] and gives the exit status: 0 success, 1 failure, 2 wrong usage or something missing on
//! this machine.
//!
//! - `args`: commands and options; `program`: which file runs which command.
//! - `run`: runs the daemon, after everything it needs is read and checked.
//! - `check`: reads and checks the same without running; reports all mistakes at once.
//! - [`certs`]: creates an authority and certificates.
//! - `cookie`: finds the nodes' cookie.
//! - [`oneshot`]: calls a function, sends a message, or pings, as a native node.
//! - `log`: starts the log with the format and level of options, environment or file.
//! - `output`: results on standard output, errors on standard error.

mod args;
pub mod certs;
mod check;
pub(crate) mod cookie;
mod log;
pub mod oneshot;
pub(crate) mod output;
mod program;
mod run;

pub use args::Command;
pub(crate) use oneshot::Joining;
pub use output::complain;
pub use program::execute;
