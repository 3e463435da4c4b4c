//! Rank 11: the configuration file → typed settings, or all errors in it at once.
//!
//! [`parse()`] takes the text (TOML) and gives a [`Config`] of plain values. Unknown keys are refused, so that a misspelt key
//! is not silently a default. A file with errors gives [`Mistakes`]: for each its line, key, value and the allowed values.
//!
//! - `settings`: the values, with all defaults and limits and the reason of each.
//! - `parse`: which keys exist, and the rules between them.
//! - `section`: reads the keys of one table and collects errors.
//! - `units`: `"64MiB"`, `"15s"`.
//!
//! Files are read elsewhere: text comes in.

mod error;
mod memory;
mod parse;
mod section;
mod settings;
mod units;

#[cfg(test)]
mod tests;

pub use error::Mistake;
pub use error::Mistakes;
pub use memory::WorstCase;
pub use parse::parse;
pub use settings::Address;
pub use settings::Config;
pub use settings::EpmdSettings;
pub use settings::GatewaySettings;
pub use settings::LogFormat;
pub use settings::LogLevel;
pub use settings::LogSettings;
pub use settings::PeerSettings;
pub use settings::SessionSettings;
pub use settings::TransportSettings;
