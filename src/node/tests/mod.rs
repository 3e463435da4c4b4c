//! The pure core: two parties that shake hands, nodes whose processes are tied to each other, what waits and what is cut.

mod handshake;
mod rules;
mod runs;
mod simulation;
mod waiting;
