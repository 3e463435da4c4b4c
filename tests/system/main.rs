//! What needs no Erlang: the program as a user or a script runs it, the public parsers, and the shape of the code.
//!
//! One program for all of it, because each program of tests has to be linked.

mod cli;
mod golden;
mod linkem;
mod monitoring;
mod packaging;
mod protocol;
mod regressions;
mod secrets;
mod shape;
