//! Native nodes attached to a daemon of this process, and real nodes behind a gateway of another.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use beamway::carrier::Daemon;
use beamway::carrier::Lanes;
use beamway::carrier::PolicyRule;
use beamway::etf::Atom;
use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::node::Message;
use beamway::node::Node;
use beamway::term;
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::PATIENCE;
use super::Site;
use super::connect;
use super::receive;
use super::receive_term;
use crate::harness;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::NodeSpec;

#[test]
fn a_native_node_and_one_behind_a_gateway_talk_over_lanes() {
    talk_over_lanes(Carrier::Bridge);
}

#[test]
fn a_native_node_and_one_with_the_carrier_inside_talk_over_lanes() {
    talk_over_lanes(Carrier::Vm);
}

fn talk_over_lanes(carrier: Carrier) {
    let mut lanes = Site::of(carrier);
    let builder = lanes
        .builder("native")
        .export_typed("math", "add", async |(a, b): (i64, i64)| Ok(a + b));
    let node = lanes.runtime.block_on(builder.start()).expect("a native node");
    let beam = lanes.connect(&node);
    assert_eq!(
        lanes.beam.eval("erpc:call('native@127.0.0.1', math, add, [20, 22])"),
        "42"
    );
    lanes
        .beam
        .eval("register(echo, spawn(fun F() -> receive {From, Term} -> From ! Term, F() end end)), ok");
    lanes.beam.eval(
        "register(digester, spawn(fun F() -> receive P when is_pid(P) -> \
         receive B when is_binary(B) -> P ! erlang:md5(B), F() end end end)), ok",
    );
    lanes.run(&node, async |mut context| {
        let answer = context.rpc(&beam, "erlang", "node", vec![], PATIENCE).await;
        assert_eq!(answer, Ok(Term::from(beam.clone())));
        for size in [10usize, 65_537, 5 << 20] {
            let bytes = Bytes::from((0..size).map(|n| (n * 7 % 251) as u8).collect::<Vec<u8>>());
            let message = term!({(context.pid().clone()), (bytes.clone())});
            context.send(("echo", &beam), message).await.unwrap();
            assert_eq!(receive_term(&mut context).await, Term::from(bytes));
        }
        // A binary that is a message by itself, and travels from where it is.
        for size in [65_535usize, 65_536, 5 << 20] {
            let bytes: Vec<u8> = (0..size).map(|n| (n * 7 % 251) as u8).collect();
            let digest = context.rpc(
                &beam,
                "erlang",
                "md5",
                vec![Term::from(Bytes::from(bytes.clone()))],
                PATIENCE,
            );
            let digest = digest.await.unwrap();
            context.send(("digester", &beam), context.pid().clone()).await.unwrap();
            context.send(("digester", &beam), Bytes::from(bytes)).await.unwrap();
            assert_eq!(receive_term(&mut context).await, digest);
        }
        // By name, then by pid, to one process: order holds.
        let echo = context
            .rpc(&beam, "erlang", "whereis", vec![term!(echo)], PATIENCE)
            .await
            .unwrap();
        let echo = NodePid::try_from(echo).unwrap();
        for n in 0..2000 {
            let message = term!({(context.pid().clone()), (n)});
            if n % 3 == 0 {
                context.send(("echo", &beam), message).await.unwrap();
            } else {
                context.send(&echo, message).await.unwrap();
            }
        }
        for n in 0..2000 {
            assert_eq!(receive_term(&mut context).await, Term::from(n));
        }
        context.trap_exit(true);
        context.link(&echo);
        context.exit(&echo, term!(kill));
        assert_eq!(
            receive(&mut context).await,
            Message::Exit {
                from: echo,
                reason: term!(killed)
            }
        );
    });
    lanes.stop(&node);
    lanes.beam.await_value("nodes(hidden)", "[]", PATIENCE);
    lanes.cluster.assert_healthy();
}

