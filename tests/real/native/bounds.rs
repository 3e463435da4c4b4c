//! What is bounded: mailboxes, messages, processes; and the order in which a node stops.

use std::time::Duration;

use beamway::etf::Atom;
use beamway::etf::Term;
use beamway::node::Context;
use beamway::node::GenServer;
use beamway::node::MailboxBound;
use beamway::node::Message;
use beamway::node::Next;
use beamway::node::Node;
use beamway::node::NodeConfig;
use beamway::node::Raise;
use beamway::node::ReplyTo;
use beamway::node::WhenFull;
use beamway::node::serve;
use beamway::term;

use super::PATIENCE;
use super::Site;
use super::receive;
use super::receive_term;
use super::until;
use crate::harness::Carrier;

cases! {
    control:
        what_a_full_mailbox_drops_is_gone,
        who_writes_to_a_full_mailbox_waits,
        messages_and_processes_have_their_limits,
        messages_are_chosen_from_behind_others,
        a_reply_comes_behind_what_its_caller_has_not_received,
        a_node_stops_in_order,
        a_server_that_traps_exits_terminates_with_its_node;
    bridge: ;
}

/// A node whose mailboxes hold little.
fn narrow(site: &Site, mailbox: MailboxBound, arrears: usize) -> Node {
    let config = NodeConfig {
        mailbox,
        arrears,
        ..NodeConfig::default()
    };
    site.start(site.builder("native").config(config))
}

/// Waits until so many messages are in the mailbox, and no more come.
async fn settled(context: &mut Context, count: usize) {
    until(async || context.queue_len() >= count).await;
    assert_eq!(context.queue_len(), count);
}

fn what_a_full_mailbox_drops_is_gone(carrier: Carrier) {
    let mut site = Site::of(carrier);
    for (messages, bytes, kept) in [(10, 1 << 20, 10), (1000, 4000, 4)] {
        let when_full = WhenFull::Drop;
        let node = narrow(
            &site,
            MailboxBound {
                messages,
                bytes,
                when_full,
            },
            1 << 20,
        );
        let beam = site.connect(&node);
        // A thousand bytes each, then what is no message: an exit, and the end of a monitor.
        site.beam.eval(
            "register(writer, spawn(fun() -> receive {Pid, Name} -> \
             [Pid ! {N, binary:copy(<<7>>, 1000)} || N <- lists:seq(1, 50)], \
             [Name ! {N, named} || N <- lists:seq(1, 50)], exit(Pid, told) end end)), ok",
        );
        site.run(&node, async |mut context| {
            context.trap_exit(true);
            context.register("receiver").unwrap();
            context.monitor(("writer", &beam));
            let name = term!({receiver, (context.node().name().clone())});
            let told = term!({(context.pid().clone()), (name)});
            context.send(("writer", &beam), told).await.unwrap();
            settled(&mut context, kept + 2).await;
            for number in 1..=kept {
                let Term::Tuple(pair) = receive_term(&mut context).await else {
                    panic!("a pair");
                };
                assert_eq!(
                    pair[0],
                    Term::from(number as u64 as i64),
                    "the first that came are kept, in order"
                );
            }
            assert!(matches!(receive(&mut context).await, Message::Exit { .. }));
            assert!(matches!(receive(&mut context).await, Message::Down { .. }));
            // There is room again.
            let own = vec![Term::from(context.pid().clone()), term!(again)];
            context.rpc(&beam, "erlang", "send", own, PATIENCE).await.unwrap();
            assert_eq!(receive_term(&mut context).await, term!(again));
            // From this node too, nobody waits.
            let own = context.pid().clone();
            context.spawn_tied(
                beamway::node::Ties {
                    link: true,
                    ..Default::default()
                },
                async move |mut context: Context| {
                    for number in 0..100 {
                        context
                            .send(&own, term!({near, (number), (vec![300; 30])}))
                            .await
                            .unwrap();
                    }
                },
            );
            let is_end = |message: &Message| matches!(message, Message::Exit { .. });
            context.receive_match(is_end).await;
            assert!(context.queue_len() <= kept + 1, "{}", context.queue_len());
        });
        site.stop(&node);
        site.beam.await_value("nodes(hidden)", "[]", PATIENCE);
    }
}

