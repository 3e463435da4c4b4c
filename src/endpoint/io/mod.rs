//! Channels between endpoints and the tasks that own sessions, and writing to the sockets of nodes.

pub mod attachment;
pub mod endpoint;
pub mod session;
pub mod write;
