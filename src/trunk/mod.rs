//! Rank 8: QUIC connections to peers, and the task that runs a session over one.
//!
//! A trunk begins with a greeting on its control stream: both sides send [`Hello`](crate::wire::Hello). Then the daemon with the
//! lower name sends `Welcome`, and [`io::session`] moves frames and notices between the session machine, the streams of the lanes
//! and the endpoints. One task owns the machine. A session outlives its trunk: the next trunk arrives through [`io::trunks`].
//!
//! - `greeting`: what both sides agree on. [`Held`]: the sessions that a daemon holds, for its greetings.
//! - `admission`: which handshakes begin, so that strangers do not keep peers out. [`KnownAddresses`]: where peers were.
//! - `keeper`: whether the trunk works ([`TrunkState`]), when another one is tried, and when the session ends. `liveness`:
//!   distinguishes a slow trunk from a dead one.
//! - [`Counters`]: how many connections were set up, and why others were not.
//! - `told`: what peers tell of other daemons.
//! - [`SendErrors`]: datagrams that the kernel does not send, and why.

mod admission;
mod config;
mod counters;
mod error;
mod greeting;
mod held;
mod idle;
pub mod io;
mod keeper;
mod known;
mod liveness;
mod send_errors;
mod state;
mod told;

#[cfg(test)]
mod tests;

pub use config::TrunkConfig;
pub use counters::Counters;
pub use counters::Direction;
pub use error::TrunkError;
pub use greeting::Agreement;
pub use greeting::Dialled;
pub use greeting::LocalDaemon;
pub use held::Held;
pub use known::KnownAddresses;
pub use send_errors::SendErrors;
pub use state::TrunkState;
pub use told::Known;
#[cfg(any(test, feature = "internals"))]
pub use told::PEERS_OF_A_PEER;
