//! Starting a node: its name, its listener, its registration with the port mapper.

use std::future::Future;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio::time::timeout;
use tracing::warn;

use super::circuit as circuits;
use super::connect::dial;
use super::context::Context;
use super::node::Node;
use super::node::Shared;
use super::tcp::Wire;
use super::ways::Ways;
use crate::dist::NodeName;
use crate::epmd::Registration;
use crate::epmd::io::entrance::Entrance;
use crate::epmd::io::entrance::Place;
use crate::epmd::io::registration::Registered;
use crate::epmd::io::registration::register;
use crate::etf::Atom;
use crate::etf::Term;
use crate::hub::io::directory::CALLERS as CIRCUITS;
use crate::hub::io::directory::Caller;
use crate::hub::io::directory::LocalNode;
use crate::hub::io::directory::Request;
use crate::node::ConnectionError;
use crate::node::Cookie;
use crate::node::NodeConfig;
use crate::node::OwnIdentity;
use crate::node::Raise;
use crate::node::StartError;
use crate::node::exports::Exports;
use crate::node::handshake::Handshake;
use crate::node::system;

/// The port of the port mapper, unless `ERL_EPMD_PORT` says otherwise.
const EPMD_PORT: u16 = 4369;

/// Where nodes of this host connect to, if nothing else is said.
const ANY_OF_LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Incoming handshakes at the same time.
const CALLERS: usize = 256;

/// Interval of attempts to renew a lost registration, as in Erlang nodes.
const REGISTER_AGAIN: Duration = Duration::from_secs(2);

/// A builder for a node.
///
/// ```no_run
/// # async fn example() -> Result<(), beamway::node::StartError> {
/// use beamway::node::Node;
///
/// let node = Node::builder("orders@127.0.0.1").cookie("secret").start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NodeBuilder {
    name: String,
    cookie: Cookie,
    is_visible: bool,
    config: NodeConfig,
    exports: Exports,
    listen: SocketAddr,
    ways: Ways,
}

impl Node {
    /// A builder for a node of that name, `name@host`.
    pub fn builder(name: &str) -> NodeBuilder {
        let port = std::env::var("ERL_EPMD_PORT").ok().and_then(|port| port.parse().ok());
        NodeBuilder {
            name: name.to_owned(),
            cookie: Cookie::default(),
            is_visible: false,
            config: NodeConfig::default(),
            exports: Exports::default(),
            listen: ANY_OF_LOOPBACK,
            ways: Ways::PortMapper((Ipv4Addr::LOCALHOST, port.unwrap_or(EPMD_PORT)).into()),
        }
    }
}

impl NodeBuilder {
    /// Sets the cookie: the secret that all nodes of the cluster share.
    #[must_use]
    pub fn cookie(mut self, cookie: &str) -> Self {
        self.cookie = cookie.into();
        self
    }

    /// Makes the node visible. Then `global` on other nodes expects support that a native node does not have. Hidden, the
    /// default, is right for nearly all programs.
    #[must_use]
    pub const fn visible(mut self) -> Self {
        self.is_visible = true;
        self
    }

