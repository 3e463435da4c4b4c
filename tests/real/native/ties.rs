//! Links, monitors, exits, in both directions. What a BEAM process does is told to it as a message: see `puppet`.

use beamway::etf::Atom;
use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::node::Context;
use beamway::node::Exit;
use beamway::node::Message;
use beamway::node::Node;
use beamway::node::Ties;
use beamway::node::Watched;
use beamway::term;

use super::Site;
use super::receive;
use super::receive_term;
use crate::harness::Carrier;
use crate::harness::NodeSpec;

cases! {
    control:
        links_break_both_ways,
        what_is_unlinked_stays_alive,
        monitors_fire_once_with_the_reason,
        exit_signals_end_or_are_trapped,
        an_exit_signal_ends_a_process_that_waits,
        a_lost_node_breaks_all_that_crosses,
        processes_are_spawned_both_ways,
        group_leaders_are_set_both_ways;
    bridge: ;
    vm: links_break_both_ways, monitors_fire_once_with_the_reason, a_lost_node_breaks_all_that_crosses;
}

/// A process of the real node that does what it is told, and reports what it receives to `spy`.
const PUPPET: &str = "register(maker, spawn(fun Maker() -> receive {make, Spy} -> \
    spawn(fun() -> process_flag(trap_exit, true), Spy ! {made, self()}, (fun Loop() -> receive \
        {link, P} -> link(P), Spy ! linked, Loop(); \
        {unlink, P} -> unlink(P), Spy ! unlinked, Loop(); \
        {monitor, P} -> Spy ! {monitoring, monitor(process, P)}, Loop(); \
        {demonitor, R} -> demonitor(R), Spy ! demonitored, Loop(); \
        {exit, P, Reason} -> exit(P, Reason), Loop(); \
        {trap, Flag} -> process_flag(trap_exit, Flag), Spy ! trapping, Loop(); \
        {finish, Reason} -> exit(Reason); \
        Other -> Spy ! {got, Other}, Loop() end end)() end), Maker() end end)), ok";

async fn puppet(context: &mut Context, beam: &Atom) -> NodePid {
    let make = term!({make, (context.pid().clone())});
    context.send(("maker", beam), make).await.unwrap();
    match receive_term(context).await {
        Term::Tuple(made) => NodePid::try_from(made[1].clone()).unwrap(),
        other => panic!("{other}"),
    }
}

async fn tell(context: &mut Context, puppet: &NodePid, what: Term) -> Term {
    context.send(puppet, what).await.unwrap();
    receive_term(context).await
}

/// A process here that ends as it is told.
fn victim(node: &Node) -> NodePid {
    node.spawn(|mut context| async move {
        match context.receive().await {
            Message::Term(term) if term.is_atom("panic") => panic!("on purpose"),
            Message::Term(term) => Err(Exit::new(term)),
            _ => Ok(()),
        }
    })
}

fn site(carrier: Carrier) -> (Site, Node, Atom) {
    let mut site = Site::of(carrier);
    site.beam.eval(PUPPET);
    let (node, beam) = (site.native("native"), site.beam_name());
    (site, node, beam)
}

fn links_break_both_ways(carrier: Carrier) {
    let (site, node, beam) = site(carrier);
    site.run(&node, async |mut context| {
        context.trap_exit(true);
        // Made here, broken there.
        let far = puppet(&mut context, &beam).await;
        context.link(&far);
        context.send(&far, term!({finish, {some, reason}})).await.unwrap();
        let broken = Message::Exit {
            from: far,
            reason: term!({some, reason}),
        };
        assert_eq!(receive(&mut context).await, broken);
        // Made there, broken here: by an end, by a panic, by an end in order.
        for (order, reason) in [
            (term!({my, reason}), term!({my, reason})),
            (term!(panic), term!({panic, "on purpose"})),
            (term!(normal), term!(normal)),
        ] {
            let far = puppet(&mut context, &beam).await;
            let near = victim(&node);
            assert_eq!(
                tell(&mut context, &far, term!({link, (near.clone())})).await,
                term!(linked)
            );
            // Both to one process, so the link is there before it ends.
            context.send(&far, term!(passing)).await.unwrap();
            assert_eq!(receive_term(&mut context).await, term!({got, passing}));
            context.send(&near, order).await.unwrap();
            assert_eq!(
                receive_term(&mut context).await,
                term!({got, {@"EXIT", (near), (reason)}})
            );
        }
        // To a process that is gone already.
        let near = victim(&node);
        context.send(&near, term!(normal)).await.unwrap();
        let monitor = context.monitor(&near);
        let down = receive(&mut context).await;
        assert!(matches!(down, Message::Down { reference, .. } if *reference == monitor));
        let far = puppet(&mut context, &beam).await;
        assert_eq!(
            tell(&mut context, &far, term!({link, (near.clone())})).await,
            term!(linked)
        );
        assert_eq!(
            receive_term(&mut context).await,
            term!({got, {@"EXIT", (near), noproc}})
        );
        context.send(&far, term!({finish, done})).await.unwrap();
        context.monitor(&far);
        receive(&mut context).await;
        context.link(&far);
        assert_eq!(
            receive(&mut context).await,
            Message::Exit {
                from: far,
                reason: term!(noproc)
            }
        );
    });
    site.stop(&node);
}

