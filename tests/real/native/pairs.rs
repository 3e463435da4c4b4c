//! Two native nodes, over plain distribution and over lanes: what they do with real ones they do with each other.

use std::net::Ipv4Addr;
use std::net::UdpSocket;
use std::time::Duration;

use beamway::carrier::Lanes;
use beamway::carrier::LanesBuilder;
use beamway::etf::Atom;
use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::node::CallError;
use beamway::node::Context;
use beamway::node::Exit;
use beamway::node::Groups;
use beamway::node::Message;
use beamway::node::Node;
use beamway::node::NodeBuilder;
use beamway::node::Raise;
use beamway::node::RpcError;
use beamway::node::Ties;
use beamway::node::Watched;
use beamway::node::serve;
use beamway::term;
use tokio::runtime::Runtime;

use super::PATIENCE;
use super::calls::Cell;
use super::connect;
use super::receive;
use super::receive_term;
use super::until;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Certificates;
use crate::harness::Cluster;
use crate::harness::worked;

cases! {
    control:
        messages_go_by_pid_name_and_alias,
        ties_break_with_their_reasons,
        functions_are_called_there,
        functions_run_as_processes_there,
        servers_and_groups_are_shared,
        nodes_come_and_go;
    bridge: ;
}

/// Lanes that will reach each other.
fn two_lanes(certificates: &Certificates) -> [LanesBuilder; 2] {
    ["one", "two"].map(|name| Lanes::builder(name, certificates.issue(name)))
}

async fn start([one, two]: [LanesBuilder; 2]) -> [Lanes; 2] {
    let two = two.listen((Ipv4Addr::LOCALHOST, 0).into()).peer("one", "127.0.0.1:9");
    let two = two.start().await.expect("lanes");
    let one = one.peer("two", &two.address().to_string());
    [one.start().await.expect("lanes"), two]
}

/// A port mapper for both, or lanes of each.
struct Pair {
    runtime: Runtime,
    cluster: Cluster,
    lanes: Vec<Lanes>,
}

impl Pair {
    fn of(carrier: Carrier) -> Self {
        let cluster = Cluster::new(Carrier::Plain, 1);
        let runtime = Runtime::new().expect("a runtime");
        let lanes = match carrier {
            Carrier::Bridge => {
                let certificates = Certificates::init(cluster.folder().join("certs"));
                runtime.block_on(start(two_lanes(&certificates))).into()
            }
            _ => Vec::new(),
        };
        Self {
            runtime,
            cluster,
            lanes,
        }
    }

    fn builder(&self, name: &str, host: usize) -> NodeBuilder {
        let builder = Node::builder(&format!("{name}@127.0.0.1")).cookie(COOKIE);
        match self.lanes.get(host) {
            Some(lanes) => builder.attach(lanes),
            None => builder.epmd((Ipv4Addr::LOCALHOST, self.cluster.epmd_port(0)).into()),
        }
    }

    /// Runs a process on a node of the first, connected to one of the other; then stops all in order.
    fn run<F: Future<Output = ()>>(self, far: NodeBuilder, body: impl FnOnce(Context, Node) -> F) {
        let near = self.builder("near", 0);
        self.runtime.block_on(async {
            let (near, far) = (near.start().await.expect("a node"), far.start().await.expect("a node"));
            connect(&near, far.name()).await.expect("a connection");
            let there = far.clone();
            let done = near.run(|context| body(context, there));
            done.await.expect("a process that is not ended by others");
            for node in [near, far] {
                tokio::time::timeout(PATIENCE, node.stop())
                    .await
                    .expect("a node that stops");
            }
            for lanes in self.lanes {
                lanes.stop().await;
            }
        });
    }
}

/// A process that tells another all that it receives.
fn mirror(node: &Node, to: &NodePid) -> NodePid {
    let to = to.clone();
    node.spawn(async move |mut context: Context| {
        context.trap_exit(true);
        loop {
            let message = context.receive().await;
            if matches!(&message, Message::Exit { reason, .. } if reason.is_atom("shutdown")) {
                return Exit::new(term!(shutdown));
            }
            if let Message::Term(term) = &message
                && let Some([kind, reason]) = term.as_tuple()
                && kind.is_atom("finish")
            {
                return Exit::new(reason.clone());
            }
            let _ = context.send(&to, term!({seen, (Term::from(message))})).await;
        }
    })
}

