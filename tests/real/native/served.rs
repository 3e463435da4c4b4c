//! All that Erlang and Elixir may ask of a node: functions, servers, processes and input and output, in every way there is.

use std::time::Duration;

use beamway::etf::Atom;
use beamway::etf::Term;
use beamway::node::Context;
use beamway::node::GenServer;
use beamway::node::Next;
use beamway::node::Raise;
use beamway::node::ReplyTo;
use beamway::node::serve;
use beamway::term;
use serde::Deserialize;
use serde::Serialize;

use super::PATIENCE;
use super::Site;
use super::calls::Cell;
use super::calls::priced;
use super::receive_term;
use crate::harness::Carrier;
use crate::harness::NodeSpec;

cases! {
    control:
        functions_are_called_in_every_way,
        errors_keep_their_class,
        servers_are_asked_in_every_way,
        processes_are_spawned_in_every_way,
        real_nodes_hear_of_it,
        input_and_output_go_through_group_leaders,
        elixir_structs_are_ones_own_types;
    bridge: ;
    vm: servers_are_asked_in_every_way, real_nodes_hear_of_it;
}

/// Evaluates it where it may raise.
fn attempt(expression: &str) -> String {
    format!("try {expression} catch C:R -> {{C, R}} end")
}

fn functions_are_called_in_every_way(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let (sender, arrived) = std::sync::mpsc::channel();
    let builder = site
        .builder("native")
        .export("log", "write", move |_, arguments| {
            let sender = sender.clone();
            async move {
                sender.send(Term::from(arguments)).unwrap();
                Ok(term!(ok))
            }
        })
        .export("clock", "sleep", async |mut context: Context, _| {
            context.receive().await;
            Ok(term!(woken))
        })
        .export_typed("math", "add", async |(a, b): (i64, i64)| Ok(a + b));
    let node = site.start(builder);
    for (expression, value) in [
        ("erpc:call(N, math, add, [40, 2])", "42"),
        ("erpc:call(N, math, add, [40, 2], 5000)", "42"),
        ("erpc:receive_response(erpc:send_request(N, math, add, [1, 2]))", "3"),
        (
            "erpc:wait_response(erpc:send_request(N, math, add, [1, 2]), 5000)",
            "{response,3}",
        ),
        ("erpc:multicall([N, N], math, add, [1, 2], 5000)", "[{ok,3},{ok,3}]"),
        ("rpc:call(N, math, add, [1, 2])", "3"),
        ("rpc:call(N, math, add, [1, 2], 5000)", "3"),
        ("rpc:block_call(N, math, add, [1, 2], 5000)", "3"),
        ("rpc:yield(rpc:async_call(N, math, add, [1, 2]))", "3"),
        ("rpc:nb_yield(rpc:async_call(N, math, add, [1, 2]), 5000)", "{value,3}"),
        ("rpc:multicall([N, N], math, add, [1, 2], 5000)", "{[3,3],[]}"),
        // What takes too long, and leaves nothing behind.
        ("erpc:call(N, clock, sleep, [], 50)", "{error,{erpc,timeout}}"),
        ("rpc:call(N, clock, sleep, [], 50)", "{badrpc,timeout}"),
        ("rpc:nb_yield(rpc:async_call(N, clock, sleep, []), 50)", "timeout"),
        ("element(2, process_info(self(), message_queue_len))", "0"),
        // What is none of a native node's.
        (
            "erpc:call(N, erlang, node, [])",
            "{error,{exception,undef,[{erlang,node,[],[]}]}}",
        ),
        (
            "erpc:call(N, math, add, [1])",
            "{error,{exception,function_clause,[{math,add,[1],[]}]}}",
        ),
    ] {
        let named = expression.replace('N', "'native@127.0.0.1'");
        let value = value.replace('N', "'native@127.0.0.1'");
        assert_eq!(site.beam.eval(&attempt(&named)), value, "{expression}");
    }
    for (expression, sent) in [
        ("erpc:cast(N, log, write, [one])", "[one]"),
        ("erpc:multicast([N, N], log, write, [two])", "[two]"),
        ("ok", "[two]"),
        ("rpc:cast(N, log, write, [three])", "[three]"),
        ("rpc:eval_everywhere([N], log, write, [four])", "[four]"),
    ] {
        site.beam.eval(&expression.replace('N', "'native@127.0.0.1'"));
        assert_eq!(
            arrived.recv_timeout(PATIENCE).unwrap().to_string(),
            sent,
            "{expression}"
        );
    }
    site.stop(&node);
}

