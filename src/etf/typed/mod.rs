//! One's own types as terms, through serde.
//!
//! | Rust | written as | also read from |
//! |---|---|---|
//! | `bool` | `true`, `false` | |
//! | integers, `i128` and `u128` among them; `char` | an integer | a `char` from text of one character |
//! | floats | a float | an integer |
//! | `String`, `&str` | a binary in UTF-8 | an atom; a `String` from a list of characters |
//! | [`Charlist`] | a list of characters | a binary, an atom |
//! | [`Atom`](super::Atom) | an atom | text |
//! | `bytes::Bytes`, and what serde calls bytes | a binary | a list of bytes |
//! | `Vec` and other sequences | a list | a tuple; numbers from a binary |
//! | tuples, arrays, tuple structs | a tuple | a list |
//! | `()` | `{}` | `ok`, `undefined`, `nil` |
//! | `None` | `undefined`; `nil` within an Elixir struct | both |
//! | `Some(value)`, newtype structs | the value | |
//! | maps | a map | a list of pairs, and of atoms that stand for `{Atom, true}` |
//! | structs | a map with atoms as keys | the same list; keys may be text |
//! | structs with a name that begins with `Elixir.` | such a map with `'__struct__'` | nothing without it |
//! | enums | `Name`, `{Name, Value}`, `{Name, A, B}` or `{Name, #{field => Value}}` | |
//! | `Result` | `{ok, Value}` or `ok` for `()`, `{error, Reason}` | |
//! | [`Term`](super::Term), [`NodePid`](super::NodePid) and the like | themselves | |
//!
//! Names are taken as serde gives them: `#[serde(rename_all = "snake_case")]` makes Erlang's names of Rust's, and
//! `#[serde(rename = "Elixir.Shop.Order")]` an Elixir struct. Every term tells its kind, so untagged enums and the like
//! work; serde is told that the format is human readable, so that addresses and times are text.

mod access;
mod conventions;
mod error;
mod owned;
mod read;
mod rows;
mod write;

pub use error::ValueError;
pub use owned::Charlist;
pub use read::from_bytes;
pub use read::from_bytes_within;
pub use read::from_term;
pub use read::from_view;
pub use write::to_bytes;
pub use write::to_term;
