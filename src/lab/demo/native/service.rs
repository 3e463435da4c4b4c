use std::collections::BTreeMap;

use serde::Deserialize;

use super::far::is_kind;
use super::payload::Payloads;
use super::stream;
use super::transfer;
use crate::etf::NodePid;
use crate::etf::Term;
use crate::etf::from_term;
use crate::node::Context;
use crate::node::GenServer;
use crate::node::Message;
use crate::node::Next;
use crate::node::ReplyTo;
use crate::node::serve;

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