/// Beside a real node, which is asked for the same.
fn errors_keep_their_class(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = priced(&site);
    let mut other = site.cluster.node(&NodeSpec::new("other", 0));
    assert_eq!(other.eval("node()"), "'other@127.0.0.1'");
    // The same class and reason; of a stack trace, that there is one.
    let without_stack = "fun F({error, {exception, R, [_ | _]}}) -> {error, R, stack}; \
        F({badrpc, {'EXIT', {R, [_ | _]}}}) -> {badrpc, R, stack}; F(L) when is_list(L) -> [F(X) || X <- L]; F(X) -> X end";
    for call in [
        "erpc:call(N, ",
        "rpc:call(N, ",
        "erpc:multicall([N], ",
        "rpc:block_call(N, ",
    ] {
        for (native, real, of_erpc) in [
            ("pricing, raise, [throw]", "erlang, throw, [ball]", "{throw,ball}"),
            (
                "pricing, raise, [exit]",
                "erlang, exit, [{gone, 1}]",
                "{exit,{exception,{gone,1}}}",
            ),
            (
                "pricing, quote, [<<\"none\">>, 1]",
                "erlang, error, [{unknown, <<\"none\">>}]",
                "{error,{unknown,<<\"none\">>},stack}",
            ),
            ("nowhere, none, [1]", "nowhere, none, [1]", "{error,undef,stack}"),
        ] {
            let mut ask = |node: &str, what: &str| {
                let call = attempt(&format!("{}{what})", call.replace('N', node)));
                site.beam.eval(&format!("({without_stack})({call})"))
            };
            let ours = ask("'native@127.0.0.1'", native);
            assert_eq!(ours, ask("'other@127.0.0.1'", real), "{call}{native}");
            if call.starts_with("erpc:call") {
                assert_eq!(ours, of_erpc);
            }
        }
    }
    // The whole of what is not exported, as a real node says it of what is not loaded.
    let mut undefined = |node: &str| {
        let call = format!("erpc:call('{node}@127.0.0.1', nowhere, none, [1, x])");
        site.beam.eval(&attempt(&call))
    };
    let ours = undefined("native");
    assert_eq!(ours, "{error,{exception,undef,[{nowhere,none,[1,x],[]}]}}");
    assert_eq!(ours, undefined("other"));
    site.stop(&node);
}

/// A server that answers after a while, whoever still waits.
struct Slow;

impl GenServer for Slow {
    async fn handle_call(&mut self, context: &mut Context, request: Term, from: ReplyTo) -> Next {
        context.spawn(|mut context| async move {
            context.receive_within(Duration::from_millis(100)).await;
            context.reply(from, request).await.unwrap();
        });
        Next::NoReply
    }
}

fn servers_are_asked_in_every_way(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = site.native("native");
    let cell = node.spawn(|context| serve(context, Cell(term!(empty))));
    node.register("cell", &cell).unwrap();
    let slow = node.spawn(|context| serve(context, Slow));
    node.register("slow", &slow).unwrap();
    for (expression, value) in [
        (
            "gen_server:receive_response(gen_server:send_request({cell, N}, get), 5000)",
            "{reply,empty}",
        ),
        ("gen_server:abcast([N], cell, full)", "abcast"),
        ("gen_server:call({cell, N}, get, infinity)", "full"),
        ("gen_server:multi_call([N], cell, get, 5000)", "{[{N,full}],[]}"),
        ("gen_server:multi_call([N], nobody, get, 5000)", "{[],[N]}"),
        // A reply that comes too late does not come at all.
        (
            "gen_server:call({slow, N}, late, 20)",
            "{exit,{timeout,{gen_server,call,[{slow,N},late,20]}}}",
        ),
        ("gen_server:call({slow, N}, next)", "next"),
        ("gen_server:call({slow, N}, third)", "third"),
        ("element(2, process_info(self(), message_queue_len))", "0"),
        // A process in Rust has no state that is a term.
        ("sys:get_state({cell, N})", "{error,not_supported}"),
        ("gen_server:stop({cell, N}, {shutdown, enough}, 5000)", "ok"),
        ("gen_server:stop({cell, N})", "{exit,noproc}"),
        (
            "gen_server:call({cell, N}, get)",
            "{exit,{noproc,{gen_server,call,[{cell,N},get]}}}",
        ),
    ] {
        let named = expression.replace('N', "'native@127.0.0.1'");
        let value = value.replace('N', "'native@127.0.0.1'");
        assert_eq!(site.beam.eval(&attempt(&named)), value, "{expression}");
    }
    site.stop(&node);
}

