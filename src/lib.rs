//! **beamway** connects Erlang nodes over many QUIC streams (*lanes*) with mutual TLS 1.3, instead of one TCP connection per pair
//! of nodes. One large message, one lost packet or one slow reader then delays only its own lane.
//!
//! # Three ways to take part
//!
//! | way | what takes part | what you need |
//! |---|---|---|
//! | [gateway](#a-gateway) | BEAM nodes, unchanged | the program `beamway` beside them |
//! | in the VM | BEAM nodes, without a gateway | the carrier inside the VM, chosen by `-proto_dist beamway` (`erlang/README.md`) |
//! | [native node](#a-native-node) | a Rust program | this library |
//!
//! All of them talk to each other.
//!
//! ## A gateway
//!
//! A daemon beside the nodes of each host: it is their port mapper (epmd), and speaks plain distribution to them over loopback.
//!
//! ```sh
//! beamway certs init  --dir certs          # once per cluster: create an authority
//! beamway certs issue --dir certs h1 h2    # issue a certificate for each host, named as in `orders@h1`
//! beamway check --config h1.toml           # report every mistake in the configuration and certificates
//! beamway run   --config h1.toml
//! erl -sname a@h1 -setcookie secret -start_epmd false -kernel inet_dist_use_interface '{127,0,0,1}'
//! ```
//!
//! `docs/ATTACH.md` walks through this with two nodes on one machine, and shows the configuration files.
//!
//! ## A native node
//!
//! [`node`] makes a program a node of the cluster. Its processes can send, receive, link, monitor, and make and answer calls.
//! On its own host, the node registers with the port mapper and speaks plain distribution:
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
//! // The program's entry point: a process that runs in the current task.
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
//! It reaches other hosts over [`carrier::Lanes`], with a certificate that `beamway certs issue` makes. Everything else stays the same:
//!
//! ```no_run
//! use beamway::carrier::Lanes;
//! use beamway::node::Node;
//!
//! # async fn tour() -> Result<(), Box<dyn std::error::Error>> {
//! let lanes = Lanes::builder("h3", "certs/h3").peer("h1", "h1.example:4471").start().await?;
//! let node = Node::builder("orders@h3").cookie("secret").attach(&lanes).start().await?;
//! // …
//! node.stop().await;
//! lanes.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # The modules
//!
//! | to | look at |
//! |---|---|
//! | run processes, send and receive, call and be called | [`node`]: Erlang's constructs, their names here, and the guarantees |
//! | reach other hosts, or run a whole daemon within a program | [`carrier`] |
//! | create, read, print, encode and decode terms; carry Rust types as terms | [`etf`], and the macro [`term!`] |
//!
//! `docs/NODES.md` covers the rest: limits, backpressure, figures.
//!
//! # Features
//!
//! | feature | by default | adds |
//! |---|---|---|
//! | `daemon` | yes | the program `beamway`, and `carrier::Daemon` |
//! | `lab` | yes | `beamway demo`, `bench`, `sim`, `linkem` |
//! | `admin` | yes | metrics, status and commands of a daemon, over HTTP |
//! | `config-file` | yes | settings from a file: [`Lanes::start_file`](carrier::Lanes::start_file) |
//! | `internals` | no | modules without a stable interface, for the carrier inside the VM, tests, benches and fuzzing |
//!
//! A native node needs none of them (`default-features = false`).

// Modules are listed by rank: a module uses only modules of lower rank (`tests/system/shape.rs`). Only `etf`, `node` and
// `carrier` are public API. `docs/ARCHITECTURE.md` is the map of the code.
#![cfg_attr(
    not(feature = "internals"),
    allow(
        unreachable_pub,
        unused_imports,
        reason = "`pub` items of private modules exist for `internals`; a build with that feature reports unused ones"
    )
)]

mod codec;

mod fields;

#[macro_use]
pub mod etf;

mod dist;

mod wire;

mod epmd;

mod tls;

mod router;

mod congestion;

mod order;

mod session;

mod endpoint;

mod hub;

mod trunk;

mod gateway;

pub mod node;

#[cfg(any(test, feature = "internals"))]
mod vm;

mod cluster;

mod observe;

mod config;

pub mod carrier;

#[cfg(feature = "daemon")]
#[doc(hidden)]
pub mod cli;

#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod lab;

/// Modules that are not public API, for the tests, benches and fuzz targets of this package. Anything here can change.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    macro_rules! show {
        ($($module:ident)*) => {$(
            /// See the module of that name.
            pub mod $module {
                pub use crate::$module::*;
            }
        )*};
    }

    /// Functions with which a carrier reads terms without decoding them.
    pub mod etf {
        pub use crate::etf::read::*;
        pub use crate::etf::skip::*;
    }

    show!(codec fields dist wire epmd tls router congestion order session endpoint hub trunk gateway vm cluster observe config);
}
