//! `beamway sim`: the daemons' real code on a simulated network with faults.
//!
//! Sessions, lanes, trunks, the cluster, quinn and TLS are real; the network, the clock and the nodes are simulated. One
//! seed is one run, and the same seed gives the same events at the same times.
//!
//! - `command`: runs seeds on several threads; `report`: the line at the end.
//! - `setting`: what a run depends on; `fault`: what can go wrong; `plan`: both drawn from a seed, and which ends of sessions
//!   the faults excuse; `steps`: every way to lose one step of a resume.
//! - `world`: a run: daemons, and the network between them. `daemon`: one life of one daemon.
//! - `network`: the network paths, as a pure machine; `socket`: the UDP socket of a daemon on them.
//! - `node`: the nodes, instead of BEAMs; `signals`: what they send; `ledger`: verifies what arrives.
//!
//! **Why it repeats.** Each daemon has a tokio runtime of its own, on the same thread as the others, whose paused clock goes
//! straight to the next timer. The world lets each of them run as long as a datagram needs at least, so what one sends in
//! that time cannot concern another, and hands over what arrived between these steps. So a daemon can be killed (its runtime
//! is dropped, with all tasks), stopped, and its clock can leap. The crate turmoil does that much too, but it advances in
//! fixed steps and knows neither the loss of single datagrams nor changed addresses. What quinn and TLS draw at random (keys,
//! ids of connections of the first packet, a reserved parameter of up to 16 bytes) cannot be given a seed: certificates are
//! of a kind whose signatures are of one length, faults do not look at what is drawn, and the trace tells signals, circuits
//! and trunks rather than bytes.

mod command;
mod daemon;
mod fault;
mod keys;
mod ledger;
mod network;
mod node;
mod plan;
mod random;
mod report;
mod setting;
mod signals;
mod socket;
mod steps;
mod world;

#[cfg(test)]
mod tests;

pub use command::Options;
pub use command::run;
