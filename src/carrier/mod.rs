//! Rank 12: how a Rust program reaches other hosts: with lanes, or with a whole daemon inside the program.
//!
//! | you want | use |
//! |---|---|
//! | native nodes that reach other hosts | [`Lanes`], and [`NodeBuilder::attach`](crate::node::NodeBuilder::attach) |
//! | to serve the BEAMs of this host too | `Daemon`, with the feature `daemon` |
//!
//! Both have a builder; a daemon can also be started with a configuration file (`docs/CONFIGURATION.md`). Checks and defaults
//! are the same. A [`StartError`] reports all mistakes at once.

#[cfg(feature = "admin")]
mod admin;
#[cfg(feature = "daemon")]
mod banner;
mod bound;
mod changes;
#[cfg(feature = "daemon")]
mod daemon;
mod error;
mod expiry;
mod hosts;
mod lanes;
mod load;
mod log;
mod management;
mod reload;
mod rule;
mod secret;
mod settings;
mod source;
mod stamp;

#[cfg(all(test, feature = "daemon"))]
mod tests;

#[cfg(feature = "daemon")]
pub(crate) use admin::socket_of;
#[cfg(feature = "daemon")]
pub(crate) use bound::BoundDaemon;
#[cfg(feature = "daemon")]
pub(crate) use bound::uncovered;
#[cfg(feature = "daemon")]
pub use daemon::Daemon;
#[cfg(feature = "daemon")]
pub use daemon::DaemonBuilder;
pub use error::StartError;
pub(crate) use hosts::own_hosts;
pub use lanes::Lanes;
pub use lanes::LanesBuilder;
pub use lanes::Reloaded;
#[cfg(feature = "daemon")]
pub(crate) use load::Loaded;
#[cfg(feature = "daemon")]
pub(crate) use load::load;
#[cfg(feature = "daemon")]
pub(crate) use log::LogHandle;
pub use rule::PolicyRule;
#[cfg(feature = "daemon")]
pub(crate) use secret::check_secret;
#[cfg(feature = "daemon")]
pub(crate) use source::Source;
