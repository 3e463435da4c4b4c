//! Rank 0: values of log lines that are more than one text or number, and a bound on the number of lines.

#[cfg(any(feature = "daemon", feature = "internals"))]
mod limit;
mod list;

#[cfg(any(feature = "daemon", feature = "internals"))]
pub use limit::Limit;
#[cfg(any(feature = "daemon", feature = "internals"))]
pub use limit::Suppressed;
pub use list::Item;
pub use list::List;