fn messages_go_by_pid_name_and_alias(carrier: Carrier) {
    let pair = Pair::of(carrier);
    let far = pair.builder("far", 1);
    pair.run(far, async |mut context, far| {
        let own = context.pid().clone();
        let mirror = mirror(&far, &own);
        far.register("mirror", &mirror).unwrap();
        for size in [0usize, 100, 65_536, 5 << 20] {
            let bytes = bytes::Bytes::from((0..size).map(|n| (n * 7 % 251) as u8).collect::<Vec<u8>>());
            context.send(&mirror, term!({bytes, (bytes.clone())})).await.unwrap();
            assert_eq!(receive_term(&mut context).await, term!({seen, {bytes, (bytes)}}));
        }
        // However addressed, in the order sent.
        for number in 0..1000 {
            match number % 2 {
                0 => context.send(&mirror, term!({number, (number)})).await.unwrap(),
                _ => context
                    .send(("mirror", far.name()), term!({number, (number)}))
                    .await
                    .unwrap(),
            }
        }
        for number in 0..1000 {
            assert_eq!(receive_term(&mut context).await, term!({seen, {number, (number)}}));
        }
        // An alias, until it is none.
        let (alias, to) = (context.alias(), own.clone());
        let (first, second) = (alias.clone(), alias.clone());
        let writer = far.spawn(async move |mut context: Context| {
            context.send(first, term!(first)).await.unwrap();
            receive(&mut context).await;
            context.send(second, term!(second)).await.unwrap();
            context.send(to, term!(last)).await.unwrap();
        });
        assert_eq!(receive_term(&mut context).await, term!(first));
        assert!(context.unalias(&alias));
        context.send(&writer, term!(go)).await.unwrap();
        assert_eq!(receive_term(&mut context).await, term!(last));
    });
}

fn ties_break_with_their_reasons(carrier: Carrier) {
    let pair = Pair::of(carrier);
    let far = pair.builder("far", 1);
    pair.run(far, async |mut context, far| {
        context.trap_exit(true);
        let own = context.pid().clone();
        // Linked and watched, by pid and by name.
        let one = mirror(&far, &own);
        far.register("one", &one).unwrap();
        context.link(&one);
        let (by_pid, by_name) = (context.monitor(&one), context.monitor(("one", far.name())));
        let undone = context.monitor(&one);
        context.demonitor(&undone);
        context.send(&one, term!({finish, {some, reason}})).await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(receive(&mut context).await);
        }
        let name = Watched::Name { name: Atom::literal("one"), node: far.name().clone() };
        for (reference, from) in [(by_pid, Watched::Process(one.clone())), (by_name, name)] {
            let reason = term!({some, reason});
            assert!(seen.contains(&Message::Down { reference: reference.into(), from, reason }), "{seen:?}");
        }
        assert!(seen.contains(&Message::Exit { from: one.clone(), reason: term!({some, reason}) }), "{seen:?}");
        // Too late.
        context.link(&one);
        assert_eq!(receive(&mut context).await, Message::Exit { from: one, reason: term!(noproc) });
        // Unlinked many times over, and linked again.
        let two = mirror(&far, &own);
        // It traps exits from its first message on.
        context.send(&two, term!(ready)).await.unwrap();
        assert_eq!(receive_term(&mut context).await, term!({seen, ready}));
        for _ in 0..50 {
            context.link(&two);
            context.unlink(&two);
        }
        context.exit(&two, term!(hello));
        let told = term!({seen, {@"EXIT", (own.clone()), hello}});
        assert_eq!(receive_term(&mut context).await, told, "trapped there");
        let monitor = context.monitor(&two);
        context.exit(&two, term!(kill));
        let down = receive(&mut context).await;
        assert!(
            matches!(&down, Message::Down { reference, reason, .. } if **reference == monitor && reason.is_atom("killed")),
            "{down:?}"
        );
        // A panic there is a reason here.
        let three = far.spawn(async |mut context: Context| {
            receive(&mut context).await;
            panic!("out of paper");
        });
        context.link(&three);
        context.send(&three, term!(go)).await.unwrap();
        let reason = term!({panic, "out of paper"});
        assert_eq!(receive(&mut context).await, Message::Exit { from: three, reason });
        assert_eq!(context.queue_len(), 0);
    });
}

