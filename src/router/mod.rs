//! Rank 3: which daemon may speak for which node names.
//!
//! - `pattern`: patterns of the names of nodes and daemons.
//! - `policy`: the [`Policy`] of each peer, from its certificate or from patterns, and who may dial in ([`Acceptance`]).
//! - `daemon`: the names of temporary daemons, which run for a single command.

mod daemon;
mod error;
mod pattern;
mod policy;

#[cfg(test)]
mod tests;

pub use daemon::daemon_of;
pub use daemon::temporary_name;
pub use error::NotAccepted;
pub use error::NotAllowed;
pub use error::PatternError;
pub use pattern::DaemonPattern;
pub use pattern::NodePattern;
pub use policy::Acceptance;
pub use policy::Policies;
pub use policy::Policy;
