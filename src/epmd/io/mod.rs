//! Connections of the port mapper protocol, both ends.
//!
//! - [`port_mapper`]: serves the nodes of this host, and asks the owner of the answers by a [`question`].
//! - [`registration`]: registers a node at somebody else's port mapper, and asks there for ports.

pub mod port_mapper;
pub mod question;
pub mod registration;
