//! Rank 1: Erlang's external term format.
//!
//! | to | use |
//! |---|---|
//! | construct a term | [`Term`], [`term!`](crate::term), [`Atom`], [`List`], [`Map`] |
//! | read Erlang's syntax, and print it | [`Term::parse`], [`Term::print`] |
//! | convert your own types through serde | [`to_bytes`], [`from_bytes`], [`to_term`], [`from_term`] |
//! | read an encoded term in place, without a copy | [`TermRef`], [`View`] |
//! | limit what a term from an untrusted source may cost | [`Limits`] |
//!
//! Carriers never decode the terms of users. They read the identities by which processes are addressed, [`Pid`] and
//! [`Reference`], and skip everything else in a control term. These functions do not recurse, and never allocate by what a
//! length field claims.

#[macro_use]
mod macros;

mod atom;
mod big;
mod config;
mod convert;
mod decode;
mod encode;
mod error;
mod fun;
mod identity;
mod list;
mod map;
mod order;
mod pen;
mod print;
mod quote;
pub(crate) mod read;
pub(crate) mod skip;
mod syntax;
mod tag;
mod term;
mod typed;
mod view;

#[cfg(test)]
mod tests;

pub use crate::codec::CodecError;
pub use atom::Atom;
pub use big::Big;
pub use config::DEPTH_MAX;
pub use config::Limits;
pub use convert::Mismatch;
pub use decode::inflate;
pub use error::TermError;
pub use fun::Fun;
pub use identity::NodePid;
pub use identity::NodePort;
pub use identity::NodeReference;
pub use identity::Pid;
pub use identity::Port;
pub use identity::Reference;
pub use list::Elements;
pub use list::List;
pub use map::Map;
pub use print::Printed;
pub use print::Style;
pub(crate) use read::AtomText;
pub(crate) use read::atom;
pub(crate) use read::is_atom;
pub(crate) use read::is_pid;
pub(crate) use read::is_reference;
pub(crate) use read::low_bits;
pub(crate) use read::pid;
pub(crate) use read::reference;
pub(crate) use read::small_tuple;
pub(crate) use read::unsigned;
pub(crate) use skip::skip;
pub use syntax::SyntaxError;
pub use term::Bits;
pub use term::Export;
pub use term::Float;
pub use term::Improper;
pub use term::Term;
pub use typed::Charlist;
pub use typed::ValueError;
pub use typed::from_bytes;
pub use typed::from_bytes_within;
pub use typed::from_term;
pub use typed::from_view;
pub use typed::to_bytes;
pub use typed::to_term;
pub use view::Items;
pub use view::Pairs;
pub use view::TermRef;
pub use view::View;
