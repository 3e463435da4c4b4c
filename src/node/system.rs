use super::Message;
use super::calls::ReplyTo;
use super::io::context::Context;
use super::io::node::Node;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::Term;

/// Starts the processes that other nodes expect to find: `net_kernel` for `net_adm:ping/1`, `rex` for `rpc`.
pub(super) fn start(node: &Node) {
    for (name, body) in [(Atom::literal("net_kernel"), false), (Atom::literal("rex"), true)] {
        let pid = node.spawn(move |context| async move {
            if body {
                remote_calls(context).await;
            } else {
                net_kernel(context).await;
            }
        });
        // No other process has a name yet, so this cannot fail.
        let _ = node.register(name, &pid);
    }
}

async fn net_kernel(mut context: Context) {
    loop {
        if let Message::Term(term) = context.receive().await
            && let Some((from, request)) = ReplyTo::of_call(&term)
        {
            let is_ping = request
                .as_tuple()
                .is_some_and(|call| call.first().is_some_and(|name| name.is_atom("is_auth")));
            let answer = if is_ping {
                term!(yes)
            } else {
                term!({error, not_supported})
            };
            let _ = context.reply(from, answer).await;
        }
    }
}

/// The process `rex`. Most of `rpc` uses `erpc` today and does not come here. It still serves `block_call`, calls of nodes
/// without pids for their callers (C nodes), and broadcasts.
async fn remote_calls(mut context: Context) {
    loop {
        let Message::Term(term) = context.receive().await else {
            continue;
        };
        if let Some((from, request)) = ReplyTo::of_call(&term) {
            if let Some((module, function, arguments)) = call_of(request) {
                context.spawn(move |mut context| async move {
                    let answer = call(&mut context, module, function, arguments).await;
                    let _ = context.reply(from, answer).await;
                });
            }
        } else if let Some([Term::Atom(kind), cast]) = term.as_tuple()
            && *kind == *"$gen_cast"
        {
            if let Some((module, function, arguments)) = call_of(cast) {
                context.spawn(move |mut context| async move {
                    call(&mut context, module, function, arguments).await;
                });
            }
        } else if let Some([Term::Pid(from), request]) = term.as_tuple() {
            serve(&mut context, from.clone(), request.clone()).await;
        }
    }
}

async fn serve(context: &mut Context, from: NodePid, request: Term) {
    let own = context.pid().node.clone();
    match request.as_tuple() {
        Some([Term::Atom(kind), Term::Atom(name), message]) if *kind == *"sbcast" => {
            let answer = match context.send(name.clone(), message.clone()).await {
                Ok(()) => Term::from(own.clone()),
                Err(_) => term!({nonexisting_name, (name.clone())}),
            };
            let _ = context.send(from, term!({rex, (own), (answer)})).await;
        }
        _ if request.is_atom("features_request") => {
            let _ = context.send(from, term!({features_reply, (own), [erpc]})).await;
        }
        _ => {
            if let Some((module, function, arguments)) = call_of(&request) {
                context.spawn(move |mut context| async move {
                    let answer = call(&mut context, module, function, arguments).await;
                    let _ = context.send(from, term!({rex, (answer)})).await;
                });
            }
        }
    }
}

/// `{call | block_call | cast, Module, Function, Arguments, GroupLeader}`.
fn call_of(request: &Term) -> Option<(Atom, Atom, Vec<Term>)> {
    match request.as_tuple()? {
        [
            Term::Atom(kind),
            Term::Atom(module),
            Term::Atom(function),
            Term::List(arguments),
            _,
        ] if matches!(&**kind, "call" | "block_call" | "cast") => {
            Some((module.clone(), function.clone(), arguments.clone().into()))
        }
        _ => None,
    }
}

async fn call(context: &mut Context, module: Atom, function: Atom, arguments: Vec<Term>) -> Term {
    context.apply(&module, &function, &arguments).await
}