fn processes_are_spawned_in_every_way(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let builder = site
        .builder("native")
        .export("demo", "greet", async |mut context: Context, arguments| {
            let Some(Term::Pid(to)) = arguments.first().cloned() else {
                return Err(Raise::function_clause());
            };
            context.send(to, term!({hello, (context.pid().clone())})).await?;
            Err(Raise::exit(Term::from(context.receive().await)))
        });
    let node = site.start(builder);
    let greeted = "receive {hello, P} -> P ! over";
    for (expression, value) in [
        (format!("begin P0 = spawn(N, demo, greet, [self()]), {greeted}, P =:= P0 end end"), "true"),
        (
            format!("begin {{P0, R}} = spawn_opt(N, demo, greet, [self()], [monitor]), {greeted}, \
                receive {{'DOWN', R, process, P0, Why}} -> Why end end end"),
            "over",
        ),
        (
            format!("begin process_flag(trap_exit, true), P0 = spawn_opt(N, demo, greet, [self()], [link]), {greeted}, \
                receive {{'EXIT', P0, Why}} -> Why end end end"),
            "over",
        ),
        (
            format!("begin R = spawn_request(N, demo, greet, [self()], [{{reply_tag, here}}, {{monitor, [{{tag, gone}}]}}]), \
                receive {{here, R, ok, P0}} -> {greeted}, receive {{gone, R, process, P0, Why}} -> Why end end end end"),
            "over",
        ),
        (
            "begin R = spawn_request(N, demo, greet, [self()], [{reply, no}]), receive {hello, P} -> {node(P), R =/= P} end end"
                .to_owned(),
            "{N,true}",
        ),
        // Wrong arguments, and a fun, whose body is Erlang's.
        (
            "begin {_, R} = spawn_monitor(N, demo, greet, [1]), receive {'DOWN', R, process, _, Why} -> Why end end".to_owned(),
            "{function_clause,[{demo,greet,[1],[]}]}",
        ),
        (
            "begin {_, R} = spawn_monitor(N, fun() -> ok end), receive {'DOWN', R, process, _, Why} -> element(1, Why) end end"
                .to_owned(),
            "undef",
        ),
    ] {
        let named = expression.replace("(N,", "('native@127.0.0.1',");
        assert_eq!(site.beam.eval(&named), value.replace('N', "'native@127.0.0.1'"), "{expression}");
    }
    site.stop(&node);
}

fn real_nodes_hear_of_it(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let hidden = site.native("hidden");
    // Over lanes they have met already.
    site.beam.eval("erlang:disconnect_node('hidden@127.0.0.1')");
    site.beam.await_value("nodes(connected)", "[]", PATIENCE);
    site.beam.eval(
        "register(watcher, spawn(fun() -> net_kernel:monitor_nodes(true, [{node_type, all}]), \
         Next = fun() -> receive {What, Node, Info} -> {What, Node, proplists:get_value(node_type, Info)} end end, \
         Seen = [Next() || _ <- lists:seq(1, 4)], receive {get, From} -> From ! {seen, Seen} end end)), ok",
    );
    assert_eq!(
        site.beam
            .eval("gen_server:call({net_kernel, 'hidden@127.0.0.1'}, {is_auth, node()})"),
        "yes"
    );
    assert_eq!(site.beam.eval("{nodes(), nodes(hidden)}"), "{[],['hidden@127.0.0.1']}");
    site.stop(&hidden);
    site.beam.await_value("nodes(connected)", "[]", PATIENCE);
    let visible = site.start(site.builder("visible").visible());
    assert_eq!(site.beam.eval("net_adm:ping('visible@127.0.0.1')"), "pong");
    assert_eq!(site.beam.eval("{nodes(), nodes(hidden)}"), "{['visible@127.0.0.1'],[]}");
    site.stop(&visible);
    let seen = "begin watcher ! {get, self()}, receive {seen, Seen} -> Seen after 10000 -> none end end";
    assert_eq!(
        site.beam.eval(seen),
        "[{nodeup,'hidden@127.0.0.1',hidden},{nodedown,'hidden@127.0.0.1',hidden},\
         {nodeup,'visible@127.0.0.1',visible},{nodedown,'visible@127.0.0.1',visible}]"
    );
}

