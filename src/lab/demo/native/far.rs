use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::Term;
use crate::node::Context;

/// The name of a node's service.
pub(super) const SERVICE: &str = "beamway_testbed";

/// Servers that are called, at one node by one command.
pub(super) const SERVERS: usize = 16;

/// The longest wait for the far node.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Whether a tuple is one of that kind, as its first element says.
pub(super) fn is_kind(tuple: &[Term], kind: &str) -> bool {
    tuple.first().is_some_and(|first| first.is_atom(kind))
}

/// Has a process started at another node, in a role (an Erlang term: `Role` of the service).
pub(super) async fn start(context: &mut Context, node: &Atom, role: Term) -> anyhow::Result<NodePid> {
    let request = term!({start, (role), (context.pid().clone())});
    let started = context.call((SERVICE, node), request, ANSWER_MAX).await;
    Ok(started.with_context(|| format!("the service of {node}"))?.try_into()?)
}

/// What `wanted` makes of the first message that it takes, which must come.
pub(super) async fn await_message<T>(
    context: &mut Context,
    what: &str,
    mut wanted: impl FnMut(&[Term]) -> Option<T>,
) -> anyhow::Result<T> {
    let message = context.receive_map(|message| {
        let found = message.as_term().and_then(Term::as_tuple).and_then(&mut wanted);
        found.ok_or(message)
    });
    tokio::time::timeout(ANSWER_MAX, message)
        .await
        .with_context(|| format!("no {what} within {} s", ANSWER_MAX.as_secs()))
}

/// Since then, in microseconds.
pub(super) fn micros(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX)
}
