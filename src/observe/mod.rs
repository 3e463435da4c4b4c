//! Rank 10: what a daemon tells about itself while it runs, for people and for monitoring.
//!
//! - [`status::Status`]: everything, as the answer of `/status` has it. `build` makes it of what hub, cluster and sessions report, and
//!   `problems` says what is slow or will fail, and why.
//! - [`metrics()`]: the same for Prometheus.
//! - `web`: the page for a browser, which shows the status.
//! - [`io::reload`]: reading the configuration again.
//! - [`io::collect`] asks hub, cluster and sessions. [`io::admin`] answers over HTTP, on a Unix socket and at a TCP address.

#[cfg(feature = "admin")]
mod build;
pub mod io;
#[cfg(feature = "admin")]
mod metrics;
#[cfg(feature = "admin")]
mod problems;
#[cfg(feature = "admin")]
pub mod status;
#[cfg(feature = "admin")]
mod web;

#[cfg(all(test, feature = "admin"))]
mod tests;

#[cfg(feature = "admin")]
pub use build::Facts;
#[cfg(feature = "admin")]
pub use build::Parts;
#[cfg(feature = "admin")]
pub use metrics::CONTENT_TYPE;
#[cfg(feature = "admin")]
pub use metrics::metrics;
#[cfg(feature = "admin")]
pub use status::Status;
