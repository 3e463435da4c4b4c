//! Handshake messages, packets, control terms; runs.

pub(crate) mod packets;
mod relay;
mod runs;
