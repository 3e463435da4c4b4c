//! Functions, servers and groups, called and served in both directions.

use std::time::Duration;

use beamway::etf::Atom;
use beamway::etf::Term;
use beamway::node::CallError;
use beamway::node::Context;
use beamway::node::GenServer;
use beamway::node::Message;
use beamway::node::Next;
use beamway::node::Raise;
use beamway::node::ReplyTo;
use beamway::node::RpcError;
use beamway::node::serve;
use beamway::term;

use super::PATIENCE;
use super::Site;
use crate::harness::Carrier;
use crate::harness::NodeSpec;

cases! {
    control:
        exported_functions_are_called_from_erlang,
        casts_arrive,
        functions_of_a_beam_are_called,
        global_names_are_looked_up_through_a_beam,
        a_server_here_answers_erlang,
        a_server_there_is_called,
        elixir_calls_and_is_called;
    bridge: ;
    vm: exported_functions_are_called_from_erlang, functions_of_a_beam_are_called, a_server_there_is_called;
}

pub(super) fn priced(site: &Site) -> beamway::node::Node {
    let builder = site
        .builder("native")
        .export_typed("pricing", "quote", async |(sku, count): (String, u32)| {
            if sku == "none" {
                return Err(Raise::error(term!({unknown, (sku)})));
            }
            Ok((sku, count * 3))
        })
        .export("pricing", "raise", async |_, arguments| match arguments.first() {
            Some(class) if class.is_atom("throw") => Err(Raise::throw(term!(ball))),
            Some(class) if class.is_atom("exit") => Err(Raise::exit(term!({gone, 1}))),
            Some(class) if class.is_atom("panic") => panic!("out of paper"),
            Some(class) if class.is_atom("parse") => Ok(Term::from("x".parse::<i64>()?)),
            _ => Err(Raise::function_clause()),
        });
    site.start(builder)
}

fn exported_functions_are_called_from_erlang(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = priced(&site);
    let call = |function: &str, arguments: &str| {
        format!(
            "begin try erpc:call('native@127.0.0.1', pricing, {function}, {arguments}) catch C:R -> {{C, R}} end end"
        )
    };
    assert_eq!(site.beam.eval(&call("quote", "[<<\"tea\">>, 14]")), "{<<\"tea\">>,42}");
    assert_eq!(site.beam.eval(&call("raise", "[throw]")), "{throw,ball}");
    assert_eq!(site.beam.eval(&call("raise", "[exit]")), "{exit,{exception,{gone,1}}}");
    let raised = site.beam.eval(&call("quote", "[<<\"none\">>, 1]"));
    let place = "[{pricing,quote,2,[{file,\"tests/real/native/calls.rs\"},{line,";
    assert!(
        raised.starts_with(&format!("{{error,{{exception,{{unknown,<<\"none\">>}},{place}")),
        "{raised}"
    );
    let raised = site.beam.eval(&call("raise", "[parse]"));
    let place = "[{pricing,raise,1,[{file,\"tests/real/native/calls.rs\"},{line,";
    assert!(
        raised.starts_with(&format!(
            "{{error,{{exception,<<\"invalid digit found in string\">>,{place}"
        )),
        "{raised}"
    );
    assert_eq!(
        site.beam.eval(&call("raise", "[panic]")),
        "{error,{exception,{panic,<<\"out of paper\">>},[{pricing,raise,[panic],[]}]}}"
    );
    assert_eq!(
        site.beam.eval(&call("quote", "[1, 2]")),
        "{error,{exception,function_clause,[{pricing,quote,[1,2],[]}]}}"
    );
    assert_eq!(
        site.beam.eval(&call("missing", "[1]")),
        "{error,{exception,undef,[{pricing,missing,[1],[]}]}}"
    );
    // The elder ways.
    assert_eq!(
        site.beam
            .eval("rpc:call('native@127.0.0.1', pricing, quote, [<<\"tea\">>, 1])"),
        "{<<\"tea\">>,3}"
    );
    assert_eq!(
        site.beam.eval("rpc:call('native@127.0.0.1', pricing, missing, [])"),
        "{badrpc,{'EXIT',{undef,[{pricing,missing,[],[]}]}}}"
    );
    assert_eq!(
        site.beam
            .eval("rpc:block_call('native@127.0.0.1', pricing, quote, [<<\"tea\">>, 2])"),
        "{<<\"tea\">>,6}"
    );
    assert_eq!(
        site.beam
            .eval("rpc:multicall(['native@127.0.0.1', node()], erlang, length, [[1]])"),
        "{[{badrpc,{'EXIT',{undef,[{erlang,length,[[1]],[]}]}}},1],[]}"
    );
    assert_eq!(
        site.beam
            .eval("erpc:multicall(['native@127.0.0.1', 'nobody@127.0.0.1'], pricing, quote, [<<\"a\">>, 1])"),
        "[{ok,{<<\"a\">>,3}},{error,{erpc,noconnection}}]"
    );
    site.stop(&node);
}

