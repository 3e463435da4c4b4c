//! Rank 3: congestion control, which bounds the bytes in flight on a trunk.
//!
//! All lanes share one network path. Bulk data that fills the network's buffers delays every small call. A sender that treats each
//! lost packet as congestion starves bulk transfers on a path with random loss. So the window follows a *model* of the path: its
//! rate × its minimum round-trip time, as in BBR (draft-ietf-ccwg-bbr), and a few milliseconds more, which keep the path busy
//! and detect when it has become faster. When other flows fill the buffers, the model competes as they do, as in Copa (Arun and
//! Balakrishnan, NSDI 2018, §2.2).
//!
//! - [`Algorithm`]: the choices, with their names in the configuration.
//! - `rate`: the delivery rate, from acknowledgements. `filter`: the maximum of the last rounds. `loss`: the loss rate.
//! - `model`: the machine. `phase`: its phases, and their state. `cubic`: its behaviour when it competes with others.
//! - `controller`: the machine as a quinn controller. [`Calls`]: an additional input, since packets do not reveal small messages.
//! - `counted`: wraps any controller, and shares a count of its acknowledgements.
//!
//! quinn asks a controller for one number, the window, and derives the pacing from it: 1.25 windows per round-trip time. A controller
//! cannot set its own pacing rate, which BBR needs. So the window alone must keep the queue short.

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
