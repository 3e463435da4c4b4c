use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::epmd::Registration;
use crate::epmd::io::port_mapper;
use crate::epmd::io::question::Question;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::Term;
use crate::node::CallError;
use crate::node::Context;
use crate::node::Message;
use crate::node::Node;
use crate::node::NodeConfig;
use crate::node::ReplyTo;
use crate::node::SendError;

/// A port mapper, and the registrations as they come.
fn port_mapper() -> (SocketAddr, mpsc::UnboundedReceiver<Registration>) {
    let listener = port_mapper::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (asking, mut questions) = mpsc::channel(8);
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(port_mapper::serve(listener, asking));
    tokio::spawn(async move {
        let mut nodes = BTreeMap::new();
        while let Some(question) = questions.recv().await {
            match question {
                Question::Register {
                    registration, answer, ..
                } => {
                    nodes.insert(registration.name.clone(), registration.clone());
                    let _ = tell.send(registration);
                    let _ = answer.send(Some(7));
                }
                Question::LookUp { name, answer, .. } => {
                    let _ = answer.send(nodes.get(&name).cloned());
                }
                Question::Names { .. } => {}
            }
        }
    });
    (address, told)
}

#[tokio::test]
async fn silent_connections_keep_no_node_out() {
    let (epmd, mut registered) = port_mapper();
    let start = |name: &str| Node::builder(name).cookie("secret").epmd(epmd).start();
    let a = start("a@127.0.0.1").await.unwrap();
    let port = registered.recv().await.unwrap().port;
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    let b = start("b@127.0.0.1").await.unwrap();
    let target = Atom::new("a@127.0.0.1").unwrap();
    let connected = timeout(Duration::from_secs(4), b.connect(&target)).await;
    connected.expect("a connection beside silent ones").unwrap();
    b.stop().await;
    a.stop().await;
}

/// A node with mailboxes of usual size, and a port mapper for it.
async fn node() -> Node {
    let (epmd, _registered) = port_mapper();
    Node::builder("a@127.0.0.1")
        .cookie("secret")
        .epmd(epmd)
        .start()
        .await
        .unwrap()
}

/// What each of these processes says at its end.
async fn finish<T>(running: Vec<oneshot::Receiver<T>>) -> Vec<T> {
    let mut all = Vec::new();
    for one in running {
        let told = timeout(Duration::from_secs(20), one).await;
        all.push(
            told.expect("processes wait for each other")
                .expect("a process that ends by itself"),
        );
    }
    all
}

/// Each sends more than a mailbox holds, to the next one and to itself, before it receives anything. In Erlang that works.
#[tokio::test]
async fn processes_that_send_to_each_other_do_not_wait_for_ever() {
    const SENT: usize = 20_000;
    for circle in [1, 2, 5] {
        let node = node().await;
        let (pids_in, pids) = watch::channel(Vec::<NodePid>::new());
        let mut running = Vec::new();
        let mut all = Vec::new();
        for place in 0..circle {
            let (done, result) = oneshot::channel();
            let mut pids = pids.clone();
            all.push(node.spawn(async move |mut context: Context| {
                let all: Vec<NodePid> = pids.wait_for(|all| !all.is_empty()).await.unwrap().clone();
                let next = &all[(place + 1) % circle];
                for number in 0..SENT {
                    context.send(next, number as i64).await.unwrap();
                    tokio::task::yield_now().await;
                }
                for number in 0..SENT {
                    assert_eq!(context.receive().await, Message::Term(Term::from(number as i64)));
                }
                done.send(()).unwrap();
            }));
            running.push(result);
        }
        pids_in.send_replace(all);
        finish(running).await;
        node.stop().await;
    }
}

