//! Rank 11: the settings of a daemon, from a file or from a program. The result is either all values, or every mistake at
//! once.
//!
//! [`parse()`] takes the text of a configuration file (TOML), [`read()`] the values that a program sets. Both return a
//! [`Config`] of plain values, with the same checks and the same defaults. Unknown keys are refused, so that a misspelt key
//! does not silently mean the default. [`Mistakes`] lists for each mistake its line, key, value and what is allowed.
//!
//! - `settings`: the values, with all defaults and limits and the reason for each.
//! - `value`: settings before they are checked; `file`: reads these from a text.
//! - `read`: which keys exist, and the rules between them.
//! - `discover`: reads `[[discover]]`.
//! - `policy`: `[[policy]]`.
//! - `section`: reads the keys of one table and collects the mistakes.
//! - `units`: `"64MiB"`, `"15s"`.
//!
//! This module does not read files: it takes their text.

mod discover;
mod error;
#[cfg(feature = "config-file")]
mod file;
#[cfg(feature = "daemon")]
mod memory;
mod policy;
mod read;
mod section;
mod settings;
mod units;
mod value;

#[cfg(all(test, feature = "daemon"))]
mod tests;

pub use error::Mistake;
pub use error::Mistakes;
#[cfg(feature = "config-file")]
pub use file::parse;
#[cfg(feature = "daemon")]
pub use memory::WorstCase;
pub use read::Purpose;
pub(crate) use read::read;
pub use settings::AcceptSettings;
pub use settings::Address;
pub use settings::AdminSettings;
pub use settings::AdminSocket;
pub use settings::Config;
pub use settings::DiscoverSettings;
pub use settings::EpmdSettings;
pub use settings::GatewaySettings;
pub use settings::HostsSettings;
pub use settings::LogFormat;
pub use settings::LogLevel;
pub use settings::LogSettings;
pub use settings::PeerSettings;
pub use settings::SelectSettings;
pub use settings::SessionSettings;
pub use settings::TransportSettings;
pub(crate) use value::Table;
pub(crate) use value::Value;
