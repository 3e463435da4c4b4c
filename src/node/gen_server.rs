use std::future::Future;
use std::time::Duration;

use super::Message;
use super::ReplyTo;
use super::io::context::Context;
use super::life::Exit;
use crate::etf::Term;

/// A server that answers calls and casts as Erlang's `gen_server` does, from there and from here.
///
/// ```no_run
/// use beamway::etf::Term;
/// use beamway::node::{Context, GenServer, Next, ReplyTo, serve};
/// use beamway::term;
///
/// struct Counter(i64);
///
/// impl GenServer for Counter {
///     async fn handle_call(&mut self, _: &mut Context, _: Term, _: ReplyTo) -> Next {
///         self.0 += 1;
///         Next::Reply(Term::from(self.0))
///     }
/// }
///
/// # fn example(node: beamway::node::Node) {
/// node.spawn(|context| serve(context, Counter(0)));
/// # }
/// ```
pub trait GenServer: Send {
    /// Answers a call. Without [`Next::Reply`] the caller waits until [`Context::reply`].
    fn handle_call(&mut self, context: &mut Context, request: Term, from: ReplyTo)
    -> impl Future<Output = Next> + Send;

    /// Takes a cast. Ignored, unless it is defined.
    fn handle_cast(&mut self, context: &mut Context, request: Term) -> impl Future<Output = Next> + Send {
        let _ = (context, request);
        async { Next::NoReply }
    }

    /// Takes any other message. Ignored, unless it is defined.
    fn handle_info(&mut self, context: &mut Context, message: Message) -> impl Future<Output = Next> + Send {
        let _ = (context, message);
        async { Next::NoReply }
    }

    /// The server ends for this reason, but for an exit signal that it does not trap. If it traps exits, also when its node
    /// stops: for `shutdown`.
    fn terminate(&mut self, context: &mut Context, reason: &Term) -> impl Future<Output = ()> + Send {
        let _ = (context, reason);
        async {}
    }
}

/// What a server does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Answers the call, and waits for the next message. After anything but a call it is as [`Next::NoReply`].
    Reply(Term),
    /// Waits for the next message.
    NoReply,
    /// Ends.
    Stop {
        /// Why.
        reason: Term,
        /// What the caller gets before.
        reply: Option<Term>,
    },
}

/// Serves until the server stops; its exit reason is the process'.
///
/// # Errors
/// The exit reason, unless it is `normal`.
pub async fn serve(mut context: Context, mut server: impl GenServer) -> Result<(), Exit> {
    loop {
        let message = context.receive().await;
        let (next, from) = step(&mut context, &mut server, message).await;
        let (reason, reply) = match next {
            Next::NoReply => continue,
            Next::Reply(reply) => {
                if let Some(from) = from {
                    context.reply(from, reply).await?;
                }
                continue;
            }
            Next::Stop { reason, reply } => (reason, reply),
        };
        server.terminate(&mut context, &reason).await;
        if let (Some(from), Some(reply)) = (from, reply) {
            context.reply(from, reply).await?;
        }
        return if reason.is_atom("normal") {
            Ok(())
        } else {
            Err(Exit::new(reason))
        };
    }
}

async fn step(context: &mut Context, server: &mut impl GenServer, message: Message) -> (Next, Option<ReplyTo>) {
    let term = match message {
        Message::Term(term) => term,
        // The node stops, as a supervisor would have it in Erlang.
        Message::Exit { from, reason } if from == *context.pid() => return (Next::Stop { reason, reply: None }, None),
        other => return (server.handle_info(context, other).await, None),
    };
    if let Some((from, request)) = ReplyTo::of_call(&term) {
        let next = server.handle_call(context, request.clone(), from.clone()).await;
        return (next, Some(from));
    }
    if let Some((from, request)) = ReplyTo::of(&term, "system") {
        return system(request, from);
    }
    match term {
        Term::Tuple(mut pair) if matches!(pair.as_slice(), [kind, _] if kind.is_atom("$gen_cast")) => {
            let request = pair.pop().unwrap_or_default();
            (server.handle_cast(context, request).await, None)
        }
        term => (server.handle_info(context, Message::Term(term)).await, None),
    }
}

/// System messages (`sys.erl`): `gen_server:stop/3` sends one. Anything else is not supported.
fn system(request: &Term, from: ReplyTo) -> (Next, Option<ReplyTo>) {
    let next = match request.as_tuple() {
        Some([kind, reason]) if kind.is_atom("terminate") => Next::Stop {
            reason: reason.clone(),
            reply: Some(term!(ok)),
        },
        _ => Next::Reply(term!({error, not_supported})),
    };
    (next, Some(from))
}

/// The default of `gen_server:call/2`.
pub const CALL_TIME: Duration = Duration::from_secs(5);
