//! Rank 3: the port mapper protocol (`erts/epmd/src/epmd_srv.c`), for the nodes of this host.
//!
//! - [`Request`] and [`Response`]: the messages. [`Registry`]: the nodes that are registered.
//! - [`Newcomers`]: which connection goes when a listener has too many that say nothing.
//!
//! A node registers with a connection that it keeps open, and asks for the ports of other nodes. The connections get the answers
//! from the gateway, over a bounded channel ([`io::question`]), since a question about a remote node may need a new listener.

mod error;
pub mod io;
mod message;
mod newcomers;
mod registry;

#[cfg(test)]
mod tests;

pub use error::EpmdError;
pub use message::LOCALHOST;
pub use message::Registration;
pub use message::Request;
pub use message::Response;
pub use newcomers::NEWCOMERS;
pub use newcomers::Newcomers;
pub use registry::Registry;
