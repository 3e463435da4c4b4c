//! Rank 5: the lasting relation of two daemons, as a pure machine.
//!
//! A [`Session`] numbers what it sends, knows what arrived, and carries circuits: signals of local BEAMs enter with
//! [`Session::signals`], leave on lanes through [`Session::poll_lane`], arrive with [`Session::handle_frames`] and are
//! handed to the BEAM through [`Session::poll_delivery`]. Notices go the same way over one ordered control stream.
//!
//! Methods come in four kinds: getters, `handle_*` (what the trunk brought, and the time), commands (what the gateway
//! wants) and `poll_*` (work to do). After each input or command, every `poll_*` is drained before the next one.

mod arrivals;
mod assignment;
mod circuit;
mod config;
mod draining;
mod error;
mod event;
mod intake;
mod leaving;
mod machine;
mod memory;
mod notices;
mod outbox;
mod receipts;
mod stats;

#[cfg(test)]
mod tests;

pub use circuit::Agreed;
#[cfg(test)]
pub(crate) use config::Bug;
pub use config::SessionConfig;
pub use error::SessionError;
pub use event::Event;
pub use intake::Intake;
pub use machine::Session;
pub use memory::Memory;
pub use stats::SessionStats;
