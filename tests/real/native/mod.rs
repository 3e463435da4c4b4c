//! Native nodes and real ones, over plain distribution and over lanes: each does what the other expects of a node.

mod basics;
mod bounds;
mod calls;
mod daemon;
mod groups;
mod lanes;
mod pairs;
mod served;
mod ties;

use std::net::Ipv4Addr;
use std::time::Duration;

use beamway::etf::Atom;
use beamway::etf::Term;
use beamway::node::ConnectionError;
use beamway::node::Context;
use beamway::node::Message;
use beamway::node::Node;
use beamway::node::NodeBuilder;
use tokio::runtime::Runtime;

use self::daemon::Daemon;
use crate::harness;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::NodeSpec;

/// What is awaited comes within this, on a machine that is busy with other tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A real node, and the runtime of the native ones: beside it, or on the other side of lanes.
pub(super) struct Site {
    pub(super) runtime: Runtime,
    daemon: Option<Daemon>,
    pub(super) cluster: Cluster,
    pub(super) beam: harness::Node,
}

impl Site {
    /// Over plain distribution.
    pub(super) fn new() -> Self {
        Self::of(Carrier::Plain)
    }

    pub(super) fn of(carrier: Carrier) -> Self {
        let sites = [
            harness::Site::loopback("left"),
            harness::Site::loopback("here").setting("circuit_budget = \"16MiB\""),
        ];
        let (cluster, daemon) = match carrier {
            Carrier::Bridge | Carrier::Vm => {
                let cluster = Cluster::with_absent(carrier, sites.to_vec(), 1);
                let mut peers = sites.clone();
                if carrier == Carrier::Vm {
                    // The lanes of the node have a name of their own.
                    peers[0].name = "left-beam".to_owned();
                }
                let daemon = Daemon::start(&sites[1], &peers, cluster.certificates());
                (cluster, Some(daemon))
            }
            Carrier::Plain | Carrier::Mixed => (Cluster::new(carrier, 1), None),
        };
        let beam = cluster.node(&NodeSpec::new("beam", 0));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            runtime,
            daemon,
            cluster,
            beam,
        }
    }

    pub(super) fn builder(&self, name: &str) -> NodeBuilder {
        let builder = Node::builder(&format!("{name}@127.0.0.1")).cookie(COOKIE);
        match &self.daemon {
            Some(daemon) => builder.attach(daemon.running()),
            None => builder.epmd((Ipv4Addr::LOCALHOST, self.cluster.epmd_port(0)).into()),
        }
    }

    /// A native node.
    pub(super) fn native(&self, name: &str) -> Node {
        let builder = self.builder(name);
        self.start(builder)
    }

    /// Starts it; over lanes, waits until it and the real node can reach each other.
    pub(super) fn start(&self, builder: NodeBuilder) -> Node {
        let beam = self.beam_name();
        self.runtime.block_on(async {
            let node = builder.start().await.expect("a native node");
            if self.daemon.is_some() {
                connect(&node, &beam).await.expect("daemons that have met");
            }
            node
        })
    }

    /// The real node connects to a native one; gives its name.
    pub(super) fn connect(&mut self, node: &Node) -> Atom {
        let ping = format!("net_adm:ping('{}')", node.name().as_str());
        self.beam.await_value(&ping, "pong", PATIENCE);
        self.beam_name()
    }

    /// Runs a process of a native node to its end.
    pub(super) fn run<F: Future>(&self, node: &Node, body: impl FnOnce(Context) -> F) -> F::Output {
        self.runtime
            .block_on(node.run(body))
            .expect("a process that is not ended by others")
    }

    /// Stops a native node, which must take no long.
    pub(super) fn stop(&self, node: &Node) {
        let stopped = async { tokio::time::timeout(PATIENCE, node.stop()).await };
        self.runtime.block_on(stopped).expect("a node that stops");
    }

    pub(super) fn beam_name(&self) -> Atom {
        Atom::new(self.beam.full_name()).expect("a node name")
    }
}

/// The next message, which must come.
pub(super) async fn receive(context: &mut Context) -> Message {
    context.receive_within(PATIENCE).await.expect("a message")
}

/// The next message, which must be a term.
pub(super) async fn receive_term(context: &mut Context) -> Term {
    match receive(context).await {
        Message::Term(term) => term,
        other => panic!("{other:?} where a term was due"),
    }
}

/// Connects as soon as the two daemons have met.
pub(super) async fn connect(node: &Node, to: &Atom) -> Result<(), ConnectionError> {
    let until = tokio::time::Instant::now() + Duration::from_secs(5);
    loop {
        match node.connect(to).await {
            Err(_) if tokio::time::Instant::now() < until => tokio::time::sleep(Duration::from_millis(50)).await,
            outcome => return outcome,
        }
    }
}

/// Waits for something that no message tells.
pub(super) async fn until(mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain");
}
