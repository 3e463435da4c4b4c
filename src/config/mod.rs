//! Rank 11: the settings of a daemon, from a file or from a program, checked: either all values, or every mistake at once.
//!
//! [`parse()`] takes the text of a configuration file (TOML), [`read()`] the values that a program gives; both give a [`Config`]
//! of plain values, by the same checks and with the same defaults. Unknown keys are refused, so that a misspelt one is not
//! silently a default. Settings with mistakes give [`Mistakes`]: for each its line, key, value and what is allowed.
//!
//! - `settings`: the values, with all defaults and limits and the reason of each.
//! - `value`: settings before they are checked; `file`: a text → these.
//! - `read`: which keys exist, and the rules between them.
//! - `section`: reads the keys of one table and collects what is wrong.
//! - `units`: `"64MiB"`, `"15s"`.
//!
//! Files are read elsewhere: text comes in.

mod error;
#[cfg(feature = "daemon")]
mod file;
#[cfg(feature = "daemon")]
mod memory;
mod read;
mod section;
mod settings;
mod units;
mod value;

#[cfg(all(test, feature = "daemon"))]
mod tests;

pub use error::Mistake;
pub use error::Mistakes;
#[cfg(feature = "daemon")]
pub use file::parse;
#[cfg(feature = "daemon")]
pub use memory::WorstCase;
pub(crate) use read::read;
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
pub(crate) use value::Table;
pub(crate) use value::Value;
