//! **beamway**: an alternative carrier for Erlang distribution.
//!
//! Two Erlang nodes share one TCP connection; beamway replaces it by many QUIC streams (*lanes*) over TLS 1.3, chosen by
//! the destination process, and bridges unmodified BEAM nodes through a *gateway* on each host.
//!
//! The modules are declared in reading order, which is also their rank: a module uses only modules of lower rank, and
//! `tests/shape.rs` holds that. Everything outside the files `server.rs`, `client.rs`, `driver.rs` and `handle.rs` is
//! synchronous and pure: time comes in as an argument, output is polled. `docs/ARCHITECTURE.md` is the map.

pub mod codec;

#[macro_use]
pub mod etf;

pub mod dist;

pub mod wire;

pub mod epmd;

pub mod tls;

pub mod router;

pub mod lanes;

pub mod session;

pub mod trunk;

pub mod gateway;

pub mod node;

pub mod cluster;

pub mod config;

pub mod linkem;

pub mod app;

pub mod cli;