fn what_is_unlinked_stays_alive(carrier: Carrier) {
    let (site, node, beam) = site(carrier);
    site.run(&node, async |mut context| {
        context.trap_exit(true);
        let far = puppet(&mut context, &beam).await;
        // Many times over, so that acknowledgements cross new links.
        for _ in 0..50 {
            context.link(&far);
            context.unlink(&far);
        }
        context.send(&far, term!({finish, first})).await.unwrap();
        let second = puppet(&mut context, &beam).await;
        for _ in 0..50 {
            context.unlink(&second);
            context.link(&second);
        }
        context.send(&second, term!({finish, second})).await.unwrap();
        assert_eq!(
            receive(&mut context).await,
            Message::Exit {
                from: second,
                reason: term!(second)
            }
        );
        // Unlinked there: our end means nothing to it.
        let third = puppet(&mut context, &beam).await;
        let near = victim(&node);
        tell(&mut context, &third, term!({link, (near.clone())})).await;
        tell(&mut context, &third, term!({unlink, (near.clone())})).await;
        let monitor = context.monitor(&near);
        context.send(&near, term!(over)).await.unwrap();
        let down = receive(&mut context).await;
        assert!(
            matches!(down, Message::Down { reference, reason, .. } if *reference == monitor && reason == term!(over))
        );
        assert_eq!(tell(&mut context, &third, term!(ping)).await, term!({got, ping}));
    });
    site.stop(&node);
}

fn monitors_fire_once_with_the_reason(carrier: Carrier) {
    let (site, node, beam) = site(carrier);
    site.run(&node, async |mut context| {
        let far = puppet(&mut context, &beam).await;
        let kept = context.monitor(&far);
        let undone = context.monitor(&far);
        context.demonitor(&undone);
        context.send(&far, term!({finish, {bad, [1]}})).await.unwrap();
        let down = Message::Down {
            reference: kept.into(),
            from: Watched::Process(far.clone()),
            reason: term!({bad, [1]}),
        };
        assert_eq!(receive(&mut context).await, down);
        let late = context.monitor(&far);
        let down = receive(&mut context).await;
        assert!(
            matches!(down, Message::Down { reference, reason, .. } if *reference == late && reason == term!(noproc))
        );
        // By name: one that is there, and one that is not.
        let nobody = context.monitor(("nobody", &beam));
        let from = Watched::Name {
            name: Atom::literal("nobody"),
            node: beam.clone(),
        };
        let down = Message::Down {
            reference: nobody.into(),
            from,
            reason: term!(noproc),
        };
        assert_eq!(receive(&mut context).await, down);
        // From there, by pid and by name.
        let far = puppet(&mut context, &beam).await;
        let near = victim(&node);
        node.register("victim", &near).unwrap();
        let Term::Tuple(by_pid) = tell(&mut context, &far, term!({monitor, (near.clone())})).await else {
            panic!()
        };
        let name = term!({victim, (node.name().clone())});
        let Term::Tuple(by_name) = tell(&mut context, &far, term!({monitor, (name.clone())})).await else {
            panic!()
        };
        let Term::Tuple(undone) = tell(&mut context, &far, term!({monitor, (near.clone())})).await else {
            panic!()
        };
        tell(&mut context, &far, term!({demonitor, (undone[1].clone())})).await;
        context.send(&near, term!(gone)).await.unwrap();
        let mut downs = [receive_term(&mut context).await, receive_term(&mut context).await];
        downs.sort_by_key(|down| !down.to_string().contains("victim"));
        assert_eq!(
            downs[0],
            term!({got, {@"DOWN", (by_name[1].clone()), process, (name), gone}})
        );
        assert_eq!(
            downs[1],
            term!({got, {@"DOWN", (by_pid[1].clone()), process, (near), gone}})
        );
        assert_eq!(
            tell(&mut context, &far, term!(ping)).await,
            term!({got, ping}),
            "no third DOWN"
        );
    });
    site.stop(&node);
}

