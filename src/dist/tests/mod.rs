//! Handshake messages, packets with and without a stream, control terms, runs, the relayed handshake.

pub(crate) mod packets;
mod relay;
mod runs;
mod unframed;
