//! Real BEAM nodes through real gateways.
//!
//! Every case is a function of a [`Carrier`](harness::Carrier). Over `Bridge` it is the test; over `Plain`, which is stock
//! distribution, it is the control that shows the case itself to be right. Controls that say nothing new are ignored by
//! default: `cargo nextest run --test real --run-ignored all`.
//!
//! What a node does in a case is written in Erlang, in `erlang/`; this side starts, stops and harms processes.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why"
)]

mod harness;

/// Registers cases as tests: `control` ones over both carriers, the others over the bridge, with their control ignored. Those of `vm` are
/// registered for nodes with the carrier inside, too, and those of `mixed` for such a node and one behind a gateway; `releases` runs more of
/// these in turn.
macro_rules! cases {
    (control: $($control:ident),* ; bridge: $($case:ident),* $(; vm: $($inside:ident),*)? $(; mixed: $($mixed:ident),*)? $(;)?) => {
        mod bridge {
            $(#[test] fn $control() { super::$control(crate::harness::Carrier::Bridge); })*
            $(#[test] fn $case() { super::$case(crate::harness::Carrier::Bridge); })*
        }
        mod plain {
            $(#[test] fn $control() { super::$control(crate::harness::Carrier::Plain); })*
            $(#[test]
            #[ignore = "a control of the case, over stock distribution"]
            fn $case() { super::$case(crate::harness::Carrier::Plain); })*
        }
        $(mod vm {
            $(#[test] fn $inside() { super::$inside(crate::harness::Carrier::Vm); })*
        })?
        $(mod mixed {
            $(#[test] fn $mixed() { super::$mixed(crate::harness::Carrier::Mixed); })*
        })?
    };
}

mod addresses;
mod admin;
mod aliases;
mod attach;
mod basics;
mod circuits;
mod connections;
mod demo;
mod detection;
mod discover;
mod doctor;
mod elixir;
mod examples;
mod gateways;
mod global;
mod hostile;
mod inside;
mod ipv6;
mod liveness;
mod local;
mod log;
mod lossy;
mod mnesia;
mod monitoring;
mod names;
mod native;
mod netns;
mod oneshot;
mod order;
mod otp;
mod pages;
mod policy;
mod pressure;
mod releases;
mod reload;
#[path = "../system/golden/samples.rs"]
mod samples;
mod senders;
mod signals;
mod sizing;
mod terms;
mod upgrade;
