//! Rank 1: Erlang's external term format, as far as a carrier needs it.
//!
//! A carrier never decodes a user's term. It reads the identities by which processes are addressed: [`Pid`] and
//! [`Reference`]. Limits hold against hostile terms; nothing here recurses.

mod identity;

pub use identity::Pid;
pub use identity::Reference;
