use std::net::SocketAddr;
#[cfg(feature = "config-file")]
use std::path::Path;
use std::path::PathBuf;
#[cfg(all(feature = "config-file", feature = "internals"))]
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

use super::StartError;
use super::bound::BoundDaemon;
#[cfg(all(feature = "config-file", feature = "internals"))]
use super::log::LogHandle;
use super::own_hosts;
use super::rule::PolicyRule;
use super::settings::Settings;
use super::source::Source;
use crate::config::LogLevel;
use crate::config::Purpose;
use crate::config::SelectSettings;
use crate::hub::io::directory::Request;
use crate::node::NodeBuilder;
use crate::observe::io::reload;
use crate::observe::io::reload::Reload;
use crate::session::Memory;

/// Running lanes: the sessions of this program with its peers, used by the native nodes that are attached.
///
/// This is a daemon without BEAMs: it has no port mapper, and listens for peers only if told to.
///
/// **The lanes stop when dropped**, without waiting for the end; [`Lanes::stop`] waits.
///
/// ```no_run
/// use beamway::carrier::Lanes;
/// use beamway::node::Node;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // The folder holds ca.pem, cert.pem and key.pem, as created by `beamway certs issue h3`.
/// let lanes = Lanes::builder("h3", "certs/h3").peer("h1", "h1.example:4471").start().await?;
/// let orders = Node::builder("orders@h3").cookie("secret").attach(&lanes).start().await?;
/// let stock = Node::builder("stock@h3").cookie("secret").attach(&lanes).start().await?;
/// // …
/// orders.stop().await;
/// stock.stop().await;
/// lanes.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "lanes stop when they are dropped"]
pub struct Lanes {
    name: String,
    #[cfg_attr(not(feature = "internals"), allow(dead_code, reason = "for a carrier inside a VM"))]
    log_level: LogLevel,
    #[cfg_attr(not(feature = "internals"), allow(dead_code, reason = "for a carrier inside a VM"))]
    select: SelectSettings,
    #[cfg_attr(not(feature = "internals"), allow(dead_code, reason = "for a carrier inside a VM"))]
    memory: Memory,
    requests: mpsc::Sender<Request>,
    reloads: mpsc::Sender<Reload>,
    address: SocketAddr,
    leave: DropGuard,
    task: JoinHandle<()>,
}

impl Lanes {
    /// A builder for lanes of that name, which must be a DNS name of the certificate. The folder `certs` holds the files that
    /// `beamway certs issue` creates.
    pub fn builder(name: &str, certs: impl Into<PathBuf>) -> LanesBuilder {
        LanesBuilder::new(name, certs.into())
    }

    /// Starts lanes with a configuration file (`docs/CONFIGURATION.md`), on the current Tokio runtime. It has no section `[epmd]`,
    /// since only a daemon serves BEAMs, and the section `[log]` has no effect, since the program sets up its own log.
    ///
    /// # Errors
    /// If a setting is wrong, the certificate does not match the name, or the address cannot be used.
    #[cfg(feature = "config-file")]
    pub async fn start_file(file: impl AsRef<Path>) -> Result<Self, StartError> {
        Self::start(Source::File(file.as_ref().to_owned(), Purpose::Lanes)).await
    }

    /// The same for the carrier inside a VM, which also dials the hosts of nodes that nobody has announced. A VM that `listens` for no
    /// peers, such as a remote shell, may use the file and the certificate of another VM that runs. `set_log_level` is called when a reload
    /// changes the level.
    #[cfg(all(feature = "config-file", feature = "internals"))]
    #[doc(hidden)]
    pub async fn start_in_vm(
        file: impl AsRef<Path>,
        listens: bool,
        set_log_level: impl Fn(LogLevel) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let source = Source::File(file.as_ref().to_owned(), Purpose::Vm);
        let loaded = source.load().map_err(StartError::Settings)?;
        if listens {
            let log = LogHandle {
                level: Some(Arc::new(set_log_level)),
                ..LogHandle::default()
            };
            return Self::run(BoundDaemon::bind(loaded, source, own_hosts()).await?.with_log(log));
        }
        let bound = BoundDaemon::bind_temporary(loaded, source, own_hosts()).await?;
        Self::run(bound.waiting_for_peers())
    }

    pub(super) async fn start(source: Source) -> Result<Self, StartError> {
        let loaded = source.load().map_err(StartError::Settings)?;
        Self::run(BoundDaemon::bind(loaded, source, own_hosts()).await?)
    }

    fn run(bound: BoundDaemon) -> Result<Self, StartError> {
        let config = bound.config();
        let (name, log_level) = (config.gateway.name.clone(), config.log.level);
        let (select, memory) = (config.select.clone(), bound.memory().clone());
        let (requests, leave) = (bound.requests(), CancellationToken::new());
        let reloads = bound.reloads();
        let address = bound
            .local_addr()
            .map_err(|error| StartError::Other(format!("cannot read the address of the UDP socket: {error}")))?;
        let task = tokio::spawn(bound.run(leave.clone()));
        Ok(Self {
            name,
            log_level,
            select,
            memory,
            requests,
            reloads,
            address,
            leave: leave.drop_guard(),
            task,
        })
    }