fn casts_arrive(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let (sender, arrived) = std::sync::mpsc::channel();
    let builder = site.builder("native").export("log", "write", move |_, arguments| {
        let sender = sender.clone();
        async move {
            sender.send(Term::from(arguments)).unwrap();
            Ok(term!(ok))
        }
    });
    let node = site.start(builder);
    site.beam.eval("erpc:cast('native@127.0.0.1', log, write, [one])");
    assert_eq!(arrived.recv_timeout(PATIENCE), Ok(term!([one])));
    site.beam.eval("rpc:cast('native@127.0.0.1', log, write, [two])");
    assert_eq!(arrived.recv_timeout(PATIENCE), Ok(term!([two])));
    site.beam
        .eval("gen_server:cast({rex, 'native@127.0.0.1'}, {cast, log, write, [three], self()})");
    assert_eq!(arrived.recv_timeout(PATIENCE), Ok(term!([three])));
    // Broadcasts to a name: one that is there, one that is not.
    assert_eq!(
        site.beam.eval("rpc:sbcast(['native@127.0.0.1'], net_kernel, hello)"),
        "{['native@127.0.0.1'],[]}"
    );
    assert_eq!(
        site.beam.eval("rpc:sbcast(['native@127.0.0.1'], nobody, hello)"),
        "{[],['native@127.0.0.1']}"
    );
    site.stop(&node);
}

fn functions_of_a_beam_are_called(carrier: Carrier) {
    let site = Site::of(carrier);
    let node = priced(&site);
    let beam = site.beam_name();
    site.run(&node, async |mut context| {
        let mut call = async |module: &'static str, function: &'static str, arguments: Vec<Term>| {
            context.rpc(&beam, module, function, arguments, PATIENCE).await
        };
        assert_eq!(
            call("lists", "reverse", vec![term!([1, 2, 3])]).await,
            Ok(term!([3, 2, 1]))
        );
        assert_eq!(
            call("erlang", "throw", vec![term!(ball)]).await,
            Err(RpcError::Throw(term!(ball)))
        );
        assert_eq!(
            call("erlang", "exit", vec![term!(gone)]).await,
            Err(RpcError::Exit(term!(gone)))
        );
        let error = call("erlang", "hd", vec![term!([])]).await.unwrap_err();
        assert!(
            matches!(&error, RpcError::Error { reason, .. } if reason.is_atom("badarg")),
            "{error}"
        );
        let error = call("no_such", "function", vec![]).await.unwrap_err();
        assert!(
            matches!(&error, RpcError::Error { reason, .. } if reason.is_atom("undef")),
            "{error}"
        );
        let late = context
            .rpc(&beam, "timer", "sleep", vec![term!(2000)], Duration::from_millis(50))
            .await;
        assert_eq!(late, Err(RpcError::Failed(term!(timeout))));
        let nobody = Atom::literal("nobody@127.0.0.1");
        let lost = context.rpc(&nobody, "erlang", "node", vec![], PATIENCE).await;
        assert_eq!(lost, Err(RpcError::Failed(term!(noconnection))));
        assert_eq!(context.queue_len(), 0, "nothing stays behind");
        // Another native node.
        let other = context.node();
        let quote = vec![term!("tea"), term!(2)];
        let own = context.rpc(other.name(), "pricing", "quote", quote, PATIENCE).await;
        assert_eq!(own, Ok(term!({"tea", 6})));
    });
    site.stop(&node);
}

fn global_names_are_looked_up_through_a_beam(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = site.native("native");
    site.beam
        .eval("yes = global:register_name(shop, whereis(kernel_sup)), ok");
    let beam = site.beam_name();
    site.run(&node, async |mut context| {
        let shop = context.global_whereis(&beam, term!(shop), PATIENCE).await.unwrap();
        assert_eq!(shop.unwrap().node, beam);
        assert_eq!(context.global_whereis(&beam, term!(none), PATIENCE).await, Ok(None));
    });
    site.stop(&node);
}

/// Keeps a value, answers late if told so, and stops.
pub(super) struct Cell(pub(super) Term);

impl GenServer for Cell {
    async fn handle_call(&mut self, context: &mut Context, request: Term, from: ReplyTo) -> Next {
        match request.as_atom() {
            Some("get") => Next::Reply(self.0.clone()),
            Some("late") => {
                let value = self.0.clone();
                context.spawn(|mut context| async move {
                    context.reply(from, value).await.unwrap();
                });
                Next::NoReply
            }
            Some("never") => Next::NoReply,
            _ => Next::Stop {
                reason: request,
                reply: Some(term!(stopping)),
            },
        }
    }

