//! Rank 3: node name → where it is.
//!
//! The [`Router`] knows the nodes that registered here and those that peers announced, answers the port mapper's
//! questions (a bare name, or a full one), and holds the policy which node names a daemon may speak for.

mod pattern;
mod table;

#[cfg(test)]
mod tests;

pub use pattern::Pattern;
pub use table::Answer;
pub use table::Announced;
pub use table::Router;
