//! Rank 5: the lasting relation between two daemons, as a pure state machine.
//!
//! A [`Session`] numbers what it sends, tracks what has arrived, and carries circuits. Signals of local BEAMs enter
//! with [`Session::signals`] and leave on lanes through [`Session::poll_lane`]. They arrive with
//! [`Session::handle_frames`] and go to the BEAM through [`Session::poll_delivery`]. Notices use one ordered control
//! stream in the same way.
//!
//! There are four kinds of methods: getters, `handle_*` (input from the trunk, and time), commands (from the local
//! endpoints) and `poll_*` (output). After each input or command, drain every `poll_*` before the next one.

// | files | hold |
// |---|---|
// | `machine`, `circuit` | the session; one of its circuits |
// | `intake`, `sending` | signals that enter, and go to the lanes |
// | `outbox`, `assignment` | frames kept until acknowledged; which lane carries a strand |
// | `limits`, `pacing`, `bucket`, `classes` | how much the nodes of a circuit may send; what goes first |
// | `arrivals`, `receipts`, `reports` | frames that arrive; what is to be acknowledged; telling the peer |
// | `notices`, `event` | the control stream; what the owner is told |
// | `leaving`, `draining` | graceful shutdown of this daemon or the peer; what a circuit has left to do then |
// | `silence`, `quiet` | nodes that fall silent: what the peer is told, and what it tells |
// | `backpressure` | which of the local node's processes have most on the way |
// | `memory`, `config`, `stats`, `report` | the account of kept bytes; settings; counters; what a running session tells about itself |

mod arrivals;
mod assignment;
mod backpressure;
mod bucket;
mod circuit;
mod classes;
mod config;
mod draining;
mod error;
mod event;
mod intake;
mod leaving;
mod limits;
mod machine;
mod memory;
mod notices;
mod outbox;
mod pacing;
mod quiet;
mod receipts;
mod report;
mod reports;
mod sending;
mod silence;
mod stats;

#[cfg(test)]
mod tests;

pub use circuit::Agreed;
#[cfg(any(test, feature = "internals"))]
pub use circuit::DROPPED_MAX;
pub use config::Bounds;
#[cfg(test)]
pub(crate) use config::Bug;
pub use config::SessionConfig;
pub use error::SessionError;
pub use event::Event;
pub use intake::Intake;
pub use limits::Limits;
pub use machine::Session;
pub use memory::Memory;
pub use memory::Share;
pub use report::CircuitReport;
pub use report::LaneReport;
pub use report::Report;
pub use stats::SessionStats;
