//! Channels between endpoints and the tasks that own sessions, and what is written to sockets of nodes.

pub mod attachment;
pub mod endpoint;
pub mod session;
pub mod write;
