//! Native nodes and real ones, over plain distribution: each does what the other expects of a node.

mod basics;
mod calls;
mod lanes;
mod ties;

use std::net::Ipv4Addr;
use std::time::Duration;

use beamway::etf::Atom;
use beamway::etf::Term;
use beamway::node::Context;
use beamway::node::Message;
use beamway::node::Node;
use beamway::node::NodeBuilder;
use tokio::runtime::Runtime;

use crate::harness;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::NodeSpec;

/// What is awaited comes within this, on a machine that is busy with other tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A real node, and the runtime of the native ones beside it.
pub(super) struct Site {
    pub(super) runtime: Runtime,
    pub(super) cluster: Cluster,
    pub(super) beam: harness::Node,
}

impl Site {
    pub(super) fn new() -> Self {
        let cluster = Cluster::new(Carrier::Plain, 1);
        let beam = cluster.node(&NodeSpec::new("beam", 0));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        Self { runtime, cluster, beam }
    }

    pub(super) fn builder(&self, name: &str) -> NodeBuilder {
        let port = self.cluster.epmd_port(0);
        Node::builder(&format!("{name}@127.0.0.1"))
            .cookie(COOKIE)
            .epmd((Ipv4Addr::LOCALHOST, port).into())
    }

    /// A native node.
    pub(super) fn native(&self, name: &str) -> Node {
        let builder = self.builder(name);
        self.start(builder)
    }

    pub(super) fn start(&self, builder: NodeBuilder) -> Node {
        self.runtime.block_on(builder.start()).expect("a native node")
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
