//! Rank 6: QUIC connections to peers, and the task that runs a session over one.
//!
//! A trunk begins with a greeting on its control stream ([`Hello`](crate::wire::Hello) both ways); then the daemon with
//! the lower name says `Welcome`, and [`driver`] moves frames and notices between the session machine, the lanes'
//! streams and the legs. One task owns the machine; a small task for each stream moves bytes, so no stream ever waits
//! for another.

pub mod client;
mod config;
pub mod driver;
mod error;
mod greeting;
pub mod server;

#[cfg(test)]
mod tests;

pub use config::TrunkConfig;
pub use error::TrunkError;
pub use greeting::Agreement;
pub use greeting::Daemon;
