//! beamway inside the Erlang VM: the library behind `erl -proto_dist beamway`.
//!
//! The Erlang side is `beamway_dist` (OTP's contract for carriers of distribution) and `beamway_nif` (the functions of [`nif`]). This
//! side runs the same lanes as a gateway, on one thread of its own:
//!
//! - [`carrier`]: the thread, the lanes and the local node. There is one of each for the whole VM.
//! - [`circuit`]: one connection to another node, which belongs to the processes of `beamway_dist` that hold it; [`task`]: what runs it.
//! - [`pulse`]: whether the VM still runs processes; without that, its thread must not vouch for it.
//! - [`log`]: log lines as events of Erlang's logger.
//!
//! Nothing here waits on a scheduler of the VM, and no panic leaves this library: functions, callbacks and tasks are all caught.
#![forbid(unsafe_code)]

mod atoms;
mod carrier;
mod circuit;
mod info;
mod log;
mod nif;
mod pulse;
mod task;

use mimalloc::MiMalloc;

// What is sent is copied once, into buffers of 64 KiB and more, which the system's allocator maps anew each time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

rustler::init!("beamway_nif");
