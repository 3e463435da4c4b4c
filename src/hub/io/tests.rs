use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::directory::Caller;
use super::directory::Found;
use super::directory::Initiator;
use super::directory::LocalNode;
use super::directory::Place;
use super::directory::RemoteNode;
use super::directory::Request;
use super::task::HubTask;
use crate::dist::Flags;
use crate::dist::handshake::SendName;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::PeerEvent;
use crate::endpoint::io::session::SessionHandle;
use crate::epmd::Registration;
use crate::hub::Scope;
use crate::router::NodePattern;
use crate::router::Policy;
use crate::session::SessionConfig;
use crate::wire::CircuitId;
use crate::wire::Open;

const PATIENCE: Duration = Duration::from_secs(5);

/// A running hub task.
struct Running {
    requests: mpsc::Sender<Request>,
    events: mpsc::Sender<PeerEvent>,
    leave: CancellationToken,
    task: JoinHandle<()>,
}

/// The session's side of the channels.
struct Peer {
    session: SessionHandle,
    commands: mpsc::Receiver<Command>,
}

impl Running {
    fn start(announces: bool) -> Self {
        Self::dialling(announces, Vec::new())
    }

    fn dialling(announces: bool, dialled: Vec<String>) -> Self {
        let strict = Policy::of(vec![NodePattern::parse("*@only").unwrap()]);
        let peers = [("strict", Some(strict)), ("x", None), ("y", None)];
        let hub = HubTask::new(peers.into_iter().collect(), Policy::of_hosts([]), announces, dialled);
        let (requests, requests_of_hub) = mpsc::channel(8);
        let (events, events_of_hub) = mpsc::channel(8);
        let leave = CancellationToken::new();
        let task = tokio::spawn(hub.run(requests_of_hub, events_of_hub, leave.clone()));
        Self {
            requests,
            events,
            leave,
            task,
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> T {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.unwrap();
        answered.await.unwrap()
    }

    async fn attach(&self, name: &str, room: usize) -> (Option<u32>, mpsc::Receiver<Caller>) {
        let (callers, called) = mpsc::channel(room);
        let node = LocalNode {
            registration: Registration::normal(name, 7),
            hosts: vec!["h".to_owned()],
            private: vec!["127.0.0.1".to_owned()],
            callers,
        };
        (self.ask(|answer| Request::Attach { node, answer }).await, called)
    }

    async fn detach(&self, name: &str, creation: u32) {
        let name = name.to_owned();
        self.requests.send(Request::Detach { name, creation }).await.unwrap();
    }

    async fn names(&self) -> Vec<String> {
        let scope = Scope::Here;
        let nodes = self.ask(|answer| Request::Names { scope, answer }).await.into_iter();
        let name = |found| match found {
            Found::Local(node) => node.name,
            other => panic!("{other:?}"),
        };
        nodes.map(name).collect()
    }

    async fn find(&self, target: &str) -> Place {
        let target = target.to_owned();
        self.ask(|answer| Request::Find { target, answer }).await
    }

    async fn look_up(&self, name: &str) -> Found {
        let (name, arrived_on) = (name.to_owned(), "127.0.0.1".parse().unwrap());
        self.ask(|answer| Request::LookUp {
            name,
            arrived_on,
            may_wait: true,
            answer,
        })
        .await
    }

    async fn remote(&self, name: &str) -> RemoteNode {
        match self.look_up(name).await {
            Found::Remote(node) => node,
            other => panic!("{other:?}"),
        }
    }

    /// Sends an event, and waits until the hub has handled it.
    async fn tell(&self, event: PeerEvent) {
        self.events.send(event).await.unwrap();
        while self.events.capacity() < self.events.max_capacity() {
            tokio::task::yield_now().await;
        }
        self.names().await;
    }

    async fn up(&self, name: &str) -> Peer {
        let (session, commands) = SessionHandle::new(name.into());
        let up = PeerEvent::Up {
            session: session.clone(),
            hosts: ["svc".to_owned(), name.to_owned()].into(),
        };
        self.tell(up).await;
        Peer { session, commands }
    }

    async fn announce(&self, peer: &Peer, name: &str) {
        self.tell(PeerEvent::NodeUp {
            peer: peer.name(),
            name: name.to_owned(),
            hosts: vec!["svc".to_owned()],
            hidden: false,
        })
        .await;
    }

    async fn withdraw(&self, peer: &Peer, name: &str) {
        let (peer, name) = (peer.name(), name.to_owned());
        self.tell(PeerEvent::NodeDown { peer, name }).await;
    }

    async fn down(&self, peer: Peer) {
        let (peer, reason) = (peer.name(), "a test".to_owned());
        self.tell(PeerEvent::Down { peer, reason }).await;
    }

    async fn open(&self, peer: &Peer, circuit: u64, target: &str, initiator: &str) {
        let send_name = SendName {
            flags: Flags::from_bits(u64::MAX).without(Flags::NAME_ME),
            creation: 1,
            name: initiator.to_owned(),
        };
        let open = Open {
            circuit: CircuitId(circuit),
            target: target.to_owned(),
            send_name: send_name.encode(),
            credit: 1,
        };
        let session = peer.session.clone();
        self.tell(PeerEvent::Opened { session, open }).await;
    }

    async fn stop(self) {
        self.leave.cancel();
        self.task.await.unwrap();
    }
}

impl Peer {
    fn name(&self) -> Arc<str> {
        Arc::clone(&self.session.peer)
    }

    /// The next report about a local node to this peer: up or down, and the name.
    async fn told(&mut self) -> (bool, String) {
        match timeout(PATIENCE, self.commands.recv()).await {
            Ok(Some(Command::NodeUp { name, hosts, .. })) => {
                assert_eq!(hosts, ["h"]);
                (true, name)
            }
            Ok(Some(Command::NodeDown { name })) => (false, name),
            other => panic!("{other:?}"),
        }
    }

    /// For which nodes it may speak from now on.
    async fn allowed(&mut self) -> Policy {
        match timeout(PATIENCE, self.commands.recv()).await {
            Ok(Some(Command::Allow(policy))) => policy,
            other => panic!("{other:?}"),
        }
    }

    fn is_told_nothing(&mut self) -> bool {
        self.commands.try_recv().is_err()
    }

    /// The reason for which a circuit that it opened was refused.
    async fn refusal(&mut self, wanted: u64) -> String {
        match timeout(PATIENCE, self.commands.recv()).await {
            Ok(Some(Command::Close { circuit, reason })) => {
                assert_eq!(circuit, CircuitId(wanted));
                reason
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn peers_are_told_of_local_nodes() {
    let hub = Running::start(true);
    let (_, _called_a) = hub.attach("a", 1).await;
    let mut x = hub.up("x").await;
    assert_eq!(x.told().await, (true, "a".to_owned()));
    let (creation, _called_b) = hub.attach("b", 1).await;
    assert_eq!(x.told().await, (true, "b".to_owned()));
    hub.detach("b", creation.unwrap()).await;
    assert_eq!(x.told().await, (false, "b".to_owned()));
    assert_eq!(hub.names().await, ["a"]);
    assert!(x.is_told_nothing());
    hub.stop().await;
}

#[tokio::test]
async fn a_daemon_that_passes_by_does_not_announce_its_nodes() {
    let hub = Running::start(false);
    let (_, _called_a) = hub.attach("a", 1).await;
    let mut x = hub.up("x").await;
    let (_, _called_b) = hub.attach("b", 1).await;
    assert_eq!(hub.names().await, ["a", "b"]);
    assert!(x.is_told_nothing());
    hub.stop().await;
}

#[tokio::test]
async fn circuits_go_to_the_node_that_they_mean() {
    let hub = Running::start(true);
    let (_, mut called_a) = hub.attach("a", 1).await;
    let (_, mut called_b) = hub.attach("b", 1).await;
    let mut strict = hub.up("strict").await;
    for _ in 0..2 {
        strict.told().await;
    }
    hub.open(&strict, 1, "b@h", "c@only").await;
    let caller = called_b.recv().await.unwrap();
    assert_eq!(caller.open.circuit, CircuitId(1));
    assert!(!caller.policy.allows("c@other"));
    hub.open(&strict, 2, "b@h", "c@other").await;
    assert!(strict.refusal(2).await.contains("may not speak for node c@other"));
    hub.open(&strict, 3, "c@h", "c@only").await;
    assert_eq!(strict.refusal(3).await, "no node c@h is registered here");
    // One circuit is accepted late. The next one does not have to wait.
    hub.open(&strict, 4, "a@h", "c@only").await;
    hub.open(&strict, 5, "a@h", "c@only").await;
    assert_eq!(strict.refusal(5).await, "node a@h accepts no connections now");
    assert_eq!(called_a.recv().await.unwrap().open.circuit, CircuitId(4));
    drop(called_b);
    hub.open(&strict, 6, "b@h", "c@only").await;
    assert_eq!(strict.refusal(6).await, "node b@h accepts no connections now");
    let session = strict.session.clone();
    let open = Open {
        circuit: CircuitId(7),
        target: "a@h".to_owned(),
        send_name: b"N".as_slice().into(),
        credit: 1,
    };
    hub.tell(PeerEvent::Opened { session, open }).await;
    assert!(strict.refusal(7).await.starts_with("handshake: "));
    hub.stop().await;
}

#[tokio::test]
async fn who_looked_up_a_remote_node_is_told_that_it_is_gone() {
    let hub = Running::start(true);
    let x = hub.up("x").await;
    hub.announce(&x, "b").await;
    hub.announce(&x, "c").await;
    let (b, c) = (hub.remote("b").await, hub.remote("c@svc").await);
    assert_eq!((b.name.as_str(), b.host.as_str()), ("b", "svc"));
    hub.withdraw(&x, "b").await;
    assert!(b.gone.is_cancelled() && !c.gone.is_cancelled());
    assert!(matches!(hub.look_up("b").await, Found::Unknown));
    hub.announce(&x, "b").await;
    let again = hub.remote("b").await;
    assert!(!again.gone.is_cancelled(), "it is another one");
    hub.down(x).await;
    assert!(again.gone.is_cancelled() && c.gone.is_cancelled());
    assert!(matches!(hub.look_up("c@svc").await, Found::Unknown));
    hub.stop().await;
}

#[tokio::test]
async fn a_node_that_moved_is_reached_through_its_new_daemon() {
    let hub = Running::start(true);
    let (x, y) = (hub.up("x").await, hub.up("y").await);
    hub.announce(&x, "b").await;
    hub.announce(&y, "b").await;
    let is_at = async |wanted: &str| match hub.find("b@svc").await {
        Place::Peer { session, .. } => &*session.peer == wanted,
        _ => false,
    };
    assert!(is_at("x").await);
    let before = hub.remote("b").await;
    hub.down(x).await;
    assert!(is_at("y").await);
    assert!(before.gone.is_cancelled());
    let now = hub.remote("b").await;
    assert_eq!(&*now.session.peer, "y");
    assert!(!now.gone.is_cancelled());
    hub.stop().await;
}

#[tokio::test]
async fn a_name_is_free_again_when_its_node_has_ended_without_a_word() {
    let hub = Running::start(true);
    let (first, called) = hub.attach("a", 1).await;
    let (refused, _) = hub.attach("a", 1).await;
    assert_eq!(refused, None, "the name is taken");
    let mut x = hub.up("x").await;
    assert_eq!(x.told().await, (true, "a".to_owned()));
    drop(called);
    let (second, _called) = hub.attach("a", 1).await;
    assert_eq!(second, first.map(|first| first + 1));
    assert_eq!(x.told().await, (false, "a".to_owned()));
    assert_eq!(x.told().await, (true, "a".to_owned()));
    hub.detach("a", first.unwrap()).await;
    assert_eq!(hub.names().await, ["a"], "its successor is not detached by a late word");
    assert!(matches!(hub.find("a@h").await, Place::Here { port: 7 }));
    hub.stop().await;
}

#[tokio::test]
async fn a_node_that_nobody_has_is_answered_with_those_that_there_are() {
    let hub = Running::start(true);
    let (_, _called) = hub.attach("a", 1).await;
    let x = hub.up("x").await;
    hub.announce(&x, "b").await;
    let Place::Unknown { known, peers } = hub.find("c@h").await else {
        panic!("nobody has it");
    };
    assert_eq!(known, [vec!["a@h", "a@127.0.0.1"], vec!["b@svc"]]);
    assert_eq!(peers, ["x"].map(Arc::<str>::from));
    assert!(matches!(hub.look_up("a").await, Found::Local(node) if node.port == 7));
    hub.stop().await;
}

#[tokio::test]
async fn a_session_that_takes_nothing_holds_up_nobody() {
    /// More changes than the queue of a session holds.
    const CHANGES: usize = 700;
    let hub = Running::start(true);
    let mut peer = hub.up("stuck").await;
    let comings_and_goings = async {
        let (_, _held) = hub.attach("kept", 1).await;
        for number in 0..CHANGES {
            let name = format!("n{number}");
            let (creation, _called) = hub.attach(&name, 1).await;
            hub.detach(&name, creation.unwrap()).await;
            hub.open(&peer, number as u64, "nobody@h", "x@y").await;
        }
        hub.look_up("kept").await
    };
    let found = timeout(PATIENCE, comings_and_goings)
        .await
        .expect("an answer beside a session that takes nothing");
    assert!(matches!(found, Found::Local(_)), "{found:?}");
    // It is told in the end.
    let mut told = Vec::new();
    while let Ok(Some(command)) = timeout(PATIENCE, peer.commands.recv()).await {
        match command {
            Command::NodeUp { name, .. } if name == "kept" => told.push(name),
            Command::NodeUp { .. } | Command::NodeDown { .. } => {}
            Command::Close { circuit, .. } if circuit == CircuitId(CHANGES as u64 - 1) => break,
            Command::Close { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, ["kept"]);
    hub.stop().await;
}

#[tokio::test]
async fn who_claims_to_be_a_local_node_is_compared_with_those_that_there_are() {
    let hub = Running::start(true);
    let (_, _called) = hub.attach("a", 1).await;
    let x = hub.up("x").await;
    hub.announce(&x, "b").await;
    let claim = async |node: &str| {
        let node = node.to_owned();
        hub.ask(|answer| Request::FindInitiator { node, answer }).await
    };
    assert_eq!(claim("a@h").await, Initiator::Registered);
    assert_eq!(claim("a@127.0.0.1").await, Initiator::Registered);
    assert_eq!(claim("b@svc").await, Initiator::Elsewhere("x".into()));
    assert_eq!(claim("c@h").await, Initiator::Unregistered);
    hub.stop().await;
}

#[tokio::test]
async fn peers_are_told_of_more_hosts_of_a_node() {
    let hub = Running::start(true);
    let (_, _called) = hub.attach("a", 1).await;
    let mut x = hub.up("x").await;
    assert_eq!(x.told().await, (true, "a".to_owned()));
    let set = |name: &str| Request::SetHosts {
        name: name.to_owned(),
        hosts: vec!["h".to_owned(), "10.0.0.2".to_owned()],
        private: vec!["127.0.0.1".to_owned()],
    };
    hub.requests.send(set("nobody")).await.unwrap();
    hub.requests.send(set("a")).await.unwrap();
    let Ok(Some(Command::NodeUp { name, hosts, .. })) = timeout(PATIENCE, x.commands.recv()).await else {
        panic!("the node is announced again");
    };
    assert_eq!(
        (name, hosts),
        ("a".to_owned(), ["h", "10.0.0.2"].map(str::to_owned).to_vec())
    );
    hub.stop().await;
}

#[tokio::test]
async fn another_certificate_of_a_peer_counts_at_once() {
    let hub = Running::start(true);
    let (_, mut called) = hub.attach("a", 2).await;
    let mut x = hub.up("x").await;
    x.told().await;
    hub.announce(&x, "b").await;
    assert!(matches!(hub.find("b@svc").await, Place::Peer { .. }));
    let certified = PeerEvent::Certified {
        peer: x.name(),
        hosts: ["x".to_owned()].into(),
    };
    hub.tell(certified).await;
    assert!(matches!(hub.find("b@svc").await, Place::Unknown { .. }));
    let policy = x.allowed().await;
    assert!(
        policy.allows("b@x") && !policy.allows("b@svc"),
        "circuits of others are closed"
    );
    hub.open(&x, 1, "a@h", "c@svc").await;
    assert!(x.refusal(1).await.contains("may not speak for node c@svc"));
    hub.open(&x, 2, "a@h", "c@x").await;
    assert_eq!(called.recv().await.unwrap().open.circuit, CircuitId(2));
    hub.stop().await;
}

/// Sessions are told, and nodes that were found and that the peer may not speak for any more count as gone; others do not.
#[tokio::test]
async fn a_changed_configuration_counts_at_once() {
    let hub = Running::start(true);
    let mut x = hub.up("x").await;
    hub.announce(&x, "b").await;
    hub.announce(&x, "c").await;
    let (b, c) = (hub.remote("b@svc").await, hub.remote("c@svc").await);
    let only = Policy::of(vec![NodePattern::parse("c@*").unwrap()]);
    let bounds = SessionConfig::default().bounds();
    let change = Request::Change {
        policies: [("x", Some(only))].into_iter().collect(),
        own: None,
        bounds,
    };
    hub.requests.send(change).await.unwrap();
    let policy = x.allowed().await;
    assert!(policy.allows("c@svc") && !policy.allows("b@svc"));
    assert!(matches!(x.commands.recv().await, Some(Command::Bounds(told)) if told == bounds));
    assert!(b.gone.is_cancelled() && !c.gone.is_cancelled());
    assert!(matches!(hub.find("b@svc").await, Place::Unknown { .. }));
    assert!(matches!(hub.find("c@svc").await, Place::Peer { .. }));
    let report = hub.ask(|answer| Request::Report { answer }).await;
    let nodes: Vec<_> = report.sessions.into_iter().map(|(_, nodes)| nodes).collect();
    assert_eq!(nodes, [["c@svc"]], "what the peer holds is reported");
    hub.stop().await;
}

#[tokio::test]
async fn a_node_that_its_own_peer_announces_is_not_looked_for_elsewhere_any_more() {
    let hub = Running::start(true);
    let stranger = hub.up("stranger").await;
    hub.announce(&stranger, "b").await;
    let before = hub.remote("b@svc").await;
    assert_eq!(&*before.session.peer, "stranger");
    let x = hub.up("x").await;
    hub.announce(&x, "b").await;
    assert!(before.gone.is_cancelled());
    assert_eq!(&*hub.remote("b@svc").await.session.peer, "x");
    hub.stop().await;
}

/// In the first moments of a daemon an unknown node is one that a peer may be about to announce.
#[tokio::test(start_paused = true)]
async fn questions_wait_for_peers_that_are_dialled() {
    let hub = Running::dialling(true, vec!["x".to_owned(), "y".to_owned()]);
    let x = hub.up("x").await;
    let started = tokio::time::Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        hub.announce(&x, "a").await;
    };
    let (found, place, ()) = tokio::join!(hub.look_up("a@svc"), hub.find("a@svc"), later);
    assert!(matches!(found, Found::Remote(node) if node.name == "a"));
    assert!(matches!(place, Place::Peer { .. }));
    assert_eq!(started.elapsed(), Duration::from_millis(700));
    // Nobody waits for long, nor for peers that are down, nor once all of them are there.
    let seconds = |seconds| Duration::from_millis((seconds * 1000.0) as u64);
    assert!(matches!(hub.look_up("b@svc").await, Found::Unknown));
    assert_eq!(started.elapsed(), seconds(2.2));
    let y = hub.up("y").await;
    assert!(matches!(hub.look_up("b@svc").await, Found::Unknown));
    assert_eq!(started.elapsed(), seconds(2.7));
    assert!(matches!(hub.find("b@svc").await, Place::Unknown { .. }));
    assert_eq!(started.elapsed(), seconds(2.7));
    hub.announce(&y, "b").await;
    assert!(matches!(hub.look_up("b@svc").await, Found::Remote(_)));
    hub.stop().await;
}
