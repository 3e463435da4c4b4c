use std::time::Duration;

use super::AliasMode;
use super::CallError;
use super::Destination;
use super::Message;
use super::SendError;
use super::Ties;
use super::io::context::Context;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Term;

/// The caller of a server, as [`Context::reply`] needs it: `{Pid, Tag}`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplyTo {
    pid: NodePid,
    tag: Term,
}

impl ReplyTo {
    /// The process that called.
    pub const fn pid(&self) -> &NodePid {
        &self.pid
    }

    /// Parses `{'$gen_call', {Pid, Tag}, Request}`.
    pub(super) fn of_call(term: &Term) -> Option<(Self, &Term)> {
        Self::of(term, "$gen_call")
    }

    /// Parses `{Kind, {Pid, Tag}, Request}`.
    pub(super) fn of<'a>(term: &'a Term, kind: &str) -> Option<(Self, &'a Term)> {
        match term.as_tuple()? {
            [Term::Atom(found), from, request] if *found == *kind => match from.as_tuple()? {
                [Term::Pid(pid), tag] => Some((
                    Self {
                        pid: pid.clone(),
                        tag: tag.clone(),
                    },
                    request,
                )),
                _ => None,
            },
            _ => None,
        }
    }

    /// Where the reply goes: the alias in the tag, if there is one (`gen.erl`).
    fn destination(&self) -> Destination {
        let mut tag = &self.tag;
        loop {
            match tag {
                Term::Improper(list) => match (list.elements(), list.tail()) {
                    ([Term::Atom(kind)], Term::Reference(alias)) if *kind == *"alias" => {
                        return Destination::Alias((**alias).clone());
                    }
                    ([first, ..], _) => tag = first,
                    _ => break,
                },
                Term::List(items) => match items.first() {
                    Some(first) => tag = first,
                    None => break,
                },
                _ => break,
            }
        }
        Destination::Process(self.pid.clone())
    }
}

/// Why [`Context::rpc`] returned no value: the function raised an exception, or may not have run (`erpc:call/5`).
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum RpcError {
    /// The function threw this value.
    #[error("throw: {0}")]
    Throw(Term),
    /// The function called `exit` with this reason.
    #[error("exit: {0}")]
    Exit(Term),
    /// The function raised an error.
    #[error("error: {reason}, {stack}")]
    Error {
        /// The reason.
        reason: Term,
        /// The stack trace.
        stack: Term,
    },
    /// An exit signal with this reason ended the process that ran the function.
    #[error("signal: {0}")]
    Signal(Term),
    /// The function may not have run. Holds the reason: `noconnection`, `timeout` or `system_limit`.
    #[error("erpc: {0}")]
    Failed(Term),
}

/// Calls to servers, as `gen_server` makes them, and to functions, as `erpc` makes them.
impl Context {
    /// `gen_server:call/3`: sends a request to a server and waits for its reply, both within `limit`.
    ///
    /// # Errors
    /// If no reply arrives within `limit`, or the server is not there or ends. A reply that arrives later is dropped.
    pub async fn call(
        &mut self,
        server: impl Into<Destination>,
        request: impl Into<Term>,
        limit: Duration,
    ) -> Result<Term, CallError> {
        let server = server.into();
        let seen = self.seen();
        let monitor = self.monitor_with_alias(server.clone(), AliasMode::ReplyDemonitor);
        let tag = Term::list(vec![term!(alias)], monitor.clone().into());
        let request = term!({@"$gen_call", {(self.pid().clone()), (tag.clone())}, (request.into())});
        // If no process has the name, the monitor has reported it already.
        let reply = self
            .ask(server, request, limit, seen, |message| answer(message, &tag, &monitor))
            .await;
        // Needed after a reply too: some servers (`net_kernel`) reply to the pid, so the monitor is still active.
        self.demonitor(&monitor);
        if let Some(reply) = reply? {
            return reply;
        }
        // The reply may have arrived meanwhile; then it must not stay in the mailbox.
        let late = self
            .receive_from_within(Duration::ZERO, seen, |message| answer(message, &tag, &monitor))
            .await;
        late.unwrap_or(Err(CallError::Timeout))
    }

