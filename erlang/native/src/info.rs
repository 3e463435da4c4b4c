//! What `beamway:info/0` tells.

use std::sync::atomic::Ordering::Relaxed;

use rustler::Encoder;
use rustler::Env;
use rustler::Term;

use crate::atoms;
use crate::carrier;
use crate::circuit::Shared;

/// The lanes and the circuits of this VM as a map; empty if beamway does not run.
pub(crate) fn info(env: Env<'_>) -> Term<'_> {
    let Some(overview) = carrier::overview() else {
        return Term::map_new(env);
    };
    let circuits: Vec<Term<'_>> = overview
        .circuits
        .iter()
        .filter_map(|circuit| one(env, circuit))
        .collect();
    map(
        env,
        &[
            (atoms::name().encode(env), overview.name.encode(env)),
            (atoms::address().encode(env), overview.address.encode(env)),
            (atoms::version().encode(env), env!("CARGO_PKG_VERSION").encode(env)),
            (atoms::memory().encode(env), overview.memory.0.encode(env)),
            (atoms::memory_limit().encode(env), overview.memory.1.encode(env)),
            (atoms::circuits().encode(env), circuits.encode(env)),
        ],
    )
}

/// A circuit whose nodes are connected.
fn one<'a>(env: Env<'a>, circuit: &Shared) -> Option<Term<'a>> {
    let (node, peer) = circuit.names.get().filter(|_| circuit.is_open())?;
    Some(map(
        env,
        &[
            (atoms::node().encode(env), node.encode(env)),
            (atoms::peer().encode(env), (**peer).encode(env)),
            (
                atoms::received().encode(env),
                circuit.received.load(Relaxed).encode(env),
            ),
            (atoms::sent().encode(env), circuit.sent.load(Relaxed).encode(env)),
            (atoms::to_send().encode(env), circuit.has_kept().encode(env)),
            (
                atoms::to_deliver().encode(env),
                circuit.waiting.load(Relaxed).encode(env),
            ),
            (
                atoms::suspended().encode(env),
                circuit.suspended.load(Relaxed).encode(env),
            ),
            (
                atoms::suspensions().encode(env),
                circuit.suspensions.load(Relaxed).encode(env),
            ),
            (atoms::far_is_silent().encode(env), circuit.far_is_silent().encode(env)),
        ],
    ))
}

fn map<'a>(env: Env<'a>, pairs: &[(Term<'a>, Term<'a>)]) -> Term<'a> {
    Term::map_from_pairs(env, pairs).unwrap_or_else(|_| Term::map_new(env))
}
