//! What `beamway demo` and `beamway bench` share: pairs of nodes over one carrier or another. They are started on this machine,
//! and none is left when a run ends, for whatever reason.
//!
//! * [`shared`]: what all pairs of a run share; [`carriers`]: beamway, plain distribution, TLS or another carrier; [`pairs`]:
//!   two nodes over one of them;
//! * [`gateways`], [`transport`], [`certificates`]: the two gateways and their settings; [`hosts`]: where nodes and gateways run;
//! * [`inside`]: nodes that carry their distribution themselves;
//! * [`nodes`], [`node_settings`], [`port_mapper`]: one node; [`protocol`]: commands and answers of a node; [`erlang`] with
//!   `beamway_testbed.erl`: BEAMs;
//! * [`supervise`]: a run that leaves nothing behind; [`workspace`], [`children`]: its folder and its processes;
//! * `screen`: progress; `rates`: counts and times → rates.
//!
//! The parts are public for the tests, though not documented.

#[doc(hidden)]
pub mod carriers;
#[doc(hidden)]
pub mod certificates;
#[doc(hidden)]
pub mod children;
#[doc(hidden)]
pub mod erlang;
#[doc(hidden)]
pub mod gateways;
#[doc(hidden)]
pub mod hosts;
#[doc(hidden)]
pub mod inside;
#[doc(hidden)]
pub mod node_settings;
#[doc(hidden)]
pub mod nodes;
#[doc(hidden)]
pub mod pairs;
#[doc(hidden)]
pub mod port_mapper;
#[doc(hidden)]
pub mod protocol;
pub(super) mod rates;
pub(super) mod screen;
#[doc(hidden)]
pub mod shared;
#[doc(hidden)]
pub mod supervise;
#[doc(hidden)]
pub mod transport;
#[doc(hidden)]
pub mod workspace;

#[cfg(test)]
mod tests;
