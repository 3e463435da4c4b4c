//! The UDP socket, QUIC connections and their streams, and the task that owns a session.

pub mod accept;
pub mod busy_wait;
mod datagrams;
pub mod dial;
mod nowhere;
pub mod session;
pub(super) mod streams;
pub mod trunks;

#[cfg(test)]
mod tests;
