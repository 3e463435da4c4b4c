//! Rank 1: Erlang's external term format.
//!
//! Carriers never decode the terms of users. They read the identities by which processes are addressed, [`Pid`] and
//! [`Reference`], and skip everything else in a control term: [`skip()`], [`pid`], [`reference()`]. These functions
//! do not recurse, and never allocate by what a length field claims.
//!
//! Programs work with terms:
//!
//! * [`Term`] is an owned term; [`term!`](crate::term) constructs one.
//! * [`TermRef`] is a view of an encoded term, without a copy.
//! * [`Term::parse`] reads Erlang's syntax, and [`Term::print`] writes it.
//! * [`to_bytes`] and [`from_bytes`] convert your own types through serde.
//!
//! Terms from untrusted sources are checked against [`Limits`].

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
mod read;
mod skip;
mod syntax;
mod tag;
mod term;
mod typed;
mod view;

#[cfg(test)]
mod tests;

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
pub use read::AtomText;
pub use read::atom;
pub use read::is_atom;
pub use read::is_pid;
pub use read::is_reference;
pub use read::low_bits;
pub use read::pid;
pub use read::reference;
pub use read::small_tuple;
pub use read::unsigned;
pub use skip::skip;
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
