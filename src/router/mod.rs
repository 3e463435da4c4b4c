//! Rank 3: which daemon may speak for which node names.
//!
//! - `pattern`: patterns of node names.
//! - `policy`: the [`Policy`] of each peer, which consists of patterns.
//! - `daemon`: the names of temporary daemons, which run for a single command.

mod daemon;
mod error;
mod pattern;
mod policy;

#[cfg(test)]
mod tests;

pub use daemon::daemon_of;
pub use daemon::temporary_name;
pub use error::PatternError;
pub use pattern::NodePattern;
pub use policy::Policies;
pub use policy::Policy;
