//! Rank 3: how much of a trunk may be under way.
//!
//! All lanes share the line. What bulk puts into the network's buffers delays every small call, and a sender that takes each
//! lost packet for congestion starves bulk on a line that loses some by chance. So what may be under way follows a *model* of
//! the line, its rate × its least round trip, as in BBR (draft-ietf-ccwg-bbr), and a few milliseconds more, which keep the line
//! busy and find out when it has become faster. Beside flows that fill the buffers it does as they do, as in Copa (Arun and
//! Balakrishnan, NSDI 2018, §2.2).
//!
//! - [`Algorithm`]: the choices, by the names that the configuration uses.
//! - `rate`: how fast bytes arrive, from acknowledgements. `filter`: the best of the last rounds. `loss`: the share that is lost.
//! - `model`: the machine. `phase`: what it is at, and what it knows there. `cubic`: what it does beside others.
//! - `controller`: the machine as quinn sees it. [`Calls`]: what it is told in addition, since small messages do not show in packets.
//! - `counted`: any controller, with a count of acknowledgements that others can read.
//!
//! quinn asks a controller for one number, the window, and derives the pace from it: 1.25 windows in each round trip. So a pace of its
//! own, which BBR needs, cannot be had; the window alone must hold the queue short.

mod algorithm;
mod calls;
mod controller;
mod counted;
mod cubic;
mod filter;
mod loss;
mod model;
mod phase;
mod rate;

#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use calls::Calls;
pub use counted::Acknowledgements;
pub use counted::Counting;
pub use counted::Shared;
