//! The functions that `beamway_nif` exports to Erlang. Those that can take more than a millisecond run on a dirty scheduler.

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use rustler::Atom;
use rustler::Binary;
use rustler::Encoder;
use rustler::Env;
use rustler::Error;
use rustler::LocalPid;
use rustler::NifResult;
use rustler::ResourceArc;
use rustler::Term;

use crate::atoms;
use crate::carrier;
use crate::circuit::Circuit;
use crate::circuit::Sent;
use crate::info;
use crate::log;
use crate::pulse;
use crate::task;

/// Starts the lanes with a configuration file: `ok`, or `{error, [Line]}`. Without listening, beside another VM with that file.
#[rustler::nif(schedule = "DirtyIo")]
fn start(env: Env<'_>, file: String, listens: bool) -> Term<'_> {
    match carrier::start(PathBuf::from(file), listens) {
        Ok(()) => atoms::ok().encode(env),
        Err(lines) => (atoms::error(), lines).encode(env),
    }
}

/// Stops the lanes.
#[rustler::nif(schedule = "DirtyIo")]
fn stop() -> Atom {
    carrier::stop();
    atoms::ok()
}

/// Attaches the local node `Name@Host`: `{ok, Creation}` or `{error, Reason}`.
#[rustler::nif(schedule = "DirtyIo")]
fn attach(name: String, host: String, is_hidden: bool) -> Result<u32, String> {
    carrier::attach(name, host, is_hidden)
}

/// Withdraws the local node.
#[rustler::nif(schedule = "DirtyIo")]
fn detach() -> Atom {
    carrier::detach();
    atoms::ok()
}

/// Whether connections to a node go over beamway, as the configuration file says.
#[rustler::nif]
fn selects(node: String) -> bool {
    carrier::selects(&node)
}

/// The VM lives: the caller runs. From now on the caller is asked, by `beamway_pulse`.
#[rustler::nif]
fn pulse(env: Env<'_>) -> Atom {
    pulse::ask(env.pid());
    pulse::seen();
    atoms::ok()
}

/// The caller writes log lines from now on.
#[rustler::nif]
fn log(env: Env<'_>) -> Atom {
    log::set_writer(env.pid());
    atoms::ok()
}

/// The caller has written a log line.
#[rustler::nif]
fn logged() -> Atom {
    log::written();
    atoms::ok()
}

/// Circuits that peers open are told to the caller: `{beamway_incoming, Circuit, SendName}`.
#[rustler::nif]
fn accept(env: Env<'_>) -> Atom {
    if carrier::set_acceptor(env.pid()) {
        atoms::ok()
    } else {
        atoms::closed()
    }
}

/// Opens a circuit to a node. The caller, which performs the handshake, gets `{beamway_handshake, Message}` and
/// `{beamway_closed, Reason}`. The circuit ends with the controller.
#[rustler::nif]
fn open(env: Env<'_>, target: String, send_name: Term<'_>, controller: LocalPid) -> NifResult<ResourceArc<Circuit>> {
    let send_name = Bytes::copy_from_slice(Binary::from_iolist(send_name)?.as_slice());
    let circuit = ResourceArc::new(task::open(target, send_name, env.pid(), controller));
    if circuit.shared.end.is_cancelled() {
        // There are no lanes to run it.
        let _ = env.send(&env.pid(), (atoms::beamway_closed(), "beamway does not run"));
    }
    bind(env, &circuit, &controller);
    Ok(circuit)
}

/// The caller performs the handshake of an incoming circuit, which ends with the controller.
#[rustler::nif]
fn own(env: Env<'_>, circuit: ResourceArc<Circuit>, controller: LocalPid) -> Atom {
    bind(env, &circuit, &controller);
    ok_or_closed(circuit.shared.own(env.pid(), controller))
}

/// The circuit ends with this process.
fn bind(env: Env<'_>, circuit: &ResourceArc<Circuit>, controller: &LocalPid) {
    if circuit.monitor(Some(env), controller).is_none() {
        circuit.shared.give_up();
    }
}

/// Sends the next handshake message.
#[rustler::nif]
fn handshake(circuit: ResourceArc<Circuit>, message: Term<'_>) -> NifResult<Atom> {
    let message = Bytes::copy_from_slice(Binary::from_iolist(message)?.as_slice());
    Ok(ok_or_closed(circuit.shared.handshake(message)))
}

/// The VM has completed the handshake. Packets go to the process `input`; the controller gets `beamway_ready`.
#[rustler::nif]
fn established(circuit: ResourceArc<Circuit>, input: LocalPid) -> Atom {
    ok_or_closed(circuit.shared.establish(input))
}

fn ok_or_closed(is_ok: bool) -> Atom {
    if is_ok { atoms::ok() } else { atoms::closed() }
}

/// Sends packets, `[{Size, IoVec}]` with the last one first: `ok`, `wait` until `beamway_ready`, or `closed`. All are taken in any
/// case. `{error, Reason}` if a packet is malformed.
#[rustler::nif]
fn send<'a>(env: Env<'a>, circuit: ResourceArc<Circuit>, packets: Term<'a>) -> NifResult<Term<'a>> {
    pulse::seen();
    let mut list: Vec<(u32, Term<'a>)> = Vec::with_capacity(packets.list_length().unwrap_or(0));
    let mut bytes = 0;
    for item in packets.into_list_iterator()? {
        let packet: (u32, Term<'a>) = item.decode()?;
        bytes += packet.0 as usize + 4;
        list.push(packet);
    }
    let sent = circuit.shared.send::<Failed>(|out| {
        out.reserve(bytes);
        for (size, parts) in list.iter().rev() {
            out.packet(*size);
            for part in parts.into_list_iterator()? {
                out.part(Binary::from_term(part)?.as_slice());
            }
        }
        Ok(list.len() as u64)
    });
    match sent {
        Ok(Sent::Ok) => Ok(atoms::ok().encode(env)),
        Ok(Sent::Wait) => Ok(atoms::wait().encode(env)),
        Ok(Sent::Closed) => Ok(atoms::closed().encode(env)),
        Err(Failed::Packet(reason)) => Ok((atoms::error(), reason).encode(env)),
        Err(Failed::Call(error)) => Err(error),
    }
}

/// Why packets were not sent.
enum Failed {
    /// One is malformed.
    Packet(String),
    /// The function was called with something else.
    Call(Error),
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self::Packet(reason)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// The VM has taken a delivery of this cost.
#[rustler::nif]
fn taken(circuit: ResourceArc<Circuit>, cost: u64) -> Atom {
    pulse::seen();
    circuit.shared.taken(cost);
    atoms::ok()
}

/// The controller has suspended so many processes now, and `more` of them just now.
#[rustler::nif]
fn suspended(circuit: ResourceArc<Circuit>, now: u64, more: u64) -> Atom {
    circuit.shared.suspended.store(now, Relaxed);
    circuit.shared.suspensions.fetch_add(more, Relaxed);
    atoms::ok()
}

/// What OTP's ticker compares: `{Received, Sent, IsPending}`.
#[rustler::nif]
fn statistics(circuit: ResourceArc<Circuit>) -> (u64, u64, bool) {
    pulse::seen();
    circuit.shared.statistics()
}

/// The lanes and the circuits of this VM.
#[rustler::nif]
fn info(env: Env<'_>) -> Term<'_> {
    info::info(env)
}

/// The known nodes of a host, by their full names.
#[rustler::nif(schedule = "DirtyIo")]
fn names(host: String) -> Vec<String> {
    carrier::names(host)
}
