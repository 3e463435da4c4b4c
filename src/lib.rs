//! **beamway**: an alternative carrier for Erlang distribution.
//!
//! Two Erlang nodes share one TCP connection; beamway replaces it by many QUIC streams (*lanes*) over TLS 1.3, chosen by
//! the destination process, and bridges unmodified BEAM nodes through a *gateway* on each host.
//!
//! # A Rust program as a node
//!
//! [`node`] makes a program a node of its own among Erlang's: its processes send, receive, link and watch, are called and
//! call.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use beamway::etf::Atom;
//! use beamway::node::{Message, Node};
//! use beamway::term;
//!
//! # async fn tour() -> Result<(), Box<dyn std::error::Error>> {
//! // A node with a function that others may call: erpc:call('orders@127.0.0.1', pricing, quote, [<<"tea">>, 14]).
//! let node = Node::builder("orders@127.0.0.1")
//!     .cookie("secret")
//!     .export_typed("pricing", "quote", async |(sku, count): (String, u32)| Ok((sku, count * 3)))
//!     .start()
//!     .await?;
//!
//! // A process with a name: {counter, 'orders@127.0.0.1'} ! one.
//! let counter = node.spawn(|mut context| async move {
//!     let mut count = 0;
//!     while let Message::Term(term) = context.receive().await {
//!         count += 1;
//!         println!("{count}: {term}");
//!     }
//! });
//! node.register("counter", &counter)?;
//!
//! // The program's own way in: a process that runs right here.
//! let shop = Atom::literal("shop@127.0.0.1");
//! let limit = Duration::from_secs(5);
//! node.run(async |mut context| {
//!     let sorted = context.rpc(&shop, "lists", "sort", vec![term!([3, 1, 2])], limit).await;
//!     let stock = context.call(("stock", &shop), term!({count, tea}), limit).await;
//!     println!("{sorted:?}, {stock:?}");
//!     context.monitor(("stock", &shop));
//!     println!("{:?}", context.receive().await);
//! })
//! .await?;
//! node.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Other hosts are reached over lanes, with certificates that `beamway certs` makes; everything else stays as it is:
//!
//! ```no_run
//! use beamway::carrier::Lanes;
//! use beamway::node::Node;
//!
//! # async fn tour() -> Result<(), Box<dyn std::error::Error>> {
//! let lanes = Lanes::new("h3", "certs/h3").peer("h1", "h1.example:4471").start().await?;
//! let node = Node::builder("orders@h3").cookie("secret").attach(lanes.natives()).start().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`node`] says what Erlang has and what it is called here, and what is promised; `docs/NODES.md` has the rest: how a node is
//! reached, limits, figures.
//!
//! # The code
//!
//! The modules are declared in reading order, which is also their rank: a module uses only modules of lower rank, and
//! `tests/system/shape.rs` holds that. Everything outside the files `server.rs`, `client.rs`, `driver.rs` and `handle.rs` is
//! synchronous and pure: time comes in as an argument, output is polled. `docs/ARCHITECTURE.md` is the map.

pub mod codec;

#[macro_use]
pub mod etf;

pub mod dist;

pub mod wire;

pub mod epmd;

pub mod tls;

pub mod router;

pub mod congestion;

pub mod order;

pub mod session;

pub mod endpoint;

pub mod hub;

pub mod trunk;

pub mod gateway;

pub mod node;

pub mod cluster;

pub mod config;

pub mod carrier;

pub mod cli;

pub mod lab;
