use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::carriers::Carrier;
use super::children::until;
use super::gateways::Gateways;
use super::gateways::free_ports;
use super::hosts::Host;
use super::inside::Inside;
use super::node_settings::NodeSettings;
use super::nodes::Node;
use super::port_mapper;
use super::protocol::Command;
use super::protocol::NotWhatWasSent;
use super::protocol::Pong;
use super::protocol::Verdict;
use super::protocol::Verified;
use super::protocol::Visible;
use super::shared::Testbed;

/// The first ping may come before the gateways have found each other.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// Starts nodes over one carrier.
pub struct Starter<'a> {
    testbed: &'a Testbed<'a>,
    carrier: Carrier,
    seats: [Seat; 2],
    /// Over the carrier inside the VM.
    inside: Option<Inside>,
}

/// What nodes of one host have in common.
struct Seat {
    host: Host,
    epmd: u16,
    arguments: Vec<String>,
}

/// Which of the two hosts a node is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That of the node that measures.
    Near,
    /// That of the node that answers and verifies.
    Far,
}

impl<'a> Starter<'a> {
    /// Nodes over beamway find each other at the port mappers of the `gateways`; others at one of their own or, if they are
    /// in namespaces, at a port that each of them knows beforehand.
    ///
    /// # Errors
    ///
    /// When there is no free port, or a file cannot be written.
    pub async fn new(testbed: &'a Testbed<'a>, carrier: Carrier, gateways: Option<&Gateways>) -> anyhow::Result<Self> {
        let apart = testbed.hosts.iter().all(|host| host.namespace.is_some());
        let mut finding: Vec<String> = Vec::new();
        let epmd = match (&carrier, gateways) {
            (Carrier::Beamway(_), Some(gateways)) => {
                if apart {
                    finding.extend(["-epmd_module", "beamway_epmd"].map(str::to_owned));
                }
                gateways.epmd
            }
            (Carrier::Beamway(_), None) => anyhow::bail!("no gateways were started"),
            _ if apart => {
                let [port] = free_ports()?;
                finding.extend(["-erl_epmd_port".to_owned(), port.to_string()]);
                [port, port]
            }
            _ => {
                let port = port_mapper::start().await?;
                [port, port]
            }
        };
        let seat = |host: &Host, epmd| {
            let optfile = match carrier {
                Carrier::Tls => testbed.tls_optfile(host)?,
                _ => String::new(),
            };
            anyhow::Ok(Seat {
                host: host.clone(),
                epmd,
                arguments: [finding.clone(), carrier.arguments(&optfile)].concat(),
            })
        };
        let ([near, far], [near_epmd, far_epmd]) = (&testbed.hosts, epmd);
        let seats = [seat(near, near_epmd)?, seat(far, far_epmd)?];
        let inside = (carrier == Carrier::Inside).then(Inside::new).transpose()?;
        Ok(Self {
            testbed,
            carrier,
            seats,
            inside,
        })
    }

    /// Starts a node of that short name.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub async fn node(&self, short: &str, side: Side) -> anyhow::Result<Node> {
        let [near, far] = &self.seats;
        let seat = match side {
            Side::Near => near,
            Side::Far => far,
        };
        let host = match self.carrier {
            Carrier::Tls => &seat.host.tls_name,
            _ => &seat.host.name,
        };
        let place = if seat.host.namespace.is_some() {
            " on a line"
        } else {
            ""
        };
        let mut arguments = seat.arguments.clone();
        if let Some(inside) = &self.inside {
            let file = inside.configure(self.testbed, short, side as usize).await?;
            arguments.extend(["-beamway_config".to_owned(), file.display().to_string()]);
        }
        let settings = NodeSettings {
            name: format!("{short}@{host}"),
            label: format!("node {short} over {}{place}", self.carrier.name()),
            epmd: seat.epmd,
            arguments,
            host: seat.host.clone(),
        };
        Node::start(
            &self.testbed.kind,
            self.testbed.children,
            self.testbed.workspace,
            settings,
        )
        .await
    }

    /// Starts two nodes and connects them.
    ///
    /// # Errors
    ///
    /// When they do not come up or do not connect.
    pub async fn pair(&self) -> anyhow::Result<Pair> {
        let (a, b) = tokio::try_join!(self.node("a", Side::Near), self.node("b", Side::Far))?;
        let carrier = self.carrier.clone();
        let mut pair = Pair { carrier, a, b };
        pair.connect().await?;
        Ok(pair)
    }
}

/// Two connected nodes.
pub struct Pair {
    /// What connects them.
    pub carrier: Carrier,
    /// The node that measures.
    pub a: Node,
    /// The node that answers and verifies.
    pub b: Node,
}

impl Pair {
    /// Starts two nodes and connects them: see [`Starter`].
    ///
    /// # Errors
    ///
    /// When they do not come up or do not connect.
    pub async fn start(testbed: &Testbed<'_>, carrier: Carrier, gateways: Option<&Gateways>) -> anyhow::Result<Self> {
        Starter::new(testbed, carrier, gateways).await?.pair().await
    }

    /// Tries until `a` reaches `b`.
    ///
    /// # Errors
    ///
    /// When it does not in time.
    pub async fn connect(&mut self) -> anyhow::Result<()> {
        let what = format!("a connects to b over {}", self.carrier.name());
        until(&what, CONNECT_MAX, async || Ok(self.ping().await?.then_some(()))).await
    }

    /// Whether `a` reaches `b`.
    ///
    /// # Errors
    ///
    /// When `a` does not answer.
    pub async fn ping(&mut self) -> anyhow::Result<bool> {
        ping(&mut self.a, &self.b).await
    }

    /// Whether `b` reaches `a`.
    ///
    /// # Errors
    ///
    /// When `b` does not answer.
    pub async fn ping_back(&mut self) -> anyhow::Result<bool> {
        ping(&mut self.b, &self.a).await
    }

    /// `nodes()` of `a` and of `b`.
    ///
    /// # Errors
    ///
    /// When one does not answer.
    pub async fn nodes(&mut self) -> anyhow::Result<[Vec<String>; 2]> {
        let a: Visible = self.a.ask(&Command::Nodes).await?;
        let b: Visible = self.b.ask(&Command::Nodes).await?;
        Ok([a.nodes, b.nodes])
    }

    /// Has `a` run a command, and fails unless the far node saw exactly what was sent.
    ///
    /// # Errors
    ///
    /// [`NotWhatWasSent`], and when `a` fails or does not answer.
    pub(in crate::lab) async fn measure<T: Verified + DeserializeOwned>(
        &mut self,
        command: &impl Serialize,
    ) -> anyhow::Result<T> {
        let answer: T = self.a.ask(command).await?;
        let Verdict { verified, wrong } = answer.verdict();
        if *verified {
            return Ok(answer);
        }
        let wrong = if wrong.is_empty() { "no verdict" } else { wrong };
        Err(NotWhatWasSent {
            carrier: self.carrier.name(),
            wrong: wrong.to_owned(),
        }
        .into())
    }

    /// Ends the connection of the two nodes, from `a`.
    ///
    /// # Errors
    ///
    /// When `a` does not answer.
    pub async fn disconnect(&mut self) -> anyhow::Result<()> {
        let _: serde_json::Value = self.a.ask(&Command::Disconnect(self.b.atom()?)).await?;
        Ok(())
    }
}

async fn ping(from: &mut Node, to: &Node) -> anyhow::Result<bool> {
    let pong: Pong = from.ask(&Command::Ping(to.atom()?)).await?;
    Ok(pong.pong)
}
