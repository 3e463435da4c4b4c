//! Rank 3: which daemon may speak for which node names, and what holds between two nodes.
//!
//! - `pattern`: patterns of the names of nodes and daemons.
//! - `policy`: the [`Policy`] of each peer, from its certificate or from patterns, and who may dial in ([`Acceptance`]).
//! - `rules`: which pairs of nodes may be connected, how much they may send, and what goes first ([`Rules`]).
//! - `daemon`: the names of temporary daemons, which run for a single command.

mod daemon;
mod error;
mod pattern;
mod policy;
mod rules;

#[cfg(test)]
mod tests;

pub use daemon::daemon_of;
pub use daemon::temporary_name;
pub use error::Denied;
pub use error::NotAccepted;
pub use error::NotAllowed;
pub use error::PatternError;
pub use pattern::DaemonPattern;
pub use pattern::NodePattern;
pub use policy::Acceptance;
pub use policy::Policies;
pub use policy::Policy;
pub use rules::Action;
pub use rules::Flow;
pub use rules::Priority;
pub use rules::Rate;
pub use rules::Rule;
pub use rules::Rules;
