//! Certificates that are created here, damaged in many ways, and presented to both sides of real handshakes in memory.

mod damage;
mod explain;
mod handshake;
mod identity;
mod names;
mod revocation;
mod support;
