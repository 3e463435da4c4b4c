//! Certificates made here, spoilt in every way, and shown to both sides of real handshakes in memory.

mod damage;
mod handshake;
mod identity;
mod names;
mod support;
