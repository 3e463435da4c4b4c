//! `beamway call`, `send` and `ping`: a native node for a single command, on a machine that may have no Erlang.
//!
//! - `join`: the node joins the cluster, as a daemon that passes by or, for a node of this host, by plain distribution.
//! - `command`: the three commands.
//! - `group_leader`: prints what a called function prints.
//! - `log`: what is told only when something fails.

mod command;
mod group_leader;
mod join;
mod log;

pub use command::Call;
pub use command::Oneshot;
pub use command::Ping;
pub use command::Send;
pub use command::run;
pub use join::Joining;
