//! Rank 11: the person at the keyboard.
//!
//! * [`demo`]: the main job, shown on this machine with two real Erlang nodes.

pub mod demo;
