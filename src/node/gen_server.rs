use std::future::Future;
use std::time::Duration;

use super::Message;
use super::ReplyTo;
use super::io::context::Context;
use super::life::Exit;
use crate::etf::Term;

/// A server that answers calls and casts as Erlang's `gen_server` does. Clients may be Erlang or native processes.
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
    /// Answers a call. If the result is not [`Next::Reply`], the caller waits until [`Context::reply`].
    fn handle_call(&mut self, context: &mut Context, request: Term, from: ReplyTo)
    -> impl Future<Output = Next> + Send;

    /// Handles a cast. The default ignores it.
    fn handle_cast(&mut self, context: &mut Context, request: Term) -> impl Future<Output = Next> + Send {
        let _ = (context, request);
        async { Next::NoReply }
    }

    /// Handles any other message. The default ignores it.
    fn handle_info(&mut self, context: &mut Context, message: Message) -> impl Future<Output = Next> + Send {
        let _ = (context, message);
        async { Next::NoReply }
    }

    /// Called before the server ends for `reason`, except if an exit signal that it does not trap ends it. A server that
    /// traps exits is also called when its node stops, with `shutdown`.
    fn terminate(&mut self, context: &mut Context, reason: &Term) -> impl Future<Output = ()> + Send {
        let _ = (context, reason);
        async {}
    }
}

/// What a server does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Replies to the call and waits for the next message. For anything but a call this equals [`Next::NoReply`].
    Reply(Term),
    /// Waits for the next message.
    NoReply,
    /// Ends the server.
    Stop {
        /// The exit reason.
        reason: Term,
        /// The reply that the caller gets first.
        reply: Option<Term>,
    },
}

/// Runs a server until it stops. Its exit reason is the exit reason of the process.
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
        // The node is stopping: the exit signal that a supervisor would send in Erlang.
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

/// System messages (`sys.erl`). `terminate`, which `gen_server:stop/3` sends, is supported; others are answered with an
/// error.
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

/// The default time-out of `gen_server:call/2`.
pub const CALL_TIME: Duration = Duration::from_secs(5);
