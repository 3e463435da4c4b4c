//! The UDP socket, QUIC connections and their streams, and the task that owns a session.
//!
//! - [`udp`]: quinn's UDP endpoint. `datagrams`: our implementation of its socket. `nowhere`: its replacement once it is closed.
//! - [`accept`], [`dial`]: incoming and outgoing connections. [`resolve`]: the addresses of a peer. [`greet`]: checks who it is.
//! - `streams`: one small task per stream moves bytes, so that a blocked stream delays only itself.
//! - `turn`: how much of its input a session handles before others go on.
//! - [`notices`]: reads the control stream.
//! - [`session`]: the task that owns a session. `keeper`: its trunk. `endpoints`: the local ends of its circuits. `news`: what the hub must
//!   hear. [`leave`]: when circuits are closed while the daemon leaves.
//! - [`probe`]: whether a peer answers now. [`canary`]: whether the process of a peer still runs.
//! - [`exchange`]: daemons tell each other of their peers.
//! - [`trunks`]: how the cluster hands trunks to a session. [`busy_wait`]: polling instead of sleeping after a small signal.

pub mod accept;
pub mod busy_wait;
pub mod canary;
mod datagrams;
pub mod dial;
mod endpoints;
pub mod exchange;
pub mod greet;
mod keeper;
pub mod leave;
mod news;
pub mod notices;
mod nowhere;
pub mod probe;
pub mod resolve;
pub mod session;
pub(super) mod streams;
pub mod trunks;
mod turn;
pub mod udp;

#[cfg(test)]
mod tests;