fn functions_are_called_there(carrier: Carrier) {
    let pair = Pair::of(carrier);
    let far = pair
        .builder("far", 1)
        .export_typed("math", "add", async |(a, b): (i64, i64)| Ok(a + b))
        .export("demo", "raise", async |_, arguments| {
            match arguments.first().and_then(Term::as_atom) {
                Some("throw") => Err(Raise::throw(term!(ball))),
                Some("exit") => Err(Raise::exit(term!(gone))),
                Some("error") => Err(Raise::error(term!({my, reason}))),
                _ => panic!("out of paper"),
            }
        });
    pair.run(far, async |mut context, far| {
        let node = far.name().clone();
        let mut call = async |module: &'static str, name: &'static str, arguments: Vec<Term>| {
            context.rpc(&node, module, name, arguments, PATIENCE).await
        };
        assert_eq!(call("math", "add", vec![term!(40), term!(2)]).await, Ok(term!(42)));
        assert_eq!(
            call("demo", "raise", vec![term!(throw)]).await,
            Err(RpcError::Throw(term!(ball)))
        );
        assert_eq!(
            call("demo", "raise", vec![term!(exit)]).await,
            Err(RpcError::Exit(term!(gone)))
        );
        for (name, wanted) in [
            ("error", term!({my, reason})),
            ("panic", term!({panic, "out of paper"})),
        ] {
            let error = call("demo", "raise", vec![Term::atom(name)]).await.unwrap_err();
            assert!(
                matches!(&error, RpcError::Error { reason, .. } if *reason == wanted),
                "{error}"
            );
        }
        let undefined = RpcError::Error {
            reason: term!(undef),
            stack: term!([{demo, none, [1], []}]),
        };
        assert_eq!(call("demo", "none", vec![term!(1)]).await, Err(undefined));
    });
}

fn functions_run_as_processes_there(carrier: Carrier) {
    let pair = Pair::of(carrier);
    let far = pair
        .builder("far", 1)
        .export("demo", "leader", async |mut context: Context, arguments| {
            let Some(Term::Pid(to)) = arguments.first() else {
                return Err(Raise::function_clause());
            };
            context.send(to, term!({leader, (context.group_leader())})).await?;
            Err(Raise::exit(receive_term(&mut context).await))
        });
    pair.run(far, async |mut context, far| {
        let node = far.name().clone();
        let own = context.pid().clone();
        let short = Duration::from_millis(50);
        let late = context
            .rpc(&node, "demo", "leader", vec![own.clone().into()], short)
            .await;
        assert_eq!(late, Err(RpcError::Failed(term!(timeout))));
        assert_eq!(
            receive_term(&mut context).await,
            term!({leader, (own.clone())}),
            "it did run"
        );
        // Spawned with all ties, under this one's group leader.
        context.trap_exit(true);
        let leader = context.spawn(async |mut context: Context| drop(context.receive().await));
        context.set_group_leader(leader.clone(), own.clone());
        let ties = Ties {
            link: true,
            monitor: true,
            ..Ties::default()
        };
        let request = context.spawn_request(&node, "demo", "leader", vec![own.into()], ties);
        let Message::SpawnReply {
            request: answered,
            result: Ok(pid),
        } = receive(&mut context).await
        else {
            panic!("no process");
        };
        assert_eq!((*answered, &pid.node), (request.clone(), &node));
        assert_eq!(receive_term(&mut context).await, term!({leader, (leader.clone())}));
        context.send(&pid, term!(over)).await.unwrap();
        let ends = [receive(&mut context).await, receive(&mut context).await];
        assert!(
            ends.contains(&Message::Exit {
                from: pid.clone(),
                reason: term!(over)
            }),
            "{ends:?}"
        );
        let from = Watched::Process(pid);
        assert!(
            ends.contains(&Message::Down {
                reference: request.into(),
                from,
                reason: term!(over)
            }),
            "{ends:?}"
        );
        context.send(&leader, term!(end)).await.unwrap();
    });
}

