use std::path::PathBuf;

use super::certificates::Certificates;
use super::children::Children;
use super::erlang::Erlang;
use super::erlang::Programs;
use super::hosts::Host;
use super::nodes::Kind;
use super::workspace::Workspace;

/// What all pairs of a run share.
pub struct Testbed<'a> {
    /// The folder of the run.
    pub workspace: &'a Workspace,
    /// The processes of the run.
    pub children: &'a Children,
    /// What the nodes are: BEAMs where there is an Erlang, else native nodes.
    pub kind: Kind,
    /// Certificates of the gateways and of the nodes that speak TLS.
    pub certificates: Certificates,
    /// The program `beamway`.
    pub executable: PathBuf,
    /// Where the two nodes of a pair run, and their gateways.
    pub hosts: [Host; 2],
}

impl<'a> Testbed<'a> {
    /// Compiles these modules, names and sources, if there is an Erlang, and makes the certificates. Nodes run the last module.
    ///
    /// # Errors
    ///
    /// When either fails.
    pub async fn prepare(
        workspace: &'a Workspace,
        children: &'a Children,
        executable: PathBuf,
        erlang: Option<Programs>,
        modules: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let kind = async {
            Ok(match erlang {
                Some(programs) => Kind::Beam(Erlang::prepare(programs, workspace, "ebin", modules).await?),
                None => Kind::Native(executable.clone()),
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

    /// The same testbed on two other hosts.
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
