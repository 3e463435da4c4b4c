//! Rank 10: the one place where all parts of a daemon meet.
//!
//! [`Daemon`] is a daemon: sessions with its peers, a gateway for the BEAMs of its host, native nodes of its process. [`Lanes`]
//! makes one for a program whose native nodes are all there is.

mod daemon;
mod hosts;
mod lanes;
mod load;

pub use daemon::Daemon;
pub use hosts::own_hosts;
pub use lanes::Lanes;
pub use lanes::LanesError;
pub use lanes::RunningLanes;
pub(crate) use load::Loaded;
pub(crate) use load::load;
