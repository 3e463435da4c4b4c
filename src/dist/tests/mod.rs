//! Handshake messages, packets, control terms; runs.

mod packets;
mod runs;
