//! A native node of the demo: what `beamway_testbed.erl` makes of a BEAM, made of a Rust program.
//!
//! [`run`] is `beamway demo-node`: one [`Node`](crate::node::Node) in a process of its own, over plain distribution, that
//! takes the same commands, sends the same messages to the node on the other side and verifies them there. So each side of a
//! pair may be either.
//!
//! * `program`: standard input, commands, answers;
//! * `far`: starts processes at the far node and waits for what they say;
//! * `service`: the processes of the far node, and the servers that are called;
//! * `calls`, `transfer`, `stream`: what is measured, the near side and the far side together;
//! * `payload`: the bytes that are sent, the same on every node.

mod calls;
mod far;
mod payload;
mod program;
mod service;
mod stream;
mod transfer;

#[cfg(test)]
mod tests;

pub use program::Options;
pub use program::run;