fn servers_and_groups_are_shared(carrier: Carrier) {
    let pair = Pair::of(carrier);
    let far = pair.builder("far", 1);
    pair.run(far, async |mut context, far| {
        let cell = far.spawn(|context| serve(context, Cell(term!(empty))));
        far.register("cell", &cell).unwrap();
        let server = ("cell", far.name());
        assert_eq!(context.call(server, term!(get), PATIENCE).await, Ok(term!(empty)));
        context.cast(server, term!({full, [1]})).await.unwrap();
        assert_eq!(context.call(&cell, term!(late), PATIENCE).await, Ok(term!({full, [1]})));
        let short = Duration::from_millis(50);
        assert_eq!(context.call(server, term!(never), short).await, Err(CallError::Timeout));
        assert_eq!(context.call(server, term!(enough), PATIENCE).await, Ok(term!(stopping)));
        assert_eq!(
            context.call(server, term!(get), PATIENCE).await,
            Err(CallError::Down(term!(noproc)))
        );
        assert_eq!(context.queue_len(), 0);
        // Groups: each sees the other's members, until these leave or end.
        let (here, there) = (Groups::start(&context.node(), "shop"), Groups::start(&far, "shop"));
        let (own, worker) = (context.pid().clone(), mirror(&far, context.pid()));
        here.join(&mut context, term!(workers), &own).await.unwrap();
        let far_members = async |joins: Option<NodePid>| {
            let asked = far.run(async |mut context| {
                if let Some(member) = joins {
                    there.join(&mut context, term!(workers), &member).await.unwrap();
                }
                there.members(&mut context, term!(workers)).await.unwrap().len()
            });
            asked.await.unwrap()
        };
        far_members(Some(worker.clone())).await;
        until(async || far_members(None).await == 2).await;
        until(async || here.members(&mut context, term!(workers)).await.unwrap().len() == 2).await;
        context.send(&worker, term!({finish, normal})).await.unwrap();
        until(async || here.members(&mut context, term!(workers)).await.unwrap() == [own.clone()]).await;
        assert_eq!(here.leave(&mut context, term!(workers), &own).await, Ok(true));
        until(async || far_members(None).await == 0).await;
    });
}

fn nodes_come_and_go(carrier: Carrier) {
    let pair = Pair::of(carrier);
    let far = pair.builder("far", 1).visible();
    // A connection is a visible one if both nodes are.
    pair.run(far, async |mut context, far| {
        let node = far.name().clone();
        let names = |of: &Node| {
            of.nodes()
                .iter()
                .map(|known| (known.name.clone(), known.is_visible))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&context.node()), [(node.clone(), false)]);
        assert_eq!(names(&far), [(context.node().name().clone(), false)]);
        context.trap_exit(true);
        context.monitor_nodes(true);
        context.monitor_node(&node, true);
        // It says nothing by itself, which would connect the nodes again.
        let process = far.spawn(async |mut context: Context| {
            context.trap_exit(true);
            loop {
                match context.receive().await {
                    Message::Term(Term::Pid(to)) => context.send(to, term!(here)).await.unwrap(),
                    Message::Exit { reason, .. } if reason.is_atom("shutdown") => return,
                    _ => {}
                }
            }
        });
        let own = context.pid().clone();
        context.link(&process);
        let monitor = context.monitor(&process);
        context.send(&process, own).await.unwrap();
        assert_eq!(receive_term(&mut context).await, term!(here));
        far.disconnect(context.node().name());
        // All that crosses breaks, then the node is told to be gone: once to each that asked.
        let broken = [receive(&mut context).await, receive(&mut context).await];
        let reason = term!(noconnection);
        assert!(
            broken.contains(&Message::Exit {
                from: process.clone(),
                reason: reason.clone()
            }),
            "{broken:?}"
        );
        let from = Watched::Process(process.clone());
        assert!(
            broken.contains(&Message::Down {
                reference: monitor.into(),
                from,
                reason
            }),
            "{broken:?}"
        );
        for _ in 0..2 {
            assert_eq!(receive(&mut context).await, Message::NodeDown { node: node.clone() });
        }
        // The next message connects again, and the process lives.
        let own = context.pid().clone();
        context.send(&process, own).await.unwrap();
        assert_eq!(receive(&mut context).await, Message::NodeUp { node });
        assert_eq!(receive_term(&mut context).await, term!(here));
    });
}

