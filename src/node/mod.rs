//! Rank 8: native nodes: Rust programs that are nodes of an Erlang cluster, with processes, mailboxes, links and monitors.
//!
//! | to | use |
//! |---|---|
//! | start a node, attach it, export functions, stop it | [`Node::builder`], [`NodeBuilder`], [`NodeConfig`], [`Node::stop`] |
//! | run a process | [`Node::spawn`], [`Node::run`], [`Context::spawn_tied`] with [`Ties`] |
//! | send and receive | [`Context`], [`Destination`], [`Message`] |
//! | learn that a process or node has ended | [`Context::link`], [`Context::monitor`], [`Message::Exit`], [`Message::Down`], [`Watched`] |
//! | call servers and functions of other nodes | [`Context::call`], [`Context::rpc`]; [`CallError`], [`RpcError`] |
//! | be called | [`GenServer`] with [`serve()`] and [`ReplyTo`]; [`NodeBuilder::export_typed`] with [`Raise`] |
//! | join process groups (`pg`) | [`Groups`] |
//! | limit what waits for a process | [`MailboxBound`], [`WhenFull`] |
#![doc = concat!("\n", include_str!("../../docs/FROM_ERLANG.md"))]

// | files | hold |
// |---|---|
// | `machine`, with `links`, `monitors`, `peers`, `peer`, `signals`, `spawning` | the state machine: links, monitors, nodes |
// | `mail`, `mailbox`, `queue`, `message` | one mailbox entry; the mailbox; entries taken out of it but not yet received; a message |
// | `waits` | which process waits for room in which mailbox |
// | `outlet`, `inlet`, `arrivals` | signals waiting to be sent; reassembly of fragments; delivery to mailboxes |
// | `cookie` | the cookie, which is never shown |
// | `handshake` | the native node's side of the distribution handshake |
// | `exports`, `calls`, `gen_server`, `destination` | exported functions; calls to other nodes; servers; message destinations |
// | `system`, `pg`, `life` | processes that every Erlang node has (`rex`, `net_kernel`); process groups; how a process ends |
// | `io/` | tasks and sockets |

mod arrivals;
mod calls;
mod config;
mod cookie;
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
mod waits;

#[cfg(test)]
mod tests;

pub use calls::ReplyTo;
pub use calls::RpcError;
pub use config::MailboxBound;
pub use config::NodeConfig;
pub use config::WhenFull;
pub(crate) use cookie::Cookie;
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
pub(crate) use handshake::FarIdentity;
pub(crate) use handshake::Handshake;
pub(crate) use handshake::HandshakeStep;
pub(crate) use handshake::OwnIdentity;
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
