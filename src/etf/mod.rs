//! Rank 1: Erlang's external term format, as far as a carrier needs it.
//!
//! A carrier never decodes a user's term. It reads the identities by which processes are addressed, [`Pid`] and
//! [`Reference`], and skips whatever else stands in a control term. Nothing here recurses or allocates by what a length
//! field claims.

mod error;
mod identity;
mod read;
mod skip;
mod tag;

#[cfg(test)]
mod tests;

pub use error::TermError;
pub use identity::Pid;
pub use identity::Reference;
pub use read::Atom;
pub use read::atom;
pub use read::is_atom;
pub use read::is_pid;
pub use read::is_reference;
pub use read::low_bits;
pub use read::pid;
pub use read::reference;
pub use read::small_tuple;
pub use read::unsigned;
pub use skip::skip;
