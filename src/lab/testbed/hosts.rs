use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use tokio::process::Command;

/// Name in the certificate of the nodes that speak TLS themselves: the host part of their names, which is what
/// `inet_tls_dist` checks.
pub const TLS_HOST: &str = "localhost";

/// Where a node and a gateway run: this machine, or a network namespace of it.
#[derive(Clone, Debug)]
pub struct Host {
    /// The network namespace; `None` is this machine's loopback.
    pub namespace: Option<String>,
    /// The address at which the other host is heard.
    pub address: Ipv4Addr,
    /// The host part of the names of its nodes.
    pub name: String,
    /// The same for nodes that speak TLS, whose certificates are made out to it.
    pub tls_name: String,
    /// The file in which its nodes find the addresses of names, if names are no addresses.
    pub resolver: Option<PathBuf>,
}

impl Host {
    /// This machine.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            namespace: None,
            address: Ipv4Addr::LOCALHOST,
            name: Ipv4Addr::LOCALHOST.to_string(),
            tls_name: TLS_HOST.to_owned(),
            resolver: None,
        }
    }

    /// What the application `kernel` of its nodes is told: where to listen or, in a namespace, which names there are.
    pub(super) fn kernel_arguments(&self) -> [String; 2] {
        match &self.resolver {
            Some(file) => ["inetrc".to_owned(), format!("{:?}", file.display().to_string())],
            None => ["inet_dist_use_interface", "{127,0,0,1}"].map(str::to_owned),
        }
    }

    /// A program that runs there. In a namespace `ip` becomes the program, so its process is the program's.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match &self.namespace {
            None => Command::new(program),
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program);
                command
            }
        }
    }
}
