//! Rank 12: how a Rust program reaches other hosts: lanes, or a whole daemon within the program.
//!
//! | you want | take |
//! |---|---|
//! | native nodes that reach other hosts | [`Lanes`], and [`NodeBuilder::attach`](crate::node::NodeBuilder::attach) |
//! | the BEAMs of this host served as well | `Daemon`, with the feature `daemon` |
//!
//! Both are made by a builder from values; a daemon also by a configuration file (`docs/CONFIGURATION.md`). The checks and the
//! defaults are the same. What is wrong is reported all at once, as a [`StartError`].

mod bound;
#[cfg(feature = "daemon")]
mod daemon;
mod error;
mod hosts;
mod lanes;
mod load;
mod settings;

#[cfg(all(test, feature = "daemon"))]
mod tests;

#[cfg(feature = "daemon")]
pub(crate) use bound::BoundDaemon;
#[cfg(feature = "daemon")]
pub use daemon::Daemon;
#[cfg(feature = "daemon")]
pub use daemon::DaemonBuilder;
pub use error::StartError;
pub(crate) use hosts::own_hosts;
pub use lanes::Lanes;
pub use lanes::LanesBuilder;
#[cfg(feature = "daemon")]
pub(crate) use load::Loaded;
#[cfg(feature = "daemon")]
pub(crate) use load::load;