fn exit_signals_end_or_are_trapped(carrier: Carrier) {
    let (site, node, beam) = site(carrier);
    site.run(&node, async |mut context| {
        let far = puppet(&mut context, &beam).await;
        let own = context.pid().clone();
        // To one that traps: the puppet.
        context.exit(&far, term!(hello));
        assert_eq!(receive_term(&mut context).await, term!({got, {@"EXIT", (own), hello}}));
        // To ones that do not: by reason, kill, and normal, which does nothing.
        for (sent, seen) in [(term!(bang), term!(bang)), (term!(kill), term!(killed))] {
            let near = victim(&node);
            context.monitor(&near);
            context.send(&far, term!({exit, (near), (sent)})).await.unwrap();
            let down = receive(&mut context).await;
            assert!(matches!(down, Message::Down { reason, .. } if reason == seen));
        }
        let near = victim(&node);
        context.monitor(&near);
        context.send(&far, term!({exit, (near.clone()), normal})).await.unwrap();
        assert_eq!(tell(&mut context, &far, term!(ping)).await, term!({got, ping}));
        context.send(&near, term!(alive)).await.unwrap();
        let down = receive(&mut context).await;
        assert!(matches!(down, Message::Down { reason, .. } if reason == term!(alive)));
        // Trapped here.
        context.trap_exit(true);
        context
            .send(&far, term!({exit, (context.pid().clone()), stop}))
            .await
            .unwrap();
        assert_eq!(
            receive(&mut context).await,
            Message::Exit {
                from: far.clone(),
                reason: term!(stop)
            }
        );
        // Kill cannot be trapped there either.
        context.monitor(&far);
        context.exit(&far, term!(kill));
        let down = receive(&mut context).await;
        assert!(matches!(down, Message::Down { reason, .. } if reason == term!(killed)));
    });
    site.stop(&node);
}

fn an_exit_signal_ends_a_process_that_waits(carrier: Carrier) {
    let site = Site::of(carrier);
    let node = site.native("native");
    let error = site.runtime.block_on(node.run(async |context| {
        let own = context.pid().clone();
        context.spawn(move |context| async move { context.exit(&own, term!({no, more})) });
        std::future::pending::<()>().await;
    }));
    assert_eq!(error.unwrap_err().reason, term!({no, more}));
    site.stop(&node);
}

fn a_lost_node_breaks_all_that_crosses(carrier: Carrier) {
    let (mut site, node, beam) = site(carrier);
    let spec = NodeSpec::new("other", 0);
    let spare = site.cluster.node(&spec);
    let doomed = std::mem::replace(&mut site.beam, spare);
    site.run(&node, async |mut context| {
        context.trap_exit(true);
        let far = puppet(&mut context, &beam).await;
        context.link(&far);
        let monitor = context.monitor(("maker", &beam));
        context.monitor_node(&beam, true);
        assert_eq!(tell(&mut context, &far, term!(ping)).await, term!({got, ping}));
        doomed.kill();
        let mut seen = [receive(&mut context).await, receive(&mut context).await];
        seen.sort_by_key(|message| matches!(message, Message::Down { .. }));
        assert_eq!(seen[0], Message::Exit { from: far, reason: term!(noconnection) });
        let from = Watched::Name { name: Atom::literal("maker"), node: beam.clone() };
        let down = Message::Down { reference: monitor.into(), from, reason: term!(noconnection) };
        assert_eq!(seen[1], down);
        assert_eq!(receive(&mut context).await, Message::NodeDown { node: beam.clone() });
        // What cannot be reached is told the same way.
        let gone = context.monitor(("maker", &beam));
        let down = receive(&mut context).await;
        assert!(
            matches!(down, Message::Down { reference, reason, .. } if *reference == gone && reason == term!(noconnection))
        );
    });
    site.stop(&node);
}