/// A process of that name that receives nothing before it is told so over the channel, then tells of what has come.
fn sleeper(node: &Node, name: &'static str) -> tokio::sync::oneshot::Sender<()> {
    let (sender, told) = tokio::sync::oneshot::channel::<()>();
    let pid = node.spawn(async move |mut context| {
        told.await.unwrap();
        let (mut next, mut bytes) = (1, 0);
        loop {
            match receive(&mut context).await {
                Message::Term(Term::Tuple(pair)) => {
                    assert_eq!(pair[0], Term::from(next));
                    let Term::Binary(binary) = &pair[1] else {
                        panic!("{}", pair[1])
                    };
                    (next, bytes) = (next + 1, bytes + binary.len());
                }
                Message::Term(Term::Pid(to)) => {
                    return context.send(to, term!({seen, (next - 1), (bytes)})).await.unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    });
    node.register(name, &pid).unwrap();
    sender
}

fn who_writes_to_a_full_mailbox_waits(carrier: Carrier) {
    let mut site = Site::of(carrier);
    for (messages, bytes) in [(10, 1 << 30), (1 << 20, 64 << 10)] {
        let when_full = WhenFull::Wait;
        let node = narrow(
            &site,
            MailboxBound {
                messages,
                bytes,
                when_full,
            },
            256 << 10,
        );
        site.connect(&node);
        // From there: 60 MB, of which the writer must keep most until they are read.
        let wake = sleeper(&node, "sleeper");
        site.beam.eval(
            "register(writer, spawn(fun() -> B = binary:copy(<<7>>, 30000), S = {sleeper, 'native@127.0.0.1'}, \
             [S ! {N, B} || N <- lists:seq(1, 2000)], S ! self(), \
             receive {seen, _, _} = Seen -> receive {get, P} -> P ! Seen end end end)), ok",
        );
        site.beam
            .await_value("process_info(whereis(writer), status)", "{status,suspended}", PATIENCE);
        wake.send(()).unwrap();
        let all = "begin writer ! {get, self()}, receive {seen, _, _} = Seen -> Seen after 25000 -> none end end";
        assert_eq!(site.beam.eval(all), "{seen,2000,60000000}");
        // From here: the writer comes to rest once the mailbox is full, one message beyond.
        let wake = sleeper(&node, "near");
        let fits = if messages == 10 { 10 } else { (64 << 10) / 30_000 + 1 };
        let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&written);
        let seen = site.run(&node, async |mut context| {
            let reader = context.node().whereis(&"near".into()).unwrap();
            let own = context.pid().clone();
            context.spawn(async move |mut context: Context| {
                for number in 1..=100 {
                    let message = term!({(number), (bytes::Bytes::from(vec![7; 30_000]))});
                    context.send(&reader, message).await.unwrap();
                    count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                context.send(&reader, own).await.unwrap();
            });
            let now = || written.load(std::sync::atomic::Ordering::Relaxed);
            until(async || now() >= fits).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(now() <= fits + 1, "{} written, {fits} fit", now());
            wake.send(()).unwrap();
            receive_term(&mut context).await
        });
        assert_eq!(seen, term!({seen, 100, 3_000_000}));
        site.stop(&node);
        site.beam.await_value("nodes(hidden)", "[]", PATIENCE);
    }
}

fn messages_and_processes_have_their_limits(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let config = NodeConfig {
        message: 1 << 20,
        processes: 20,
        ..NodeConfig::default()
    };
    let builder = site
        .builder("native")
        .config(config)
        .export("demo", "wait", async |mut context: Context, _| {
            context.receive().await;
            Ok::<_, Raise>(term!(ok))
        });
    let node = site.start(builder);
    site.connect(&node);
    // As many processes as there may be, those of the node itself among them; then none, until one ends.
    let fill = "begin Me = self(), register(spawned, spawn(fun() -> Ps = [P || _ <- lists:seq(1, 30), \
        P <- [catch spawn('native@127.0.0.1', demo, wait, [])], is_pid(P)], Me ! {full, length(Ps)}, \
        receive stop -> [P ! stop || P <- Ps] end end)), receive {full, N} when N > 5, N =< 20 -> ok end end";
    assert_eq!(site.beam.eval(fill), "ok");
    let refused = "try erpc:call('native@127.0.0.1', demo, wait, [], 5000) catch C:R -> {C, R} end";
    assert_eq!(site.beam.eval(refused), "{error,{erpc,system_limit}}");
    site.beam.eval("spawned ! stop");
    let again = "try erpc:call('native@127.0.0.1', demo, none, []) catch error:{exception, R, _} -> R; error:{erpc, R} -> R end";
    site.beam.await_value(again, "undef", PATIENCE);
    // A message that is too large ends its connection, and nothing else.
    let Site { runtime, beam, .. } = &mut site;
    let done = node.run(async |context| {
        context.register("receiver").unwrap();
        beam.eval("{receiver, 'native@127.0.0.1'} ! binary:copy(<<7>>, 1 bsl 19), ok");
        until(async || context.queue_len() == 1).await;
        beam.eval(
            "begin monitor_node('native@127.0.0.1', true), {receiver, 'native@127.0.0.1'} ! binary:copy(<<7>>, 1 bsl 21), \
             receive {nodedown, _} -> ok end end",
        );
        assert_eq!(context.queue_len(), 1);
    });
    runtime.block_on(done).expect("a process that is not ended by others");
    assert_eq!(site.beam.eval("net_adm:ping('native@127.0.0.1')"), "pong");
    site.stop(&node);
}

fn messages_are_chosen_from_behind_others(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = site.native("native");
    let beam = site.connect(&node);
    site.beam.eval(
        "register(writer, spawn(fun() -> receive Pid -> [Pid ! {N rem 3, N} || N <- lists:seq(1, 30)], Pid ! last end end)), ok",
    );
    site.run(&node, async |mut context| {
        context.send(("writer", &beam), context.pid().clone()).await.unwrap();
        let last = context.receive_match(|message| message.as_term().is_some_and(|term| term.is_atom("last")));
        tokio::time::timeout(PATIENCE, last).await.expect("the last one");
        assert_eq!(context.queue_len(), 30);
        // Those of one kind, in their order, then the others in theirs.
        for kind in [2, 0, 1] {
            let mut seen = Vec::new();
            let of_kind = async |context: &mut Context| {
                let taken = context.receive_map(|message| match message {
                    Message::Term(Term::Tuple(pair)) if pair[0] == Term::from(kind) => Ok(pair[1].clone()),
                    other => Err(other),
                });
                // `after 50`: what is not there does not come, and nothing is lost by the wait.
                tokio::time::timeout(Duration::from_millis(50), taken).await.ok()
            };
            while let Some(number) = of_kind(&mut context).await {
                seen.push(i64::try_from(&number).unwrap());
            }
            let expected: Vec<i64> = (1..=30).filter(|number| number % 3 == kind).collect();
            assert_eq!(seen, expected);
        }
        assert_eq!(context.queue_len(), 0);
        assert_eq!(context.receive_within(Duration::from_millis(20)).await, None);
    });
    site.stop(&node);
}

/// More than its mailbox and its connection may owe waits for a process that makes calls: their replies come behind it.
fn a_reply_comes_behind_what_its_caller_has_not_received(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let mailbox = MailboxBound {
        messages: 10,
        bytes: 1 << 20,
        when_full: WhenFull::Wait,
    };
    let node = narrow(&site, mailbox, 256 << 10);
    let beam = site.connect(&node);
    site.beam.eval(
        "register(writer, spawn(fun() -> B = binary:copy(<<7>>, 30000), \
         receive P -> [P ! {N, B} || N <- lists:seq(1, 1000)] end end)), ok",
    );
    let (ready, waits) = std::sync::mpsc::channel();
    let (call, told) = tokio::sync::oneshot::channel::<()>();
    let done = {
        let beam = beam.clone();
        let (done, at_end) = std::sync::mpsc::channel();
        node.spawn(async move |mut context: Context| {
            context.send(("writer", &beam), context.pid().clone()).await.unwrap();
            ready.send(()).unwrap();
            told.await.unwrap();
            let asked = term!({is_auth, (context.node().name().clone())});
            for _ in 0..2 {
                let answer = context.call(("net_kernel", &beam), asked.clone(), PATIENCE).await;
                assert_eq!(answer, Ok(term!(yes)));
            }
            let name = context.rpc(&beam, "erlang", "node", vec![], PATIENCE).await;
            assert_eq!(name, Ok(beam.into()));
            for number in 1..=1000 {
                let Term::Tuple(pair) = receive_term(&mut context).await else {
                    panic!("a pair");
                };
                assert_eq!(pair[0], Term::from(number));
            }
            done.send(()).unwrap();
        });
        at_end
    };
    waits.recv_timeout(PATIENCE).unwrap();
    site.beam
        .await_value("process_info(whereis(writer), status)", "{status,suspended}", PATIENCE);
    call.send(()).unwrap();
    done.recv_timeout(3 * PATIENCE).unwrap();
    site.stop(&node);
}

/// Processes hear of it and may say a last word, which comes before their ends, and these before the node's.
fn a_node_stops_in_order(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = site.native("native");
    let beam = site.connect(&node);
    site.beam.eval(
        "register(witness, spawn(fun() -> process_flag(trap_exit, true), monitor_node('native@127.0.0.1', true), \
         receive {P, Q} -> link(P), R = monitor(process, Q), Q ! P ! ready, \
         Next = fun() -> receive {'EXIT', P, Why} -> {exit, Why}; {'DOWN', R, process, Q, Why} -> {down, Why}; \
         {last, _, _} = Word -> Word; {nodedown, _} = Down -> Down end end, \
         Seen = [Next() || _ <- lists:seq(1, 4)], receive {get, From} -> From ! {seen, Seen} end end end)), ok",
    );
    // One that is ended, and one that ends as it likes.
    let (ready, came) = std::sync::mpsc::channel();
    let told = ready.clone();
    let ended = node.spawn(async move |mut context| {
        receive(&mut context).await;
        told.send(()).unwrap();
        receive(&mut context).await;
    });
    let far = beam.clone();
    let speaks = node.spawn(async move |mut context: Context| {
        context.trap_exit(true);
        receive(&mut context).await;
        ready.send(()).unwrap();
        let Message::Exit { reason, .. } = receive(&mut context).await else {
            panic!("no exit signal");
        };
        context
            .send(("witness", &far), term!({last, word, (reason)}))
            .await
            .unwrap();
    });
    site.run(&node, async |mut context| {
        context
            .send(("witness", &beam), term!({(ended), (speaks)}))
            .await
            .unwrap();
    });
    for _ in 0..2 {
        came.recv_timeout(PATIENCE).unwrap();
    }
    site.stop(&node);
    let seen = "begin witness ! {get, self()}, receive {seen, Seen} -> {lists:sort(lists:droplast(Seen)), lists:last(Seen), \
        string:str([case X of {last, _, _} -> $l; {down, _} -> $d; _ -> $x end || X <- Seen -- [{exit, shutdown}]], \"ld\")} \
        after 10000 -> none end end";
    assert_eq!(
        site.beam.eval(seen),
        "{[{down,normal},{exit,shutdown},{last,word,shutdown}],{nodedown,'native@127.0.0.1'},1}"
    );
}

/// Tells a process of the real node why it ends.
struct Farewell(Atom);

impl GenServer for Farewell {
    async fn handle_call(&mut self, context: &mut Context, request: Term, _: ReplyTo) -> Next {
        context.trap_exit(request.is_atom("trap"));
        Next::Reply(term!(ok))
    }

    async fn terminate(&mut self, context: &mut Context, reason: &Term) {
        let word = term!({terminated, (reason.clone())});
        context.send(("witness", &self.0), word).await.unwrap();
    }
}

/// `terminate` runs as a supervisor would have it in Erlang, and what it sends comes before the node is gone; without
/// `trap_exit` it does not run.
fn a_server_that_traps_exits_terminates_with_its_node(carrier: Carrier) {
    let mut site = Site::of(carrier);
    for (request, seen) in [("trap", "{seen,[{terminated,shutdown}]}"), ("none", "{seen,[]}")] {
        let node = site.native("native");
        let beam = site.connect(&node);
        site.beam.eval(
            "register(witness, spawn(fun() -> monitor_node('native@127.0.0.1', true), \
             All = fun F(Seen) -> receive {terminated, _} = Word -> F([Word | Seen]); {nodedown, _} -> Seen end end, \
             Words = All([]), receive {get, From} -> From ! {seen, Words} end end)), ok",
        );
        let server = node.spawn(|context| serve(context, Farewell(beam)));
        node.register("server", &server).unwrap();
        let call = format!("gen_server:call({{server, 'native@127.0.0.1'}}, {request})");
        assert_eq!(site.beam.eval(&call), "ok");
        site.stop(&node);
        let told = "begin witness ! {get, self()}, receive {seen, _} = Seen -> Seen after 10000 -> none end end";
        assert_eq!(site.beam.eval(told), seen);
        site.beam.await_value("whereis(witness)", "undefined", PATIENCE);
    }
}
