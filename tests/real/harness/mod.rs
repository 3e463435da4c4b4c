//! Real processes under control: gateways, BEAM nodes, the port mapper.
//!
//! * [`process`](self::process): one child; its output is kept and shown when the test fails, and it never outlives the test.
//! * [`erlang`](self::erlang): the Erlang modules of `tests/real/erlang`, compiled once.
//! * [`otp`](self::otp): the OTP release of a site's nodes.
//! * [`ports`](self::ports): ports that nobody uses.
//! * [`node`](self::node): one `erl`, told what to do line by line.
//! * [`gateway`](self::gateway): one `beamway run` with its configuration, and the certificates.
//! * [`relay`](self::relay): a router with address translation between two gateways.
//! * [`hosts`](self::hosts): two hosts made of network namespaces.
//! * [`name_server`](self::name_server): a name server that answers, fails or is silent.
//! * [`cluster`](self::cluster): sites (a gateway each, or one stock `epmd` for all) with nodes attached.

mod cluster;
mod erlang;
mod gateway;
mod hosts;
mod name_server;
mod node;
mod otp;
mod ports;
mod process;
mod relay;

pub(crate) use cluster::Carrier;
pub(crate) use cluster::Cluster;
pub(crate) use erlang::library;
pub(crate) use gateway::BEAMWAY;
pub(crate) use gateway::Certificates;
pub(crate) use gateway::Gateway;
pub(crate) use gateway::Site;
pub(crate) use gateway::within;
pub(crate) use hosts::Hosts;
pub(crate) use name_server::NameServer;
pub(crate) use name_server::Record;
pub(crate) use node::COOKIE;
pub(crate) use node::Node;
pub(crate) use node::NodeSpec;
pub(crate) use otp::is_mixed;
pub(crate) use ports::free_tcp_port;
pub(crate) use process::Process;
pub(crate) use process::resident;
pub(crate) use process::until;
pub(crate) use process::worked;
pub(crate) use relay::Relay;
