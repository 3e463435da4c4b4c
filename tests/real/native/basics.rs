//! Connections, names, messages.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Read;
use std::io::Write;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use beamway::etf::Atom;
use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::node::Context;
use beamway::node::Message;
use beamway::term;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::PATIENCE;
use super::Site;
use super::receive_term;
use crate::harness::NodeSpec;

#[test]
fn pings_both_ways() {
    let mut site = Site::new();
    let node = site.native("native");
    assert_eq!(site.beam.eval("net_adm:ping('native@127.0.0.1')"), "pong");
    assert_eq!(site.beam.eval("nodes(hidden)"), "['native@127.0.0.1']");
    assert_eq!(site.beam.eval("nodes()"), "[]");
    assert_eq!(node.nodes()[0].name, site.beam_name());
    site.beam.eval("net_kernel:disconnect('native@127.0.0.1')");
    site.beam.await_value("nodes(hidden)", "[]", PATIENCE);

    let beam = site.beam_name();
    site.runtime.block_on(async {
        let gone = async {
            while !node.nodes().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone)
            .await
            .expect("that the connection is gone here too");
        node.connect(&beam).await.expect("a connection");
    });
    let answer = site.run(&node, async |mut context| {
        let request = term!({is_auth, (context.pid().node.clone())});
        context.call(("net_kernel", &beam), request, PATIENCE).await
    });
    assert_eq!(answer, Ok(term!(yes)));
    site.stop(&node);
    site.beam.await_value("nodes(hidden)", "[]", PATIENCE);
    assert_eq!(site.beam.eval("net_adm:ping('native@127.0.0.1')"), "pang");
}

#[test]
fn a_node_stops_when_its_last_clone_is_dropped() {
    let mut site = Site::new();
    let node = site.native("native");
    site.connect(&node);
    let (sender, mut told) = mpsc::unbounded_channel();
    node.spawn(async move |mut context: Context| {
        context.trap_exit(true);
        let _ = sender.send(context.receive().await);
    });
    let clone = node.clone();
    drop(node);
    assert_eq!(site.beam.eval("net_adm:ping('native@127.0.0.1')"), "pong");
    drop(clone);
    let last = site
        .runtime
        .block_on(async { tokio::time::timeout(PATIENCE, told.recv()).await });
    let last = last.expect("a last word").expect("a message");
    assert!(
        matches!(&last, Message::Exit { reason, .. } if reason.is_atom("shutdown")),
        "{last:?}"
    );
    site.beam.await_value("nodes(hidden)", "[]", PATIENCE);
    let registered = "lists:keymember(\"native\", 1, element(2, net_adm:names()))";
    site.beam.await_value(registered, "false", PATIENCE);
}

#[test]
fn two_native_nodes_of_one_program_ping_each_other() {
    let site = Site::new();
    let (a, b) = (site.native("one"), site.native("two"));
    let answer = site.run(&a, async |mut context| {
        context
            .call(("net_kernel", b.name()), term!({is_auth, one}), PATIENCE)
            .await
    });
    assert_eq!(answer, Ok(term!(yes)));
    assert_eq!(a.nodes()[0].name, *b.name());
    assert_eq!(b.nodes()[0].name, *a.name());
    site.stop(&a);
    site.stop(&b);
}

#[test]
fn a_visible_node_is_seen_as_one() {
    let mut site = Site::new();
    let node = site.start(site.builder("native").visible());
    assert_eq!(site.beam.eval("net_adm:ping('native@127.0.0.1')"), "pong");
    assert_eq!(site.beam.eval("nodes()"), "['native@127.0.0.1']");
    assert!(node.nodes()[0].is_visible);
    site.stop(&node);
}

#[test]
fn another_cookie_is_refused() {
    let mut site = Site::new();
    let node = site.start(site.builder("native").cookie("wrong"));
    assert_eq!(site.beam.eval("net_adm:ping('native@127.0.0.1')"), "pang");
    let beam = site.beam_name();
    assert!(site.runtime.block_on(node.connect(&beam)).is_err());
    assert!(node.nodes().is_empty());
    site.stop(&node);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let site = Site::new();
    let again = site.builder("beam");
    let error = site.runtime.block_on(again.start()).err().expect("a refusal");
    assert_eq!(error.to_string(), "the node name beam@127.0.0.1 is taken");
}

