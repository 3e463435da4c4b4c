//! Tests of the pure core: the handshake, links and monitors between nodes, waiting senders, fragmentation.

mod handshake;
mod rules;
mod runs;
mod simulation;
mod waiting;
