use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;

use super::machine::used_by;
use super::near::Near;
use super::protocol::Command;
use crate::etf::Atom;
use crate::lab::testbed::carriers::Carrier;
use crate::lab::testbed::children::Children;
use crate::lab::testbed::gateways::Gateways;
use crate::lab::testbed::nodes::Node;
use crate::lab::testbed::pairs::Pair;
use crate::lab::testbed::pairs::Side;
use crate::lab::testbed::pairs::Starter;
use crate::lab::testbed::protocol::Verified;
use crate::lab::testbed::shared::Testbed;

/// A pair of nodes over one carrier, with what it takes to add nodes to it.
pub(super) struct TestCluster<'a> {
    pub(super) pair: Pair,
    pub(super) name: String,
    starter: Starter<'a>,
    children: &'a Children,
    /// The processes whose work is counted: both nodes and, if there are any, gateways.
    processes: Vec<u32>,
    _gateways: Option<Gateways>,
}

impl<'a> TestCluster<'a> {
    /// Starts what the carrier needs, and two nodes, and connects them.
    pub(super) async fn start(testbed: &'a Testbed<'a>, carrier: &Carrier) -> anyhow::Result<Self> {
        let gateways = match carrier {
            Carrier::Beamway(transport) => Some(Gateways::start(testbed, transport).await?),
            _ => None,
        };
        let starter = Starter::new(testbed, carrier.clone(), gateways.as_ref()).await?;
        let pair = starter.pair().await?;
        let mut labels = vec![pair.a.label().to_owned(), pair.b.label().to_owned()];
        labels.extend(gateways.iter().flat_map(|gateways| gateways.labels.clone()));
        let processes = labels
            .iter()
            .filter_map(|label| testbed.children.process(label))
            .collect();
        Ok(Self {
            pair,
            name: carrier.name(),
            starter,
            children: testbed.children,
            processes,
            _gateways: gateways,
        })
    }

    /// One more node beside the far one.
    pub(super) async fn guest(&self, short: &str) -> anyhow::Result<Guest<'a>> {
        let node = self.starter.node(short, Side::Far).await?;
        let label = node.label().to_owned();
        Ok(Guest {
            node: Some(node),
            label,
            children: self.children,
        })
    }
}

impl Near for TestCluster<'_> {
    fn far(&self) -> anyhow::Result<Atom> {
        self.pair.b.atom()
    }

    async fn measure<T: Verified + DeserializeOwned>(&mut self, command: &Command) -> anyhow::Result<T> {
        self.pair.measure(command).await
    }

    fn processor_us(&self) -> Option<f64> {
        let used = self.processes.iter().map(|process| used_by(*process));
        Some(used.sum::<Duration>().as_secs_f64() * 1e6)
    }
}

/// A node for a while.
pub(super) struct Guest<'a> {
    node: Option<Node>,
    label: String,
    children: &'a Children,
}

impl Guest<'_> {
    pub(super) fn node(&self) -> anyhow::Result<&Node> {
        self.node.as_ref().context("the node has left")
    }

    /// Stops it where it stands.
    pub(super) fn stop(&self) {
        self.children.signal(&self.label, Signal::SIGSTOP);
    }

    /// Ends it, stopped or not.
    pub(super) async fn leave(mut self) {
        self.children.signal(&self.label, Signal::SIGCONT);
        self.node = None;
        self.children.end_those(|name| name == self.label).await;
    }
}
