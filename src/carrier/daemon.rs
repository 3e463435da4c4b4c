use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::Lanes;
use super::Reloaded;
use super::StartError;
use super::rule::PolicyRule;
use super::settings::Settings;
use super::source::Source;
use crate::config::Purpose;

/// A running daemon inside this program, equivalent to `beamway run`: sessions with its peers, a gateway and a port mapper
/// for the BEAMs of this host. Native nodes attach to it as they do to [`Lanes`].
///
/// **The daemon stops when it is dropped**, without waiting for the end; [`Daemon::stop`] waits.
///
/// ```no_run
/// use beamway::carrier::Daemon;
/// use beamway::node::Node;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = Daemon::builder("h3", "certs/h3")
///     .listen("0.0.0.0:4471".parse()?)
///     .peer("h1", "h1.example:4471")
///     .start()
///     .await?;
/// let node = Node::builder("orders@h3").cookie("secret").attach(&daemon).start().await?;
/// // …
/// node.stop().await;
/// daemon.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a daemon stops when it is dropped"]
pub struct Daemon {
    lanes: Lanes,
}

impl Daemon {
    /// A builder for a daemon of that name, which must be a DNS name of its certificate. The folder `certs` holds the files
    /// that `beamway certs issue` creates.
    pub fn builder(name: &str, certs: impl Into<PathBuf>) -> DaemonBuilder {
        DaemonBuilder::new(name, certs.into())
    }

    /// Starts a daemon with a configuration file (`docs/CONFIGURATION.md`), on the current Tokio runtime. The section `[log]`
    /// has no effect, since the program sets up its own log.
    ///
    /// # Errors
    /// If a setting is wrong, the certificate does not match the name, or an address cannot be used.
    pub async fn start_file(file: impl AsRef<Path>) -> Result<Self, StartError> {
        Self::start(Source::File(file.as_ref().to_owned(), Purpose::Daemon)).await
    }

    pub(super) async fn start(source: Source) -> Result<Self, StartError> {
        let lanes = Lanes::start(source).await?;
        Ok(Self { lanes })
    }

    /// The UDP address at which peers can dial this daemon.
    pub const fn address(&self) -> SocketAddr {
        self.lanes.address()
    }

    /// Reads its files again, like [`Lanes::reload`].
    ///
    /// # Errors
    /// [`StartError::Settings`] if there are mistakes: nothing has changed then.
    pub async fn reload(&self) -> Result<Reloaded, StartError> {
        self.lanes.reload().await
    }

    /// Stops the daemon and waits for the end: circuits are closed, and peers are told that the daemon leaves. Stop its
    /// native nodes first.
    pub async fn stop(self) {
        self.lanes.stop().await;
    }
}

impl AsRef<Lanes> for Daemon {
    fn as_ref(&self) -> &Lanes {
        &self.lanes
    }
}

/// A builder for a [`Daemon`].
#[derive(Clone, Debug)]
#[must_use = "a daemon runs once it is started"]
pub struct DaemonBuilder {
    settings: Settings,
}

impl DaemonBuilder {
    pub(super) fn new(name: &str, certs: PathBuf) -> Self {
        Self {
            settings: Settings::new(name, certs),
        }
    }

    /// Sets the UDP address at which peers can dial this daemon. Without it, the daemon only dials.
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.settings.listen = address;
        self
    }

    /// Adds a TCP address of its port mapper, for the BEAMs of this host. Without any, these are 127.0.0.1:4369 and \[::1\]:4369.
    pub fn epmd(mut self, address: SocketAddr) -> Self {
        self.settings.epmd.push(address);
        self
    }

    /// Allows addresses of the port mapper that other machines reach. Remote nodes can then be reached there in clear text.
    pub const fn epmd_public(mut self) -> Self {
        self.settings.is_epmd_public = true;
        self
    }

    /// Sets the host parts of node names that mean this machine. By default these are its host name, its full name and the
    /// addresses of its interfaces, of which peers are not told those of loopback and link-local ones.
    pub fn hosts(mut self, hosts: &[&str]) -> Self {
        self.settings.hosts = Some(hosts.iter().map(|host| (*host).to_owned()).collect());
        self
    }

    /// Adds a peer and the address to dial, `host:port`. The peer may speak for the nodes of the hosts in its certificate:
    /// its name, and the DNS names and IP addresses of `beamway certs issue --host`.
    pub fn peer(mut self, name: &str, address: &str) -> Self {
        self.settings.peer(name, address, None);
        self
    }

    /// Adds a peer that may speak for the nodes whose names match one of the patterns, such as `"*@h1"`, and for no others,
    /// whatever its certificate says.
    pub fn peer_for(mut self, name: &str, address: &str, nodes: &[&str]) -> Self {
        self.settings.peer(name, address, Some(nodes));
        self
    }

    /// Adds a rule for pairs of nodes, as [`LanesBuilder::policy`](super::LanesBuilder::policy).
    pub fn policy(mut self, rule: PolicyRule) -> Self {
        self.settings.policy.push(rule);
        self
    }

    /// Finds peers by a name, as [`LanesBuilder::discover`](super::LanesBuilder::discover).
    pub fn discover(mut self, name: &str, port: u16) -> Self {
        self.settings.discover.push((name.to_owned(), port));
        self
    }

    /// Finds peers by their peers, as [`LanesBuilder::exchange`](super::LanesBuilder::exchange).
    pub const fn exchange(mut self) -> Self {
        self.settings.exchange = true;
        self
    }

    /// Restricts which daemons may dial in besides the peers: those whose names match one of the patterns, such as
    /// `"web-*.example.com"`. Without patterns nobody may. By default, every daemon with a certificate of the authority may, and
    /// speak for the nodes of the hosts in its certificate.
    pub fn accept(mut self, names: &[&str]) -> Self {
        self.settings.accept = Some(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Sets how long a thread of the runtime stays awake after a small signal; see
    /// [`LanesBuilder::busy_wait`](super::LanesBuilder::busy_wait).
    pub const fn busy_wait(mut self, time: Duration) -> Self {
        self.settings.busy_wait = Some(time);
        self
    }

    /// Starts the daemon on the current Tokio runtime.
    ///
    /// # Errors
    /// If a setting is wrong, the certificate does not match the name, or an address cannot be used.
    pub async fn start(self) -> Result<Daemon, StartError> {
        Daemon::start(Source::Program(Box::new(self.settings), Purpose::Daemon)).await
    }
}