    /// `gen_server:cast/2`.
    ///
    /// # Errors
    /// If the request cannot be encoded. A server that is not there is not an error, as in Erlang.
    pub async fn cast(&mut self, server: impl Into<Destination>, request: impl Into<Term>) -> Result<(), SendError> {
        match self.send(server, term!({@"$gen_cast", (request.into())})).await {
            Err(SendError::NotRegistered(_)) => Ok(()),
            other => other,
        }
    }

    /// `gen_server:reply/2`.
    ///
    /// # Errors
    /// If the reply cannot be encoded.
    pub async fn reply(&mut self, to: ReplyTo, reply: impl Into<Term>) -> Result<(), SendError> {
        let destination = to.destination();
        self.send(destination, term!({(to.tag), (reply.into())})).await
    }

    /// `erpc:call/5`: runs a function on another node, or an exported function on this node, and returns its value.
    ///
    /// # Errors
    /// What the function raised, or why it may not have run.
    pub async fn rpc(
        &mut self,
        node: &Atom,
        module: impl Into<Atom>,
        function: impl Into<Atom>,
        arguments: Vec<Term>,
        limit: Duration,
    ) -> Result<Term, RpcError> {
        let seen = self.seen();
        let tag = Term::from(self.make_reference());
        let call = vec![
            tag.clone(),
            module.into().into(),
            function.into().into(),
            arguments.into(),
        ];
        let ties = Ties {
            monitor: true,
            errors_only: true,
            ..Ties::default()
        };
        let request = self.spawn_request(node, "erpc", "execute_call", call, ties);
        let outcome = self.receive_from_within(limit, seen, |message| match message {
            Message::SpawnReply {
                request: of,
                result: Err(reason),
            } if *of == request => Ok(Err(RpcError::Failed(reason.into()))),
            Message::Down { reference, reason, .. } if *reference == request => Ok(returned(reason, &tag)),
            other => Err(other),
        });
        if let Some(outcome) = outcome.await {
            return outcome;
        }
        self.demonitor(&request);
        Err(RpcError::Failed(term!(timeout)))
    }

    /// `global:whereis_name/1`, asked of the node `beam`: native nodes are hidden, and `global` does not know them.
    ///
    /// # Errors
    /// If that node cannot be asked, or does not answer within `limit`.
    pub async fn global_whereis(
        &mut self,
        beam: &Atom,
        name: impl Into<Term>,
        limit: Duration,
    ) -> Result<Option<NodePid>, RpcError> {
        let found = self
            .rpc(beam, "global", "whereis_name", vec![name.into()], limit)
            .await?;
        Ok(NodePid::try_from(found).ok())
    }
}

/// The reply to a call, or the end of its server; any other message is given back.
fn answer(message: Message, tag: &Term, monitor: &NodeReference) -> Result<Result<Term, CallError>, Message> {
    match message {
        Message::Down { reference, reason, .. } if *reference == *monitor => Ok(Err(CallError::Down(reason))),
        Message::Term(Term::Tuple(mut pair)) if matches!(pair.as_slice(), [found, _] if found == tag) => {
            Ok(Ok(pair.pop().unwrap_or_default()))
        }
        other => Err(other),
    }
}

/// Reads the exit reason of `erpc:execute_call/4`.
fn returned(reason: Term, tag: &Term) -> Result<Term, RpcError> {
    let Term::Tuple(items) = &reason else {
        return Err(lost(reason));
    };
    match items.as_slice() {
        [of, Term::Atom(kind), value] if of == tag => match &**kind {
            "return" => Ok(value.clone()),
            "throw" => Err(RpcError::Throw(value.clone())),
            "exit" => Err(RpcError::Exit(value.clone())),
            _ => Err(RpcError::Failed(value.clone())),
        },
        [of, _, why, stack] if of == tag => Err(RpcError::Error {
            reason: why.clone(),
            stack: stack.clone(),
        }),
        _ => Err(lost(reason)),
    }
}

fn lost(reason: Term) -> RpcError {
    if reason.is_atom("noconnection") {
        RpcError::Failed(reason)
    } else {
        RpcError::Signal(reason)
    }
}