    /// The UDP address at which peers can dial these lanes.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Their name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The log level of their configuration file, for a carrier inside a VM.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub const fn log_level(&self) -> LogLevel {
        self.log_level
    }

    /// What they keep for their peers, for a carrier inside a VM.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether a carrier inside a VM is for the node of that name, as its configuration file says.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub fn selects(&self, node: &str) -> bool {
        let nodes = self.select.nodes.as_ref();
        nodes.is_none_or(|nodes| nodes.iter().any(|pattern| pattern.matches(node)))
    }

    /// The channel to their hub, for a carrier inside a VM.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub fn requests(&self) -> mpsc::Sender<Request> {
        self.requests.clone()
    }

    /// Reads the certificates again, and the configuration file if they were started with one, and applies what has changed. Nothing is
    /// lost by it, but connections that the new settings do not allow are closed. Returns the settings that have changed, and those that
    /// have no effect before a restart.
    ///
    /// This happens without a call, too, within some seconds after a file has changed.
    ///
    /// # Errors
    /// [`StartError::Settings`] if there are mistakes: nothing has changed then.
    pub async fn reload(&self) -> Result<Reloaded, StartError> {
        let (answer, told) = oneshot::channel();
        let _ = self.reloads.send(answer).await;
        let stopped = |_| StartError::Other("the lanes have stopped".to_owned());
        match told.await.map_err(stopped)? {
            reloaded if reloaded.mistakes.is_empty() => Ok(reloaded.into()),
            reloaded => Err(StartError::Settings(reloaded.mistakes)),
        }
    }

    /// Stops the lanes and waits for the end: circuits are closed, and peers are told that this daemon leaves. Stop its nodes
    /// first.
    pub async fn stop(self) {
        let Self { leave, task, .. } = self;
        drop(leave);
        let _ = task.await;
    }
}

impl AsRef<Self> for Lanes {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// What [`Lanes::reload`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The settings that have changed, and are in use.
    pub changed: Vec<String>,
    /// The settings that were changed and have no effect before a restart.
    pub needs_restart: Vec<String>,
}

impl From<reload::Reloaded> for Reloaded {
    fn from(reloaded: reload::Reloaded) -> Self {
        Self {
            changed: reloaded.changed,
            needs_restart: reloaded.needs_restart,
        }
    }
}

/// A builder for [`Lanes`].
#[derive(Clone, Debug)]
#[must_use = "lanes run once they are started"]
pub struct LanesBuilder {
    settings: Settings,
}

impl LanesBuilder {
    pub(super) fn new(name: &str, certs: PathBuf) -> Self {
        Self {
            settings: Settings::new(name, certs),
        }
    }

    /// Sets the UDP address at which peers can dial these lanes. Without it, they only dial.
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.settings.listen = address;
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

    /// Adds a name whose addresses are those of peers, which listen on this port; a headless service of Kubernetes is such a name. It is
    /// asked for again and again. Without the feature `discover` of this package the system is asked, which does not tell how long an
    /// answer holds.
    pub fn discover(mut self, name: &str, port: u16) -> Self {
        self.settings.discover.push((name.to_owned(), port));
        self
    }

    /// Peers and these lanes tell each other of their peers, so one peer is enough to be connected to all of a cluster.
    pub const fn exchange(mut self) -> Self {
        self.settings.exchange = true;
        self
    }

    /// Adds a rule for pairs of nodes: whether they may be connected, how much one may send to the other, and what is sent first.
    pub fn policy(mut self, rule: PolicyRule) -> Self {
        self.settings.policy.push(rule);
        self
    }

    /// Restricts which daemons may dial in besides the peers: those whose names match one of the patterns, such as
    /// `"web-*.example.com"`. Without patterns nobody may. By default, every daemon with a certificate of the authority may, and
    /// speak for the nodes of the hosts in its certificate.
    pub fn accept(mut self, names: &[&str]) -> Self {
        self.settings.accept = Some(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Sets how long a thread of the runtime stays awake after a small signal, instead of sleeping: 200 µs by default, at
    /// most 10 ms. Set it to zero where CPU time is limited. Meanwhile the thread yields its core to any other program, and
    /// itself to any task, that is ready to run.
    pub const fn busy_wait(mut self, time: Duration) -> Self {
        self.settings.busy_wait = Some(time);
        self
    }

    /// Starts the lanes on the current Tokio runtime.
    ///
    /// # Errors
    /// If a setting is wrong, the certificate does not match the name, or the address cannot be used.
    pub async fn start(self) -> Result<Lanes, StartError> {
        Lanes::start(Source::Program(Box::new(self.settings), Purpose::Lanes)).await
    }
}

impl NodeBuilder {
    /// Attaches the node to running [`Lanes`], or to a running daemon of this program. The node reaches nodes of other hosts
    /// over the lanes, and nodes of this host by plain distribution.
    #[must_use]
    pub fn attach(self, lanes: &impl AsRef<Lanes>) -> Self {
        self.attach_to(lanes.as_ref().requests.clone())
    }
}
