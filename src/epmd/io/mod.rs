//! Both ends of connections of the port mapper protocol.
//!
//! - [`port_mapper`]: serves the nodes of this host. It gets the answers from the gateway by a [`question`].
//! - [`entrance`]: limits the connections that have said nothing yet, for any listener.
//! - [`registration`]: registers a node with another port mapper, and asks it for ports.

pub mod entrance;
pub mod port_mapper;
pub mod question;
pub mod registration;

#[cfg(test)]
mod tests;
