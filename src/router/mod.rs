//! Rank 3: node name → where it is.
//!
//! The [`Router`] knows the nodes that registered here and those that peers announced, answers the port mapper's
//! questions (a bare name, or a full one), and holds the policy which node names a daemon may speak for.

mod daemon;
mod error;
mod pattern;
mod policy;
mod table;

#[cfg(test)]
mod tests;

pub use daemon::daemon_of;
pub use daemon::passing_name;
pub use error::PatternError;
pub use pattern::NodePattern;
pub use policy::Policies;
pub use policy::Policy;
pub use table::Announced;
pub use table::Answer;
pub use table::Router;
