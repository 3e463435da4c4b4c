//! Rank 6: native nodes, Rust programs that are nodes of an Erlang cluster: processes, mailboxes, links, monitors.
//!
//! [`Node::builder`] starts one; [`Node::spawn`] and [`Node::run`] run processes, which send and receive through their
//! [`Context`]. The core is a pure machine (`machine.rs` and its parts: links, monitors, peers, signals) that knows
//! processes and other nodes but no socket and no task; `handle.rs` holds it under a lock and does what it wants done.
//! Messages pass it by: a sender writes into the connection it knows, a connection into the mailbox it finds.
//!
//! | file | what |
//! |---|---|
//! | `machine.rs`, `links.rs`, `monitors.rs`, `peers.rs`, `signals.rs`, `spawning.rs` | who is tied to whom, here and elsewhere |
//! | `mail.rs`, `mailbox.rs`, `queue.rs` | what waits for a process: one place of it, all, and what it has taken aside |
//! | `outlet.rs` | what waits for a connection |
//! | `inlet.rs`, `arrivals.rs` | signals in parts, put together; and put where they belong |
//! | `handshake.rs` | one party of the distribution handshake |
//! | `driver.rs`, `client.rs`, `server.rs` | plain distribution over TCP, on this host |
//! | `circuits/` | connections through a daemon, over its lanes |
//! | `process/` | a process as its own code sees it |
//! | `calls.rs`, `gen_server.rs`, `exports.rs` | calls of servers and functions, and serving them |
//! | `system.rs`, `pg.rs` | the processes that Erlang expects of a node |
#![doc = concat!("\n", include_str!("../../docs/FROM_ERLANG.md"))]

mod arrivals;
mod calls;
mod config;
mod destination;
mod error;
mod exports;
mod gen_server;
mod handshake;
mod inlet;
mod io;
mod life;
mod links;
mod machine;
mod mail;
mod mailbox;
mod message;
mod monitors;
mod outlet;
mod peer;
mod peers;
mod pg;
mod queue;
mod signals;
mod spawning;
mod system;

#[cfg(test)]
mod tests;

pub use calls::ReplyTo;
pub use calls::RpcError;
pub use config::MailboxBound;
pub use config::NodeConfig;
pub use config::WhenFull;
pub use destination::Destination;
pub use error::CallError;
pub use error::ConnectionError;
pub use error::Exited;
pub use error::RegisterError;
pub use error::SendError;
pub use error::StartError;
pub use exports::Class;
pub use exports::Raise;
pub use gen_server::CALL_TIME;
pub use gen_server::GenServer;
pub use gen_server::Next;
pub use gen_server::serve;
pub use handshake::FarIdentity;
pub use handshake::Handshake;
pub use handshake::HandshakeStep;
pub use handshake::OwnIdentity;
pub use io::context::Context;
pub use io::node::Node;
pub use io::start::NodeBuilder;
pub use life::Exit;
pub use life::Outcome;
pub use machine::AliasMode;
pub use message::Message;
pub use message::Watched;
pub use peers::NodeInfo;
pub use pg::Groups;
pub use spawning::Ties;
