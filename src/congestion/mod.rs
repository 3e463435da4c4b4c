//! Rank 3: how much of a trunk may be under way.
//!
//! - [`Algorithm`]: the choices, by the names that the configuration uses.

mod algorithm;

pub use algorithm::Algorithm;
