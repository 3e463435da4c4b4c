//! `beamway call`, `send` and `ping`: a native node for a single command. The machine needs no Erlang.
//!
//! - `join`: the node joins the cluster, through a temporary daemon or, for a node of this host, by plain distribution.
//! - `command`: the three commands.
//! - `group_leader`: prints what a called function prints.
//! - `log`: warnings that are printed only if the command fails.

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
