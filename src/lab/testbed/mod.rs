//! What `beamway demo` and `beamway bench` both play on: pairs of nodes over one carrier or another, started on this machine
//! and gone at the end, however the end comes.
//!
//! * [`carriers`]: beamway, plain distribution, TLS or what somebody else made; [`pairs`]: two nodes over one of them;
//! * [`gateways`], [`nodes`], [`port_mapper`]: what the pairs consist of; [`hosts`]: where these run;
//! * [`protocol`]: what a node is told and what it answers; [`erlang`] with `beamway_testbed.erl`: the nodes;
//! * [`supervise`]: a run that leaves nothing behind; [`workspace`], [`children`]: the folder and the processes;
//! * `screen`: what is said meanwhile; `rates`: counts and times → rates.
//!
//! The parts are public for the tests, though not documented.

#[doc(hidden)]
pub mod carriers;
#[doc(hidden)]
pub mod children;
#[doc(hidden)]
pub mod erlang;
#[doc(hidden)]
pub mod gateways;
#[doc(hidden)]
pub mod hosts;
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
pub mod supervise;
#[doc(hidden)]
pub mod workspace;

#[cfg(test)]
mod tests;
