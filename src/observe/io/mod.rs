//! Reading the configuration again ([`reload`]), asking the tasks of a daemon ([`collect`]), and answering over HTTP ([`admin`]).

#[cfg(feature = "admin")]
pub mod admin;
#[cfg(feature = "admin")]
pub mod collect;
pub mod reload;
