use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::children::Children;
use super::children::until;
use super::erlang;
use super::erlang::Erlang;
use super::gateways::Certificates;
use super::gateways::Gateways;
use super::gateways::TLS_HOST;
use super::nodes::Kind;
use super::nodes::Node;
use super::nodes::NodeSettings;
use super::port_mapper;
use super::protocol::Command;
use super::protocol::Pong;
use super::protocol::Visible;
use super::workspace::Workspace;

/// The first ping may come before the gateways have found each other.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// What carries distribution between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// Two gateways, lanes over QUIC with mutual TLS.
    Beamway,
    /// One TCP connection, in the clear: what Erlang does by itself.
    Plain,
    /// Plain, with larger buffers (`buffer`, `+zdbbl`) as its users are advised to set. In the benchmark only.
    Tuned,
    /// One TCP connection with mutual TLS (`-proto_dist inet_tls`).
    Tls,
}

impl Carrier {
    /// Name in tables and for `--over`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Beamway => "beamway",
            Self::Plain => "plain",
            Self::Tuned => "tuned",
            Self::Tls => "TLS",
        }
    }

    fn arguments(self, optfile: &str) -> Vec<String> {
        let arguments: &[&str] = match self {
            Self::Beamway | Self::Plain => &[],
            // 64 MB until a sender is suspended; 1 MB read from the socket at once.
            Self::Tuned => &[
                "+zdbbl",
                "65536",
                "-kernel",
                "inet_dist_connect_options",
                "[{buffer,1048576}]",
                "inet_dist_listen_options",
                "[{buffer,1048576}]",
            ],
            Self::Tls => &["-proto_dist", "inet_tls", "-ssl_dist_optfile", optfile],
        };
        arguments.iter().map(|argument| (*argument).to_owned()).collect()
    }
}

/// What all pairs of a run share.
pub struct Stage<'a> {
    /// The folder of the run.
    pub workspace: &'a Workspace,
    /// The processes of the run.
    pub children: &'a Children,
    /// What the nodes are: BEAMs where Erlang is in the path, else native nodes.
    pub kind: Kind,
    /// Certificates of the gateways and of the nodes that speak TLS.
    pub certificates: Certificates,
    /// The program `beamway`.
    pub executable: PathBuf,
}

impl<'a> Stage<'a> {
    /// Compiles the Erlang side, if there is an Erlang, and makes the certificates.
    ///
    /// # Errors
    ///
    /// When either fails.
    pub async fn set(workspace: &'a Workspace, children: &'a Children, executable: PathBuf) -> anyhow::Result<Self> {
        let kind = async {
            Ok(match erlang::installed() {
                true => Kind::Beam(Erlang::prepare(workspace).await?),
                false => Kind::Native(executable.clone()),
            })
        };
        let (kind, certificates) = tokio::try_join!(kind, Certificates::make(&executable, workspace))?;
        Ok(Self {
            workspace,
            children,
            kind,
            certificates,
            executable,
        })
    }

    /// Starts the two gateways.
    ///
    /// # Errors
    ///
    /// See [`Gateways::start`].
    pub async fn gateways(&self) -> anyhow::Result<Gateways> {
        Gateways::start(&self.executable, self.children, self.workspace, &self.certificates).await
    }

    /// The file that tells `inet_tls_dist` to ask for certificates on both sides.
    fn tls_optfile(&self) -> anyhow::Result<String> {
        let certificates = self.certificates.of(TLS_HOST);
        let file = |name: &str| certificates.join(name).display().to_string();
        let common = format!(
            "{{certfile, {:?}}}, {{keyfile, {:?}}}, {{cacertfile, {:?}}}, {{verify, verify_peer}}",
            file("cert.pem"),
            file("key.pem"),
            file("ca.pem")
        );
        let text = format!("[{{server, [{common}, {{fail_if_no_peer_cert, true}}]}},\n {{client, [{common}]}}].\n");
        Ok(self.workspace.write("tls_dist.conf", &text)?.display().to_string())
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
    /// Starts two nodes and connects them. Over beamway they find each other at the port mappers of the `gateways`, else
    /// at one of their own.
    ///
    /// # Errors
    ///
    /// When they do not come up or do not connect.
    pub async fn start(stage: &Stage<'_>, carrier: Carrier, gateways: Option<&Gateways>) -> anyhow::Result<Self> {
        let epmd = match (carrier, gateways) {
            (Carrier::Beamway, Some(gateways)) => gateways.epmd,
            (Carrier::Beamway, None) => anyhow::bail!("no gateways were started"),
            _ => {
                let port = port_mapper::start().await?;
                [port, port]
            }
        };
        let optfile = match carrier {
            Carrier::Tls => stage.tls_optfile()?,
            _ => String::new(),
        };
        let settings = |short: &str, epmd| NodeSettings {
            name: match carrier {
                Carrier::Tls => format!("{short}@{TLS_HOST}"),
                _ => format!("{short}@127.0.0.1"),
            },
            label: format!("node {short} over {}", carrier.name()),
            epmd,
            arguments: carrier.arguments(&optfile),
        };
        let [epmd_a, epmd_b] = epmd;
        let start = |settings| Node::start(&stage.kind, stage.children, stage.workspace, settings);
        let (a, b) = tokio::try_join!(start(settings("a", epmd_a)), start(settings("b", epmd_b)))?;
        let mut pair = Self { carrier, a, b };
        until(
            &format!("a connects to b over {}", carrier.name()),
            CONNECT_MAX,
            async || Ok(pair.ping().await?.then_some(())),
        )
        .await?;
        Ok(pair)
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
