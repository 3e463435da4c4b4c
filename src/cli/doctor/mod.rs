//! `beamway doctor`: looks for everything that is known to go wrong with a daemon's host, files, network and peers, and says the remedy.
//!
//! - `finding`: what a check has found.
//! - `local`: certificates, limits, buffers and the port mapper of this host. `nodes`: the nodes of this host, and their cookies.
//! - `peers`: what a daemon that dials all peers tells of them. It is a temporary one, so a running daemon is not disturbed.
//! - `run`: all checks, in the order in which one rests on another.

mod finding;
mod local;
mod nodes;
mod peers;
mod run;

pub(super) use run::doctor;