    async fn handle_cast(&mut self, _: &mut Context, request: Term) -> Next {
        self.0 = request;
        Next::NoReply
    }

    async fn handle_info(&mut self, _: &mut Context, message: Message) -> Next {
        self.0 = term!({info, (Term::from(message))});
        Next::NoReply
    }
}

fn a_server_here_answers_erlang(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = site.native("native");
    let pid = node.spawn(|context| serve(context, Cell(term!(empty))));
    node.register("cell", &pid).unwrap();
    let call = |request: &str| {
        format!(
            "begin try gen_server:call({{cell, 'native@127.0.0.1'}}, {request}, 1000) catch C:R -> {{C, R}} end end"
        )
    };
    assert_eq!(site.beam.eval(&call("get")), "empty");
    site.beam.eval("gen_server:cast({cell, 'native@127.0.0.1'}, #{a => 1})");
    assert_eq!(site.beam.eval(&call("get")), "#{a => 1}");
    site.beam.eval("{cell, 'native@127.0.0.1'} ! hello");
    assert_eq!(site.beam.eval(&call("late")), "{info,hello}");
    let timeout = "{exit,{timeout,{gen_server,call,[{cell,'native@127.0.0.1'},never,1000]}}}";
    assert_eq!(site.beam.eval(&call("never")), timeout);
    assert_eq!(
        site.beam.eval("gen_server:multi_call(['native@127.0.0.1'], cell, get)"),
        "{[{'native@127.0.0.1',{info,hello}}],[]}"
    );
    assert_eq!(site.beam.eval(&call("enough")), "stopping");
    let gone = "{exit,{noproc,{gen_server,call,[{cell,'native@127.0.0.1'},get,1000]}}}";
    assert_eq!(site.beam.eval(&call("get")), gone);
    // In order, from outside.
    let pid = node.spawn(|context| serve(context, Cell(term!(empty))));
    node.register("cell", &pid).unwrap();
    assert_eq!(site.beam.eval("gen_server:stop({cell, 'native@127.0.0.1'})"), "ok");
    assert_eq!(site.beam.eval(&call("get")), gone);
    site.stop(&node);
}

fn a_server_there_is_called(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = site.native("native");
    let beam = site.beam_name();
    site.beam.eval("{ok, _} = real_server:start(real_server), ok");
    site.run(&node, async |mut context| {
        let server = ("real_server", &beam);
        assert_eq!(
            context.call(server, term!({echo, [1, 2]}), PATIENCE).await,
            Ok(term!([1, 2]))
        );
        let nobody = context.call(("nobody", &beam), term!(get), PATIENCE).await;
        assert_eq!(nobody, Err(CallError::Down(term!(noproc))));
        let late = context
            .call(server, term!({later, 300, slow}), Duration::from_millis(50))
            .await;
        assert_eq!(late, Err(CallError::Timeout));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(context.queue_len(), 0, "a late reply is dropped: its alias is gone");
        let stopped = context
            .call(server, term!({stop, {my, reason}, stopping}), PATIENCE)
            .await;
        assert_eq!(stopped, Ok(term!(stopping)), "the reply comes before the end");
    });
    site.stop(&node);
}

fn elixir_calls_and_is_called(carrier: Carrier) {
    let site = Site::of(carrier);
    let mut elixir = site.cluster.node(&NodeSpec::new("elixir", 0).elixir("real_elixir.exs"));
    elixir.await_value(
        "code:ensure_loaded('Elixir.Agent')",
        "{module,'Elixir.Agent'}",
        PATIENCE,
    );
    let node = site.native("native");
    let pid = node.spawn(|context| serve(context, Cell(term!(empty))));
    node.register("cell", &pid).unwrap();
    elixir.eval("'Elixir.GenServer':cast({cell, 'native@127.0.0.1'}, <<\"text\">>)");
    let value = elixir.eval("'Elixir.GenServer':call({cell, 'native@127.0.0.1'}, get)");
    assert_eq!(value, "<<\"text\">>");
    let missing = "try 'Elixir.GenServer':call({nobody, 'native@127.0.0.1'}, get) catch exit:{R, _} -> R end";
    assert_eq!(elixir.eval(missing), "noproc");
    elixir.eval("{ok, _} = 'Elixir.Agent':start(fun() -> 7 end, [{name, agent}]), ok");
    let name = Atom::new(elixir.full_name()).unwrap();
    site.run(&node, async |mut context| {
        let add = term!({get, {erlang, @"+", [35]}});
        assert_eq!(context.call(("agent", &name), add, PATIENCE).await, Ok(term!(42)));
        context
            .cast(("agent", &name), term!({cast, {erlang, @"*", [2]}}))
            .await
            .unwrap();
        let get = term!({get, {erlang, @"+", [0]}});
        assert_eq!(context.call(("agent", &name), get, PATIENCE).await, Ok(term!(14)));
    });
    site.stop(&node);
}
