//! Channels between endpoints and the tasks that own sessions, writing to the sockets of nodes, and where nodes of this host listen.

pub mod attachment;
pub mod endpoint;
pub mod near;
pub mod session;
pub mod write;