    /// Sets limits and time-outs.
    #[must_use]
    pub fn config(mut self, config: NodeConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the address on which the node listens for nodes of this host. The default is any port of 127.0.0.1, or of ::1 on a host
    /// with IPv6 alone.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Sets the address of the port mapper. The default is 127.0.0.1, with the port in `ERL_EPMD_PORT` or 4369.
    #[must_use]
    pub fn epmd(mut self, address: SocketAddr) -> Self {
        self.ways = Ways::PortMapper(address);
        self
    }

    /// Attaches the node to a daemon of this process, given by its request channel.
    pub(crate) fn attach_to(mut self, daemon: mpsc::Sender<Request>) -> Self {
        self.ways = Ways::Daemon(daemon);
        self
    }

    /// Lets other nodes call a function of any arity through `erpc`, `rpc` and `spawn`. Each call runs in a process of its
    /// own.
    #[must_use]
    pub fn export<F>(
        mut self,
        module: impl Into<Atom>,
        function: impl Into<Atom>,
        body: impl Fn(Context, Vec<Term>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Term, Raise>> + Send + 'static,
    {
        self.exports.insert(module.into(), function.into(), body);
        self
    }

    /// The same for a function whose arguments deserialize from a tuple. A call with other arguments raises
    /// `function_clause`.
    #[must_use]
    pub fn export_typed<A, R, F>(
        mut self,
        module: impl Into<Atom>,
        function: impl Into<Atom>,
        body: impl Fn(A) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Future<Output = Result<R, Raise>> + Send + 'static,
    {
        self.exports.insert_typed(module.into(), function.into(), body);
        self
    }

    /// Starts the node on the current Tokio runtime.
    ///
    /// # Errors
    /// If the name is invalid or taken, the address is in use, or the port mapper or daemon cannot be reached.
    pub async fn start(self) -> Result<Node, StartError> {
        let name = NodeName::new(&self.name)?;
        let failed = |what: String| move |source| StartError::Io { what, source };
        let listener = listen(self.listen)
            .await
            .map_err(failed(format!("cannot listen on {}", self.listen)))?;
        let port = listener
            .local_addr()
            .map_err(failed("cannot read the listening port".to_owned()))?
            .port();
        let mut registration = Registration::normal(name.name(), port);
        if !self.is_visible {
            registration.node_type = Registration::HIDDEN;
        }
        let place = match &self.ways {
            Ways::PortMapper(epmd) => {
                let registered = register(*epmd, registration.clone())
                    .await
                    .map_err(std::io::Error::other);
                let registered =
                    registered.map_err(failed(format!("cannot register with the port mapper at {epmd}")))?;
                let registered = registered.ok_or_else(|| StartError::Taken(name.to_string()))?;
                Admission::Registered(*epmd, registration, registered)
            }
            Ways::Daemon(daemon) => attach(daemon, &name, registration).await?,
        };
        let own = OwnIdentity {
            name: self.name,
            creation: place.creation(),
            is_visible: self.is_visible,
            cookie: self.cookie,
        };
        let atom = Atom::new(name.as_str()).unwrap_or_else(|_| unreachable!("a node's name is short enough"));
        let shared = Arc::new(Shared::new(own, atom, self.config, self.exports, self.ways, dial));
        shared.tasks.spawn(accept(listener, Arc::clone(&shared)));
        shared.tasks.spawn(place.keep(Arc::clone(&shared)));
        let node = Node::started(shared);
        system::start(&node);
        Ok(node)
    }
}

/// The registration of the node's name. Held while the node runs.
enum Admission {
    Registered(SocketAddr, Registration, Registered),
    Attached {
        daemon: mpsc::Sender<Request>,
        name: String,
        creation: u32,
        callers: mpsc::Receiver<Caller>,
    },
}

impl Admission {
    const fn creation(&self) -> u32 {
        match self {
            Self::Registered(_, _, registered) => registered.creation,
            Self::Attached { creation, .. } => *creation,
        }
    }

    /// Keeps the registration until the node stops.
    async fn keep(self, shared: Arc<Shared>) {
        match self {
            Self::Registered(epmd, registration, registered) => tokio::select! {
                () = stay_registered(epmd, registration, registered) => {}
                () = shared.stopping.cancelled() => {}
            },
            Self::Attached {
                daemon,
                name,
                creation,
                callers,
            } => {
                circuits::serve(shared, callers).await;
                let _ = daemon.send(Request::Detach { name, creation }).await;
            }
        }
    }
}

async fn attach(
    daemon: &mpsc::Sender<Request>,
    name: &NodeName,
    registration: Registration,
) -> Result<Admission, StartError> {
    let (callers_in, callers) = mpsc::channel(CIRCUITS);
    let node = LocalNode {
        registration,
        hosts: vec![name.host().to_owned()],
        private: Vec::new(),
        callers: callers_in,
    };
    let (answer, answered) = oneshot::channel();
    daemon
        .send(Request::Attach { node, answer })
        .await
        .map_err(|_| StartError::NoDaemon)?;
    let creation = answered.await.map_err(|_| StartError::NoDaemon)?;
    let creation = creation.ok_or_else(|| StartError::Taken(name.to_string()))?;
    Ok(Admission::Attached {
        daemon: daemon.clone(),
        name: name.name().to_owned(),
        creation,
        callers,
    })
}

/// Registers again after a restart of the port mapper.
async fn stay_registered(epmd: SocketAddr, registration: Registration, mut registered: Registered) {
    loop {
        registered.lost().await;
        loop {
            sleep(REGISTER_AGAIN).await;
            match register(epmd, registration.clone()).await {
                Ok(Some(again)) => {
                    registered = again;
                    break;
                }
                Ok(None) => warn!(
                    name = registration.name,
                    "the port mapper has given our name to another node; retrying"
                ),
                Err(error) => warn!(name = registration.name, %error, "the port mapper cannot be reached; retrying"),
            }
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let entrance = Entrance::new(&format!("node {}", shared.name), CALLERS);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let shaking = shake(stream, Arc::clone(&shared), entrance.enter());
                shared.tasks.spawn(shaking);
            }
            Err(error) => {
                warn!(node = %shared.name, %error, "cannot accept a connection; is the limit of open files too low?");
                entrance.evict();
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Listens at an address. A host with IPv6 alone may have no loopback of IPv4.
async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(_) if address == ANY_OF_LOOPBACK => TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await,
        bound => bound,
    }
}

/// Serves an incoming connection. Only its handshake counts against [`CALLERS`].
async fn shake(stream: TcpStream, shared: Arc<Shared>, place: Place) {
    let mut wire = Wire::new(stream, 0);
    let party = Handshake::accept(shared.own.clone(), rand::random());
    let limit = shared.config.setup_time;
    let evicted = place.evicted();
    let shaken = evicted
        .run_until_cancelled(timeout(limit, wire.shake(&shared, party)))
        .await;
    let Some(outcome) = shaken else {
        // The entrance has told it, for all of them.
        return shared.apply(|machine| machine.abandon(wire.attempt, "too many connections that say nothing"));
    };
    let outcome = outcome.unwrap_or(Err(ConnectionError::Late(limit)));
    drop(place);
    match outcome {
        Ok(far) => wire.carry(shared, far).await,
        Err(error) => {
            warn!(node = %shared.name, %error, "a connection was refused");
            shared.apply(|machine| machine.abandon(wire.attempt, &error.to_string()));
        }
    }
}
