//! The UDP socket, QUIC connections and their streams, and the task that owns a session.
//!
//! - [`udp`]: quinn's UDP endpoint, over `datagrams`, our own way to read and write a UDP socket; `nowhere`: a socket that is closed.
//! - [`accept`], [`dial`]: connections that peers begin, and ours; [`greet`]: who the peer is.
//! - `streams`: a small task for each stream moves bytes, so that one that is blocked holds up only itself.
//! - [`notices`]: reads the control stream.
//! - [`session`]: the task; `keeper`: its trunk; `endpoints`: its circuits' local ends; [`leave`]: when these are closed.
//! - [`trunks`]: how the cluster hands trunks to it. [`busy_wait`]: polling instead of sleeping after a small signal.

pub mod accept;
pub mod busy_wait;
mod datagrams;
pub mod dial;
mod endpoints;
pub mod greet;
mod keeper;
pub mod leave;
pub mod notices;
mod nowhere;
pub mod session;
pub(super) mod streams;
pub mod trunks;
pub mod udp;

#[cfg(test)]
mod tests;