/// As Erlang's processes do: one that finds message after message does not keep the thread for itself.
#[test]
fn others_run_while_a_process_receives() {
    const MESSAGES: u32 = 10_000;
    let site = Site::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let node = site.builder("native").start().await.expect("a native node");
        let turns = Rc::new(Cell::new(0));
        let others = async {
            loop {
                tokio::task::yield_now().await;
                turns.set(turns.get() + 1);
            }
        };
        let process = node.run(async |mut context| {
            let own = context.pid().clone();
            let fill = async |context: &mut Context| {
                for number in 0..MESSAGES {
                    context.send(&own, number).await.unwrap();
                }
            };
            fill(&mut context).await;
            let before = turns.get();
            for number in 0..MESSAGES {
                assert_eq!(context.receive().await, Message::Term(Term::from(number)));
            }
            let had = turns.get() - before;
            // `after 0` gives no turn away: a message that is there is found at once.
            fill(&mut context).await;
            for number in 0..MESSAGES {
                let mut receiving = pin!(context.receive_within(Duration::ZERO));
                let found = poll_fn(|task| Poll::Ready(receiving.as_mut().poll(task))).await;
                assert_eq!(found, Poll::Ready(Some(Message::Term(Term::from(number)))));
            }
            assert_eq!(context.receive_within(Duration::ZERO).await, None);
            had
        });
        let had = tokio::select! {
            had = process => had.expect("a process that ends"),
            () = others => unreachable!("it goes on and on"),
        };
        assert!(had >= MESSAGES / 100, "{had} turns of others");
        node.stop().await;
    });
}

#[test]
fn messages_by_pid_name_and_alias() {
    let mut site = Site::new();
    let node = site.native("native");
    let beam = site.beam_name();
    // An echo on the other side: it answers to the pid, then to the alias it is given.
    site.beam.eval(
        "register(echo, spawn(fun F() -> receive {From, Alias, Term} -> From ! {pid, Term}, Alias ! {alias, Term}, F() end end))",
    );
    site.run(&node, async |mut context| {
        context.register("receiver").unwrap();
        let alias = context.alias();
        let own = context.pid().clone();
        let sent = term!({[1, 2.5, "text", atom], #{key => (vec![0u8; 300])}});
        context
            .send(("echo", &beam), term!({(own.clone()), (alias.clone()), (sent.clone())}))
            .await
            .unwrap();
        assert_eq!(receive_term(&mut context).await, term!({pid, (sent.clone())}));
        assert_eq!(receive_term(&mut context).await, term!({alias, (sent.clone())}));
        assert!(context.unalias(&alias));
        context
            .send(("echo", &beam), term!({(own.clone()), (alias), last}))
            .await
            .unwrap();
        assert_eq!(receive_term(&mut context).await, term!({pid, last}));
        // The reply to the alias is lost: what comes next is the message by name.
        let echo = context
            .call(
                ("rex", &beam),
                term!({block_call, erlang, whereis, [echo], (own)}),
                PATIENCE,
            )
            .await;
        let echo = NodePid::try_from(echo.unwrap()).unwrap();
        assert_eq!(echo.node, beam);
        let receiver = term!({receiver, (context.pid().node.clone())});
        context
            .send(&echo, term!({(receiver.clone()), (receiver), (1)}))
            .await
            .unwrap();
        assert_eq!(receive_term(&mut context).await, term!({pid, 1}));
        assert_eq!(receive_term(&mut context).await, term!({alias, 1}));
    });
    site.stop(&node);
}

#[test]
fn messages_of_all_sizes() {
    let mut site = Site::new();
    let node = site.native("native");
    let beam = site.beam_name();
    site.beam
        .eval("register(echo, spawn(fun F() -> receive {From, Term} -> From ! Term, F() end end))");
    site.run(&node, async |mut context| {
        for size in [0usize, 1, 65_000, 65_536, 65_537, 131_072, 1 << 20, 20 << 20] {
            let bytes: Vec<u8> = (0..size).map(|n| (n * 7 + n / 251) as u8).collect();
            let message = term!({(context.pid().clone()), (Bytes::from(bytes))});
            context.send(("echo", &beam), message).await.unwrap();
            let Term::Binary(back) = receive_term(&mut context).await else {
                panic!("no binary came back");
            };
            assert_eq!(back.len(), size);
            assert!(
                back.iter()
                    .enumerate()
                    .all(|(n, byte)| *byte == (n * 7 + n / 251) as u8),
                "{size}"
            );
        }
    });
    site.stop(&node);
}

#[test]
fn nodes_are_seen_to_come_and_go() {
    let mut site = Site::new();
    let node = site.native("native");
    let beam = site.beam_name();
    let (sender, events) = std::sync::mpsc::channel();
    node.spawn(move |mut context| async move {
        context.monitor_nodes(true);
        loop {
            sender.send(context.receive().await).unwrap();
        }
    });
    site.beam.eval("net_adm:ping('native@127.0.0.1')");
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Ok(Message::NodeUp { node: beam.clone() })
    );
    site.beam.eval("erlang:disconnect_node('native@127.0.0.1')");
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Ok(Message::NodeDown { node: beam.clone() })
    );
    // A node that is not there at all.
    let nobody = Atom::literal("nobody@127.0.0.1");
    site.run(&node, async |mut context| {
        context.monitor_node(&nobody, true);
        assert_eq!(
            super::receive(&mut context).await,
            Message::NodeDown { node: nobody.clone() }
        );
        context.monitor_node(&beam, true);
        context.node().connect(&beam).await.expect("a connection");
        context.monitor_node(&beam, false);
        context.monitor_node(&beam, true);
    });
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Ok(Message::NodeUp { node: beam.clone() })
    );
    // The other way round.
    site.beam.eval(
        "register(watcher, spawn(fun() -> monitor_node('native@127.0.0.1', true), \
         receive M -> receive {From, get} -> From ! {got, M} end end end)), ok",
    );
    site.stop(&node);
    let seen = "begin watcher ! {self(), get}, receive {got, M} -> M after 5000 -> none end end";
    assert_eq!(site.beam.eval(seen), "{nodedown,'native@127.0.0.1'}");
}