fn processes_are_spawned_both_ways(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let builder = site
        .builder("native")
        .export("demo", "loop", async |mut context, arguments| {
            let Some(Term::Pid(parent)) = arguments.first().cloned() else {
                return Err(beamway::node::Raise::function_clause());
            };
            context.send(parent, term!({here, (context.group_leader())})).await?;
            match context.receive().await {
                Message::Term(term) => Err(beamway::node::Raise::exit(term)),
                other => Err(beamway::node::Raise::error(Term::from(other))),
            }
        });
    let node = site.start(builder);
    // From there: spawn_monitor, spawn_link, and a function that is not exported.
    let lines = "begin {P, R} = spawn_monitor('native@127.0.0.1', demo, loop, [self()]), \
        GL = group_leader(), receive {here, GL} -> P ! over end, receive {'DOWN', R, process, P, Why} -> Why end end";
    assert_eq!(site.beam.eval(lines), "over");
    let lines = "begin process_flag(trap_exit, true), P = spawn_link('native@127.0.0.1', demo, loop, [self()]), \
        receive {here, _} -> exit(P, bye) end, receive {'EXIT', P, Why} -> Why end end";
    assert_eq!(site.beam.eval(lines), "bye");
    let lines = "begin {P, R} = spawn_monitor('native@127.0.0.1', demo, missing, [1]), \
        receive {'DOWN', R, process, P, Why} -> Why end end";
    assert_eq!(site.beam.eval(lines), "{undef,[{demo,missing,[1],[]}]}");
    // From here.
    let beam = site.beam_name();
    site.run(&node, async |mut context| {
        context.trap_exit(true);
        let ties = Ties {
            link: true,
            monitor: true,
            ..Ties::default()
        };
        let function = vec![term!({hello, world})];
        let request = context.spawn_request(&beam, "erlang", "exit", function, ties);
        let reply = receive(&mut context).await;
        let Message::SpawnReply {
            request: answered,
            result: Ok(pid),
        } = reply
        else {
            panic!("{reply:?}")
        };
        assert_eq!(*answered, request);
        let mut seen = [receive(&mut context).await, receive(&mut context).await];
        seen.sort_by_key(|message| matches!(message, Message::Down { .. }));
        assert_eq!(
            seen[0],
            Message::Exit {
                from: pid.clone(),
                reason: term!({hello, world})
            }
        );
        let from = Watched::Process(pid);
        assert_eq!(
            seen[1],
            Message::Down {
                reference: request.into(),
                from,
                reason: term!({hello, world})
            }
        );
        let nobody = Atom::literal("nobody@127.0.0.1");
        let request = context.spawn_request(&nobody, "erlang", "now", Vec::new(), Ties::default());
        let failed = Message::SpawnReply {
            request: request.into(),
            result: Err(Atom::literal("noconnection")),
        };
        assert_eq!(receive(&mut context).await, failed);
    });
    site.stop(&node);
}

fn group_leaders_are_set_both_ways(carrier: Carrier) {
    let (mut site, node, beam) = site(carrier);
    let answering = node.spawn(|mut context| async move {
        while let Message::Term(Term::Pid(asks)) = context.receive().await {
            let _ = context.send(asks, term!({leader, (context.group_leader())})).await;
        }
    });
    node.register("answering", &answering).unwrap();
    // From there: the signal and the question have one sender, so the order holds.
    let lines = "begin {answering, 'native@127.0.0.1'} ! self(), receive {leader, P} -> ok end, GL = whereis(init), \
        group_leader(GL, P), P ! self(), receive {leader, GL} -> changed; {leader, Other} -> Other end end";
    assert_eq!(site.beam.eval(lines), "changed");
    // From here.
    site.run(&node, async |mut context| {
        let puppet = puppet(&mut context, &beam).await;
        context.set_group_leader(answering.clone(), puppet.clone());
        // By the same sender, so it is asked for after it was set.
        tell(&mut context, &puppet, term!({trap, true})).await;
        let info = vec![puppet.into(), term!(group_leader)];
        let leader = context
            .rpc(&beam, "erlang", "process_info", info, super::PATIENCE)
            .await;
        assert_eq!(leader, Ok(term!({group_leader, (answering)})));
    });
    site.stop(&node);
}
