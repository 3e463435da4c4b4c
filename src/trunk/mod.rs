//! Rank 8: QUIC connections to peers, and the task that runs a session over one.
//!
//! A trunk begins with a greeting on its control stream ([`Hello`](crate::wire::Hello) both ways); then the daemon with
//! the lower name says `Welcome`, and [`io::session`] moves frames and notices between the session machine, the lanes'
//! streams and the endpoints. One task owns the machine; `keeper` decides whether its trunk works (`liveness`) and when the session is over. A session outlives its trunk: the next one arrives through
//! [`io::trunks`].

mod config;
mod error;
mod greeting;
mod held;
pub mod io;
mod keeper;
mod liveness;
mod state;

#[cfg(test)]
mod tests;

pub use config::TrunkConfig;
pub use error::TrunkError;
pub use greeting::Agreement;
pub use greeting::LocalDaemon;
pub use held::Held;
pub use state::TrunkState;
