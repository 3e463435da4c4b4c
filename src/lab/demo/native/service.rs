use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::time::Instant;

use super::payload::Payloads;
use super::stream;
use super::transfer;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::Term;
use crate::etf::from_term;
use crate::node::Context;
use crate::node::GenServer;
use crate::node::Message;
use crate::node::Next;
use crate::node::ReplyTo;
use crate::node::serve;

/// The name of a node's service.
pub(super) const SERVICE: &str = "beamway_testbed";

/// Servers that are called, at one node by one command.
pub(super) const SERVERS: usize = 16;

/// The longest wait for the far node.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What a process of the far node is to do.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// Answers calls and counts them.
    Echo,
    /// Takes big messages.
    Sink,
    /// Compares what comes with payloads of that seed and size, and acknowledges each so many.
    Receiver(u64, u64, u64),
}

/// What a service is asked.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// To start a process in that role, for as long as the other lives.
    Start(Role, NodePid),
}

/// Starts processes on request.
pub(super) struct Service(pub(super) Payloads);

impl GenServer for Service {
    async fn handle_call(&mut self, context: &mut Context, request: Term, _: ReplyTo) -> Next {
        let Ok(Request::Start(role, owner)) = from_term(&request) else {
            return not_understood();
        };
        let payloads = self.0.clone();
        let started = context.spawn(async move |mut context| {
            context.monitor(&owner);
            match role {
                Role::Echo => serve(context, Echo::default()).await,
                Role::Sink => transfer::sink(&mut context).await,
                Role::Receiver(seed, size, ack_every) => {
                    stream::receive(&mut context, &payloads.two(seed, size), ack_every).await
                }
            }
        });
        Next::Reply(started.into())
    }
}

/// As a function that has no clause for it.
fn not_understood() -> Next {
    Next::Stop {
        reason: term!(function_clause),
        reply: None,
    }
}

/// A caller counts its calls. One that is lost, doubled or out of order breaks the count, and is seen here.
#[derive(Default)]
struct Echo {
    calls: u64,
    strays: u64,
    expected: BTreeMap<Term, u64>,
}

impl GenServer for Echo {
    async fn handle_call(&mut self, _: &mut Context, request: Term, _: ReplyTo) -> Next {
        if request.is_atom("verdict") {
            return Next::Reply(term!({(self.calls), (self.strays)}));
        }
        let Some([_, caller, number]) = request.as_tuple().filter(|call| is_kind(call, "echo")) else {
            return not_understood();
        };
        let Ok(got) = u64::try_from(number) else {
            return not_understood();
        };
        let expected = self.expected.entry(caller.clone()).or_default();
        self.calls += 1;
        self.strays += u64::from(*expected != got);
        *expected = got + 1;
        Next::Reply(term!({echoed, (caller.clone()), (number.clone())}))
    }

    async fn handle_info(&mut self, _: &mut Context, message: Message) -> Next {
        match message {
            Message::Down { .. } => Next::Stop {
                reason: term!(normal),
                reply: None,
            },
            _ => Next::NoReply,
        }
    }
}

/// Whether a tuple is one of that kind, as its first element says.
pub(super) fn is_kind(tuple: &[Term], kind: &str) -> bool {
    tuple.first().is_some_and(|first| first.is_atom(kind))
}

/// Has a process started at another node, in a role (an Erlang term, see [`Role`]).
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