#[test]
fn native_and_real_nodes_of_one_host_share_a_daemon() {
    let mut lanes = Site::of(Carrier::Bridge);
    let (one, two) = (lanes.native("one"), lanes.native("two"));
    let mut beside = lanes.cluster.node(&NodeSpec::new("beside", 1));
    let beam = lanes.connect(&one);
    lanes.connect(&two);
    // The real node of this host reaches the native ones and the far real one.
    for name in ["one@127.0.0.1", "two@127.0.0.1", beam.as_str()] {
        beside.await_value(&format!("net_adm:ping('{name}')"), "pong", PATIENCE);
    }
    lanes.run(&one, async |mut context| {
        for node in [two.name(), &beam, &Atom::literal("beside@127.0.0.1")] {
            let answer = context.call(("net_kernel", node), term!({is_auth, me}), PATIENCE).await;
            assert_eq!(answer, Ok(term!(yes)), "{node}");
        }
        let nowhere = Atom::literal("nowhere@127.0.0.1");
        context.monitor(("nobody", &nowhere));
        let down = receive(&mut context).await;
        assert!(matches!(down, Message::Down { reason, .. } if reason.is_atom("noconnection")));
    });
    // What crosses breaks when the real node is gone.
    lanes.run(&two, async |mut context| {
        context.monitor(("init", &beam));
        context.monitor_node(&beam, true);
        let answer = context
            .call(("net_kernel", &beam), term!({is_auth, me}), PATIENCE)
            .await;
        assert_eq!(answer, Ok(term!(yes)));
        lanes.beam.signal(nix::sys::signal::Signal::SIGKILL);
        let down = receive(&mut context).await;
        assert!(matches!(down, Message::Down { reason, .. } if reason.is_atom("noconnection")));
        assert_eq!(receive(&mut context).await, Message::NodeDown { node: beam.clone() });
    });
    lanes.stop(&one);
    beside.await_value("lists:member('one@127.0.0.1', nodes(hidden))", "false", PATIENCE);
    lanes.stop(&two);
}