/// Not without end: what a process may send so is bounded, and it is told.
#[tokio::test]
async fn a_circle_has_a_bound() {
    let node = node().await;
    let (done, result) = oneshot::channel();
    node.spawn(async move |mut context: Context| {
        let own = context.pid().clone();
        let mut sent = 0;
        let error = loop {
            match context.send(&own, sent).await {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        for number in 0..sent {
            assert_eq!(context.receive().await, Message::Term(Term::from(number)));
        }
        let again = context.send(&own, 0).await;
        done.send((sent, error, again)).unwrap();
    });
    let results = finish(vec![result]).await;
    let bound = NodeConfig::default().mailbox.messages as i64;
    assert_eq!(results, [(8 * bound, SendError::Deadlock, Ok(()))]);
    node.stop().await;
}

/// A chain is no circle: whoever sends to one that waits is slowed down as before.
#[tokio::test]
async fn a_chain_of_processes_slows_its_first_one() {
    let node = node().await;
    let (go, mut told) = watch::channel(false);
    let last = node.spawn(async move |mut context: Context| {
        told.wait_for(|told| *told).await.unwrap();
        loop {
            context.receive().await;
        }
    });
    let middle = node.spawn(async move |mut context: Context| {
        loop {
            if let Message::Term(term) = context.receive().await {
                context.send(&last, term).await.unwrap();
            }
        }
    });
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let (done, result) = oneshot::channel();
    node.spawn(async move |mut context: Context| {
        for number in 0..60_000 {
            context.send(&middle, number).await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
        done.send(()).unwrap();
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let bound = NodeConfig::default().mailbox.messages;
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent <= 2 * bound + 2, "{sent} sent, two mailboxes hold {bound} each");
    go.send_replace(true);
    finish(vec![result]).await;
    node.stop().await;
}

/// The caller's mailbox is full, and the server sends it more before it replies.
#[tokio::test]
async fn a_reply_comes_behind_more_than_a_mailbox_holds() {
    const SENT: i64 = 40_000;
    let node = node().await;
    let server = node.spawn(async move |mut context: Context| {
        let Message::Term(call) = context.receive().await else {
            panic!("no call");
        };
        let (to, _) = ReplyTo::of_call(&call).unwrap();
        for number in 0..SENT {
            context.send(to.pid(), number).await.unwrap();
        }
        context.reply(to, Term::atom("done")).await.unwrap();
    });
    let (done, result) = oneshot::channel();
    node.spawn(async move |mut context: Context| {
        let own = context.pid().clone();
        context.send(&own, Term::atom("before")).await.unwrap();
        let reply = context.call(&server, Term::atom("ask"), Duration::from_secs(10)).await;
        let mut waiting = 0;
        while context.receive_within(Duration::ZERO).await.is_some() {
            waiting += 1;
        }
        done.send((reply, waiting)).unwrap();
    });
    assert_eq!(finish(vec![result]).await, [(Ok(Term::atom("done")), SENT + 1)]);
    node.stop().await;
}

/// The limit of a call holds for everything that it waits for.
#[tokio::test]
async fn a_call_to_a_full_mailbox_has_its_limit() {
    let node = node().await;
    let server = node.spawn(async move |context: Context| {
        std::future::pending::<()>().await;
        drop(context);
    });
    let (done, result) = oneshot::channel();
    node.spawn(async move |mut context: Context| {
        for number in 0..NodeConfig::default().mailbox.messages as i64 {
            context.send(&server, number).await.unwrap();
        }
        let limit = Duration::from_millis(200);
        let called = timeout(4 * limit, context.call(&server, Term::NIL, limit)).await;
        done.send(called.expect("the call ends in time")).unwrap();
    });
    assert_eq!(finish(vec![result]).await, [Err(CallError::Timeout)]);
    node.stop().await;
}

/// The same between nodes: more than mailboxes, connections and sockets take together, unless a process that waits is spared.
#[tokio::test]
async fn processes_of_two_nodes_do_not_wait_for_ever() {
    const SENT: i64 = 900;
    let (epmd, _registered) = port_mapper();
    let start = |name: &str| Node::builder(name).cookie("secret").epmd(epmd).start();
    let nodes = [start("a@127.0.0.1").await.unwrap(), start("b@127.0.0.1").await.unwrap()];
    nodes[0].connect(&Atom::new("b@127.0.0.1").unwrap()).await.unwrap();
    let (pids_in, pids) = watch::channel(Vec::<NodePid>::new());
    let (mut running, mut all) = (Vec::new(), Vec::new());
    for (place, node) in nodes.iter().enumerate() {
        let (done, result) = oneshot::channel();
        let mut pids = pids.clone();
        all.push(node.spawn(async move |mut context: Context| {
            let other: NodePid = pids.wait_for(|all| !all.is_empty()).await.unwrap()[1 - place].clone();
            for _ in 0..SENT {
                context.send(&other, bytes::Bytes::from(vec![7; 50_000])).await.unwrap();
            }
            for _ in 0..SENT {
                context.receive().await;
            }
            done.send(()).unwrap();
        }));
        running.push(result);
    }
    pids_in.send_replace(all);
    finish(running).await;
    for node in nodes {
        node.stop().await;
    }
}
