//! Rank 13: the person at the keyboard.
//!
//! [`obey`] does one [`Command`] and gives the exit status:
//! 0 done, 1 a mistake of the user or a failure, 2 wrong usage or something missing on this machine.
//!
//! - `args`: what can be asked for; `program`: which file does it.
//! - `run`: the daemon, after everything it needs is read and checked.
//! - `check`: the same reading and checking without running; every mistake at once.
//! - [`certs`]: makes an authority and certificates.
//! - `cookie`: where the nodes' cookie comes from.
//! - [`oneshot`]: calls a function, sends a message, or pings, as a native node.
//! - `log`: what is logged, how, and who decides.
//! - `output`: lines for the person; results on standard output, complaints on standard error.

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
pub use program::obey;
