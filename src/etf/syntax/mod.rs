//! A parser for terms in Erlang's syntax: what `erl_scan` and `erl_parse:parse_term/1` accept, and pids, references and
//! ports, which Erlang prints but does not parse.

mod error;
mod identity;
mod number;
mod parser;
mod scanner;
mod segments;
mod text;

pub use error::SyntaxError;
