use std::path::PathBuf;

use super::children::Children;
use super::erlang;
use super::erlang::Erlang;
use super::gateways::Certificates;
use super::gateways::Gateways;
use super::gateways::Transport;
use super::hosts::Host;
use super::nodes::Kind;
use super::workspace::Workspace;

/// What carries distribution between two nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Two gateways, lanes over QUIC with mutual TLS.
    Beamway(Transport),
    /// One TCP connection, in the clear: what Erlang does by itself.
    Plain,
    /// Plain, with larger buffers (`buffer`, `+zdbbl`) as its users are advised to set. In the benchmark only.
    Tuned,
    /// One TCP connection with mutual TLS (`-proto_dist inet_tls`).
    Tls,
    /// Somebody else's.
    Other(Other),
}

/// A carrier whose code lies somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its name in tables.
    pub name: String,
    /// The folder with its compiled modules.
    pub ebin: PathBuf,
    /// What `-proto_dist` is given: its module without `_dist`.
    pub proto_dist: String,
}

impl Carrier {
    /// Beamway as a configuration that says nothing about it has it.
    #[must_use]
    pub fn beamway() -> Self {
        Self::Beamway(Transport::default())
    }

    /// Name in tables and for `--over`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Beamway(transport) => transport.name(),
            Self::Plain => "plain".to_owned(),
            Self::Tuned => "tuned".to_owned(),
            Self::Tls => "TLS".to_owned(),
            Self::Other(other) => other.name.clone(),
        }
    }

    pub(super) fn arguments(&self, optfile: &str) -> Vec<String> {
        let arguments: &[&str] = match self {
            Self::Beamway(_) | Self::Plain => &[],
            Self::Other(other) => {
                let ebin = other.ebin.display().to_string();
                return ["-pa", &ebin, "-proto_dist", &other.proto_dist]
                    .map(str::to_owned)
                    .into();
            }
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
    /// Where the two nodes of a pair run, and their gateways.
    pub hosts: [Host; 2],
}

impl<'a> Stage<'a> {
    /// Compiles these modules, names and sources, if there is an Erlang, and makes the certificates. Nodes run the last module.
    ///
    /// # Errors
    ///
    /// When either fails.
    pub async fn set(
        workspace: &'a Workspace,
        children: &'a Children,
        executable: PathBuf,
        modules: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let kind = async {
            Ok(match erlang::installed() {
                true => Kind::Beam(Erlang::prepare(workspace, "ebin", modules).await?),
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
            hosts: [Host::loopback(), Host::loopback()],
        })
    }

    /// The same stage on two other hosts.
    #[must_use]
    pub fn on(&self, hosts: [Host; 2]) -> Self {
        Self {
            workspace: self.workspace,
            children: self.children,
            kind: self.kind.clone(),
            certificates: self.certificates.clone(),
            executable: self.executable.clone(),
            hosts,
        }
    }

    /// Starts two gateways.
    ///
    /// # Errors
    ///
    /// See [`Gateways::start`].
    pub async fn gateways(&self, transport: &Transport) -> anyhow::Result<Gateways> {
        Gateways::start(self, transport).await
    }

    /// The file that tells `inet_tls_dist` on that host to ask for certificates on both sides.
    pub(super) fn tls_optfile(&self, host: &Host) -> anyhow::Result<String> {
        let certificates = self.certificates.of(&host.tls_name);
        let file = |name: &str| certificates.join(name).display().to_string();
        let common = format!(
            "{{certfile, {:?}}}, {{keyfile, {:?}}}, {{cacertfile, {:?}}}, {{verify, verify_peer}}",
            file("cert.pem"),
            file("key.pem"),
            file("ca.pem")
        );
        let text = format!("[{{server, [{common}, {{fail_if_no_peer_cert, true}}]}},\n {{client, [{common}]}}].\n");
        let name = format!("tls_dist-{}.conf", host.tls_name);
        Ok(self.workspace.write(name, &text)?.display().to_string())
    }
}
