//! Conversions between Rust types and terms, through serde.
//!
//! | Rust | written as | also read from |
//! |---|---|---|
//! | `bool` | `true`, `false` | |
//! | integers, including `i128` and `u128`; `char` | an integer | a `char` from text of one character |
//! | floats | a float | an integer |
//! | `String`, `&str` | a binary in UTF-8 | an atom; a `String` from a list of characters |
//! | [`Charlist`] | a list of characters | a binary, an atom |
//! | [`Atom`](super::Atom) | an atom | text |
//! | `bytes::Bytes`, and serde's bytes | a binary | a list of bytes |
//! | `Vec` and other sequences | a list | a tuple; sequences of numbers from a binary |
//! | tuples, arrays, tuple structs | a tuple | a list |
//! | `()` | `{}` | `ok`, `undefined`, `nil` |
//! | `None` | `undefined`; `nil` within an Elixir struct | both |
//! | `Some(value)`, newtype structs | the value | |
//! | maps | a map | a list of pairs and of atoms, which stand for `{Atom, true}` |
//! | structs | a map with atoms as keys | such a list; keys may be text |
//! | structs whose name begins with `Elixir.` | a map with the key `'__struct__'`, which is required | |
//! | enums | `Name`, `{Name, Value}`, `{Name, A, B}` or `{Name, #{field => Value}}` | |
//! | `Result` | `{ok, Value}` or `ok` for `()`, `{error, Reason}` | |
//! | [`Term`](super::Term), [`NodePid`](super::NodePid), [`NodePort`](super::NodePort), … | themselves | |
//!
//! Names are those of serde: `#[serde(rename_all = "snake_case")]` turns Rust's names into Erlang's, and
//! `#[serde(rename = "Elixir.Shop.Order")]` an Elixir struct. Terms are self-describing, so untagged enums
//! work. The format declares itself human readable, so addresses and times are written as text.

// `read` and `access`: the deserializer, and its access to the items of a value. `write` and `rows`: the serializer, and how it
// writes the items of a value. `owned`: both for an owned `Term`. `conventions`: limits and names that both sides share.

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
