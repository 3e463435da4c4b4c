//! Erlang's syntax of terms, read: what `erl_scan` and `erl_parse:parse_term/1` accept, and the identities that Erlang
//! prints but does not read back.

mod error;
mod identity;
mod number;
mod parser;
mod scanner;
mod segments;
mod text;

pub use error::SyntaxError;