#[test]
fn lanes_stop_when_they_are_dropped() {
    let cluster = Cluster::new(Carrier::Plain, 1);
    let certificates = Certificates::init(cluster.folder().join("certs"));
    Runtime::new().expect("a runtime").block_on(async {
        let [one, two] = start(two_lanes(&certificates)).await;
        let native = |name: &str, lanes: &Lanes| Node::builder(name).cookie(COOKIE).attach(lanes).start();
        let near = native("near@127.0.0.1", &one).await.expect("a node");
        let far = native("far@127.0.0.1", &two).await.expect("a node");
        connect(&near, far.name()).await.expect("a connection");
        let address = one.address();
        assert!(UdpSocket::bind(address).is_err(), "the lanes have the port");
        let mut one = Some(one);
        let told = far.run(async |mut context| {
            context.monitor_node(near.name(), true);
            drop(one.take());
            receive(&mut context).await
        });
        let node = near.name().clone();
        assert_eq!(told.await.expect("a process that ends"), Message::NodeDown { node });
        until(async || UdpSocket::bind(address).is_ok()).await;
        // The node outlives its lanes, and reaches nobody.
        until(async || near.nodes().is_empty()).await;
        assert!(near.connect(far.name()).await.is_err());
        near.stop().await;
        far.stop().await;
        two.stop().await;
    });
}

/// What calls cost a program: little, and the time that it is told to stay awake for.
#[test]
fn lanes_stay_awake_as_long_as_told() {
    const CALLS: u32 = 30;
    let cluster = Cluster::new(Carrier::Plain, 1);
    let certificates = Certificates::init(cluster.folder().join("certs"));
    let lanes = two_lanes(&certificates);
    let far = Atom::literal("far@127.0.0.1");
    let [awake, asleep] = [Duration::from_millis(10), Duration::ZERO].map(|time| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let lanes = start(lanes.clone().map(|lanes| lanes.busy_wait(time))).await;
            let native = |name: &str, host: usize| {
                let builder = Node::builder(name).cookie(COOKIE).attach(&lanes[host]);
                let builder = builder.export_typed("math", "add", async |(a, b): (i64, i64)| Ok(a + b));
                async { builder.start().await.expect("a node") }
            };
            let nodes = [native("near@127.0.0.1", 0).await, native(far.as_str(), 1).await];
            let [near, _] = &nodes;
            connect(near, &far).await.expect("a connection");
            let before = worked("thread-self");
            let calls = near.run(async |mut context| {
                for _ in 0..CALLS {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    let sum = context.rpc(&far, "math", "add", vec![term!(20), term!(22)], PATIENCE);
                    assert_eq!(sum.await, Ok(term!(42)));
                }
            });
            calls.await.expect("a process that ends");
            let worked = worked("thread-self") - before;
            for node in nodes {
                node.stop().await;
            }
            for lanes in lanes {
                lanes.stop().await;
            }
            worked
        })
    });
    // Others may have wanted the core meanwhile, and got it.
    assert!(awake >= Duration::from_millis(3) * CALLS, "{awake:?} for {CALLS} calls");
    assert!(asleep <= awake / 2, "{asleep:?} without staying awake, {awake:?} with");
    let [one, _] = lanes;
    let too_long = one.busy_wait(Duration::from_secs(1)).start();
    let refused = Runtime::new().expect("a runtime").block_on(too_long).unwrap_err();
    assert!(refused.to_string().contains("busy_wait"), "{refused}");
}