#[test]
fn a_node_that_starts_anew_takes_the_place_of_its_former_life() {
    let mut site = Site::new();
    let node = site.native("native");
    assert_eq!(site.beam.eval("net_adm:ping('native@127.0.0.1')"), "pong");
    let beam = site.beam_name();
    let first = node.nodes()[0].creation;
    let spec = NodeSpec::new("beam", 0);
    let old = std::mem::replace(&mut site.beam, site.cluster.node(&NodeSpec::new("other", 0)));
    old.kill();
    site.runtime.block_on(async {
        let gone = async {
            while !node.nodes().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone)
            .await
            .expect("that the connection is gone");
    });
    site.beam = site.cluster.node(&spec);
    site.runtime.block_on(node.connect(&beam)).expect("a connection");
    assert_ne!(node.nodes()[0].creation, first);
    site.stop(&node);
}

/// Strangers at the listener are sent away; nodes are served meanwhile and afterwards.
#[test]
fn strangers_harm_nobody() {
    let mut site = Site::new();
    let node = site.native("native");
    let port: u16 = site
        .beam
        .eval("real:port_of(\"native\", \"127.0.0.1\")")
        .parse()
        .unwrap();
    assert_eq!(site.beam.eval("net_adm:ping('native@127.0.0.1')"), "pong");
    let longest = [0xff; 4096];
    let strangers: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00",
        b"\x00\x01N",
        b"\x00\x15N\x00\x00\x00\x0d\x07\xdf\x7f\xbd\x00\x00\x00\x07\x00\x06nobody",
        &longest,
    ];
    for bytes in strangers {
        let mut stream = std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // Closed, or reset where not all was read, maybe before we are here.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut answer);
        assert!(
            !answer.windows(3).any(|part| part == b"sok"),
            "a stranger is let in: {answer:?}"
        );
    }
    assert_eq!(site.beam.eval("nodes(hidden)"), "['native@127.0.0.1']");
    assert_eq!(
        site.beam
            .eval("gen_server:call({net_kernel, 'native@127.0.0.1'}, {is_auth, node()})"),
        "yes"
    );
    site.stop(&node);
}
