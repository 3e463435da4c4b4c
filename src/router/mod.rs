//! Rank 3: who may speak for a node name.
//!
//! Patterns of node names, the [`Policy`] that is made of them for each peer, and the names of daemons that pass by.
//!
//! - `pattern`: patterns of node names; `policy`: which of them a peer may speak for; `daemon`: names of daemons that pass by.

mod daemon;
mod error;
mod pattern;
mod policy;

#[cfg(test)]
mod tests;

pub use daemon::daemon_of;
pub use daemon::passing_name;
pub use error::PatternError;
pub use pattern::NodePattern;
pub use policy::Policies;
pub use policy::Policy;
