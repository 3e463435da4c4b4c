//! Rank 13: the command line.
//!
//! [`execute`] runs one [`Command`] and returns the exit status: 0 for success, 1 for failure, 2 for wrong usage or if
//! something is missing on this machine.
//!
//! - `args`: commands and options; `program`: runs a command.
//! - `run`: reads and checks everything, then runs the daemon.
//! - `check`: reads and checks the same without running; reports all mistakes at once. `matrix`: what the policy says of nodes.
//! - `status`, `reload`: asks and commands a running daemon, over the socket that its configuration file names (`client`).
//! - `top`: shows live what a running daemon does.
//! - `doctor`: looks for what is known to go wrong.
//! - [`certs`]: creates an authority and certificates.
//! - `cookie`: finds the nodes' cookie.
//! - [`oneshot`]: calls a function, sends a message, or pings, as a native node.
//! - `open_files`: raises the limit on open files, and says what it suffices for.
//! - `manual`: man pages, and completions for shells.
//! - `service`: what a service manager such as systemd is told of a running daemon.
//! - `signals`: what SIGTERM, SIGINT and SIGHUP do to a running daemon.
//! - `log`: starts the log, with format and level from options, environment or file. `log_limit`: a bound on what it grows by.
//!   `log_escape`: foreign text in it forges no line.
//! - `output`: results on standard output, errors on standard error.

mod args;
pub mod certs;
mod check;
mod client;
pub(crate) mod cookie;
mod doctor;
mod log;
mod log_escape;
mod log_json;
mod log_limit;
mod manual;
mod matrix;
pub mod oneshot;
mod open_files;
pub(crate) mod output;
mod program;
mod reload;
mod run;
mod service;
mod signals;
mod status;
mod top;

pub use args::Command;
pub(crate) use cookie::CookieArgs;
pub(crate) use oneshot::Joining;
pub use output::complain;
pub use program::execute;