/// Has its group leader print, as `io:put_chars/1` does (Erlang's I/O protocol).
async fn print(mut context: Context, arguments: Vec<Term>) -> Result<Term, Raise> {
    let (leader, tag) = (context.group_leader(), Term::from(context.make_reference()));
    let characters = arguments.first().cloned().unwrap_or_default();
    let request = term!({io_request, (context.pid().clone()), (tag.clone()), {put_chars, unicode, (characters)}});
    context.send(leader, request).await?;
    match receive_term(&mut context).await {
        Term::Tuple(reply) if reply.len() == 3 && reply[1] == tag => Ok(reply[2].clone()),
        other => Err(Raise::error(other)),
    }
}

fn input_and_output_go_through_group_leaders(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let builder = site.builder("native").export("demo", "print", print);
    let node = site.start(builder);
    // A process here prints on the real node that had it spawned.
    let printed = "erpc:call('native@127.0.0.1', demo, print, [\"printed by a process in Rust\\n\"])";
    assert_eq!(site.beam.eval(printed), "ok");
    site.beam.await_log("printed by a process in Rust", PATIENCE);
    // A process there prints here, where its group leader is.
    let beam = site.beam_name();
    site.run(&node, async |mut context| {
        let own = context.pid().clone();
        let printer = context.spawn(async move |mut context| {
            let request = receive_term(&mut context).await;
            let Some([kind, Term::Pid(from), tag, what]) = request.as_tuple() else {
                panic!("{request}");
            };
            assert!(kind.is_atom("io_request"), "{request}");
            let reply = term!({io_reply, (tag.clone()), {printed, (what.clone())}});
            context.send(from, reply).await.unwrap();
        });
        context.set_group_leader(printer, own);
        let said = context
            .rpc(&beam, "io", "put_chars", vec![term!("to Rust")], PATIENCE)
            .await;
        assert_eq!(said, Ok(term!({printed, {put_chars, unicode, "to Rust"}})));
    });
    site.stop(&node);
}

/// An Elixir struct.
#[derive(Deserialize, Serialize)]
#[serde(rename = "Elixir.Shop.Order")]
struct Order {
    id: u64,
    tags: Vec<Atom>,
    note: Option<String>,
}

fn elixir_structs_are_ones_own_types(carrier: Carrier) {
    let site = Site::of(carrier);
    let mut elixir = site.cluster.node(&NodeSpec::new("elixir", 0).elixir("real_elixir.exs"));
    elixir.await_value(
        "erlang:function_exported('Elixir.RealElixir', order, 1)",
        "true",
        PATIENCE,
    );
    let builder = site
        .builder("native")
        .export_typed("shop", "again", async |(mut order,): (Order,)| {
            order.id += 1;
            order.tags.push(Atom::literal("again"));
            order.note = order.note.map(|note| note.to_uppercase());
            Ok(order)
        })
        .export("shop", "fail", async |_, arguments| match arguments.first() {
            Some(class) if class.is_atom("throw") => Err(Raise::throw(term!(ball))),
            Some(class) if class.is_atom("exit") => Err(Raise::exit(term!(gone))),
            _ => Err(Raise::error(term!(badarg))),
        });
    let node = site.start(builder);
    assert_eq!(elixir.eval("'Elixir.RealElixir':order('native@127.0.0.1')"), "ok");
    assert_eq!(elixir.eval("'Elixir.RealElixir':failures('native@127.0.0.1')"), "ok");
    site.stop(&node);
}