#[test]
fn a_receiver_that_does_not_read_slows_its_sender_down() {
    let mut lanes = Site::of(Carrier::Bridge);
    let node = lanes.native("native");
    lanes.connect(&node);
    let (sender, told) = mpsc::channel::<()>(1);
    let told = std::sync::Mutex::new(Some(told));
    let sleeper = node.spawn(move |mut context| {
        let told = told.lock().unwrap().take();
        async move {
            told.unwrap().recv().await;
            let (mut count, mut bytes) = (0u64, 0);
            loop {
                match context.receive().await {
                    Message::Term(Term::Binary(binary)) => (count, bytes) = (count + 1, bytes + binary.len()),
                    Message::Term(Term::Pid(to)) => {
                        context.send(to, term!({seen, (count), (bytes)})).await.unwrap();
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    node.register("sleeper", &sleeper).unwrap();
    // 80 MB in 100 KB messages, from a process that must come to rest long before it is done.
    lanes.beam.eval(
        "register(flood, spawn(fun() -> B = binary:copy(<<7>>, 100000), \
         [{sleeper, 'native@127.0.0.1'} ! B || _ <- lists:seq(1, 800)], {sleeper, 'native@127.0.0.1'} ! self(), \
         receive {seen, _, _} = Seen -> receive {get, P} -> P ! Seen end end end)), ok",
    );
    lanes
        .beam
        .await_value("process_info(whereis(flood), status)", "{status,suspended}", PATIENCE);
    // Other nodes are served meanwhile.
    let other = lanes.native("other");
    lanes.connect(&other);
    lanes.runtime.block_on(sender.send(())).unwrap();
    let all = "begin flood ! {get, self()}, receive {seen, _, _} = Seen -> Seen after 25000 -> none end end";
    assert_eq!(lanes.beam.eval(all), "{seen,800,80000000}");
    lanes.stop(&node);
    lanes.stop(&other);
}

/// What a node with the carrier inside keeps for a connection that is idle: its three processes, the circuit, and what the VM itself has.
#[test]
fn idle_connections_of_a_vm_take_little() {
    const CONNECTIONS: usize = 400;
    const EACH: u64 = 30 << 10;
    let mut lanes = Site::of(Carrier::Vm);
    let mut connect_more = |names: std::ops::Range<usize>| {
        let all = names.end.to_string();
        let nodes: Vec<Node> = names.map(|n| lanes.native(&format!("idle{n}"))).collect();
        let beam = &mut lanes.beam;
        beam.await_value("length(nodes(hidden))", &all, PATIENCE);
        beam.eval("[garbage_collect(P) || P <- processes()], ok");
        // Allocators give memory back when they have been left alone for a while.
        std::thread::sleep(Duration::from_secs(2));
        (beam.resident(), nodes)
    };
    let (before, _first) = connect_more(0..100);
    let (_, _others) = connect_more(100..100 + CONNECTIONS);
    let mut looks = (0..20).map(|_| {
        std::thread::sleep(Duration::from_secs(1));
        lanes.beam.resident().saturating_sub(before) / CONNECTIONS as u64
    });
    let each = looks.find(|each| *each <= EACH);
    let each = each.unwrap_or_else(|| panic!("more than {EACH} bytes for a connection"));
    println!("{each} bytes for a connection");
    lanes.cluster.assert_healthy();
}

#[test]
fn a_program_has_lanes_and_nodes_with_a_few_lines() {
    let sites = [harness::Site::loopback("left"), harness::Site::loopback("here")];
    let mut cluster = Cluster::with_absent(Carrier::Bridge, sites.to_vec(), 1);
    let mut beam = cluster.node(&NodeSpec::new("beam", 0));
    let far = Atom::new(beam.full_name()).expect("a node name");
    let certs = cluster.certificates().issue("here");
    let left = sites[0].quic.to_string();
    // Nobody needs to dial this one.
    let lanes = || Lanes::builder("here", &certs).listen((Ipv4Addr::LOCALHOST, 0).into());
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let running = lanes().peer_for("left", &left, &["*@127.0.0.1"]).start().await.unwrap();
        let native = |name: &str| Node::builder(name).cookie(COOKIE).attach(&running).start();
        let [one, two] = [
            native("one@127.0.0.1").await.unwrap(),
            native("two@127.0.0.1").await.unwrap(),
        ];
        for node in [&one, &two] {
            connect(node, &far).await.unwrap();
            let asked = node.run(async |mut context| {
                context
                    .rpc(&far, "erlang", "nodes", vec![term!(hidden)], PATIENCE)
                    .await
            });
            let answer = asked.await.unwrap().unwrap();
            assert!(
                answer
                    .as_list()
                    .is_some_and(|nodes| nodes.contains(&Term::from(node.name().clone())))
            );
        }
        connect(&one, two.name()).await.unwrap();
        one.stop().await;
        two.stop().await;
        running.stop().await;
    });
    beam.await_value("nodes(hidden)", "[]", PATIENCE);
    // The same from a file; and a peer that may not speak for the node that it has.
    let file = cluster.folder().join("here.toml");
    fs::write(&file, sites[1].config(&certs, &sites)).expect("a writable folder");
    runtime.block_on(async {
        let running = Daemon::start_file(&file).await.unwrap();
        let node = Node::builder("one@127.0.0.1").cookie(COOKIE).attach(&running);
        let node = node.start().await.unwrap();
        connect(&node, &far).await.unwrap();
        node.stop().await;
        running.stop().await;
        let strict = lanes().peer_for("left", &left, &["*@elsewhere"]).start().await.unwrap();
        let node = Node::builder("one@127.0.0.1").cookie(COOKIE).attach(&strict);
        let node = node.start().await.unwrap();
        assert!(connect(&node, &far).await.is_err());
        node.stop().await;
        strict.stop().await;
        // A rule is told to whoever asks, at both ends.
        let rule = PolicyRule::new("beam@*", "one@*").deny();
        let parted = lanes().peer_for("left", &left, &["*@127.0.0.1"]).policy(rule);
        let parted = parted.start().await.unwrap();
        let node = Node::builder("one@127.0.0.1").cookie(COOKIE).attach(&parted);
        let node = node.start().await.unwrap();
        let refused = connect(&node, &far).await.unwrap_err().to_string();
        assert!(refused.contains(RULE), "{refused}");
        node.stop().await;
        parted.stop().await;
        // Every mistake is told at once.
        let wrong = Lanes::builder("here", &certs)
            .peer("not a name", "nowhere")
            .start()
            .await;
        let told = wrong.unwrap_err().to_string();
        assert!(told.contains("not a name") && told.contains("nowhere"), "{told}");
        let stranger = Lanes::builder("there", &certs).start().await.unwrap_err().to_string();
        assert!(stranger.contains("there"), "{stranger}");
    });
    cluster.gateway(0).process().await_log(RULE, PATIENCE);
    cluster.assert_healthy();
}

const RULE: &str =
    "one@127.0.0.1 may not be connected to beam@127.0.0.1: rule 1 of the [[policy]] of daemon here denies it";

/// The gateway dials them as well, so that a connection may have been given up while it began.
#[test]
fn lanes_that_have_stopped_leave_their_port() {
    let sites = [harness::Site::loopback("left"), harness::Site::loopback("here")];
    let cluster = Cluster::with_absent(Carrier::Bridge, sites.to_vec(), 1);
    let certs = cluster.certificates().issue("here");
    let runtime = Runtime::new().expect("a runtime");
    for wait in [0, 300, 600, 0, 300] {
        runtime.block_on(async {
            let lanes = Lanes::builder("here", &certs).listen(sites[1].quic);
            let lanes = lanes.peer("left", &sites[0].quic.to_string());
            let running = lanes.start().await.expect("the port is free");
            // Whatever the two are at by then.
            tokio::time::sleep(Duration::from_millis(wait)).await;
            running.stop().await;
        });
    }
}
