//! Channels between endpoints and sessions, and what is written to sockets of nodes.

pub mod session;
pub mod write;
