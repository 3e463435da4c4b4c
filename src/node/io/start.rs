//! Starting a node: its name, its listener, its place at the port mapper.

use std::future::Future;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
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
use crate::epmd::io::registration::Registered;
use crate::epmd::io::registration::register;
use crate::etf::Atom;
use crate::etf::Term;
use crate::hub::io::directory::CALLERS as CIRCUITS;
use crate::hub::io::directory::Caller;
use crate::hub::io::directory::LocalNode;
use crate::hub::io::directory::Request;
use crate::node::ConnectionError;
use crate::node::NodeConfig;
use crate::node::OwnIdentity;
use crate::node::Raise;
use crate::node::StartError;
use crate::node::exports::Exports;
use crate::node::handshake::Handshake;
use crate::node::system;

/// Where a port mapper listens, unless `ERL_EPMD_PORT` says otherwise.
const EPMD_PORT: u16 = 4369;

/// Nodes that shake hands at once.
const CALLERS: usize = 256;

/// How often a lost registration is tried again, as nodes do.
const REGISTER_AGAIN: Duration = Duration::from_secs(2);

/// A node to be started.
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
    cookie: String,
    is_visible: bool,
    config: NodeConfig,
    exports: Exports,
    listen: SocketAddr,
    ways: Ways,
}

impl Node {
    /// A node of that name, `name@host`, to be started.
    pub fn builder(name: &str) -> NodeBuilder {
        let port = std::env::var("ERL_EPMD_PORT").ok().and_then(|port| port.parse().ok());
        NodeBuilder {
            name: name.to_owned(),
            cookie: String::new(),
            is_visible: false,
            config: NodeConfig::default(),
            exports: Exports::default(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            ways: Ways::PortMapper((Ipv4Addr::LOCALHOST, port.unwrap_or(EPMD_PORT)).into()),
        }
    }
}

impl NodeBuilder {
    /// The secret that all nodes share.
    #[must_use]
    pub fn cookie(mut self, cookie: &str) -> Self {
        cookie.clone_into(&mut self.cookie);
        self
    }

    /// Other nodes list it among their visible ones. `global` on these then expects more of it than it does: hidden, which is
    /// the default, is right for nearly all.
    #[must_use]
    pub const fn visible(mut self) -> Self {
        self.is_visible = true;
        self
    }

    /// Its limits and times.
    #[must_use]
    pub fn config(mut self, config: NodeConfig) -> Self {
        self.config = config;
        self
    }

    /// Where it listens for nodes of this host; any port of 127.0.0.1 by default.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The port mapper to register with and to ask; by default port 4369 of this host, or `ERL_EPMD_PORT`.
    #[must_use]
    pub fn epmd(mut self, address: SocketAddr) -> Self {
        self.ways = Ways::PortMapper(address);
        self
    }

    /// Attaches it to a daemon of this process, by where that is asked.
    pub(crate) fn attach_to(mut self, daemon: mpsc::Sender<Request>) -> Self {
        self.ways = Ways::Daemon(daemon);
        self
    }

    /// Lets other nodes call a function, of any arity, through `erpc`, `rpc` and `spawn`. Each call is a process of its own.
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

    /// The same for a function whose arguments are a tuple of one's own types. Others raise `function_clause`.
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

    /// Starts it, on the Tokio runtime that this is called from.
    ///
    /// # Errors
    /// If its name is none or is taken, or there is no port mapper.
    pub async fn start(self) -> Result<Node, StartError> {
        let name = NodeName::new(&self.name)?;
        let failed = |what: String| move |source| StartError::Io { what, source };
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(failed(format!("listening on {}", self.listen)))?;
        let port = listener.local_addr().map_err(failed("listening".to_owned()))?.port();
        let mut registration = Registration::normal(name.name(), port);
        if !self.is_visible {
            registration.node_type = Registration::HIDDEN;
        }
        let place = match &self.ways {
            Ways::PortMapper(epmd) => {
                let registered = register(*epmd, registration.clone())
                    .await
                    .map_err(std::io::Error::other);
                let registered = registered.map_err(failed(format!("the port mapper at {epmd}")))?;
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

/// Where the node's name is known, as long as this is kept.
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

    /// Until the node stops.
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

/// Registers anew whenever the port mapper was started anew.
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
                    "the port mapper has given our name to another node"
                ),
                Err(error) => warn!(name = registration.name, %error, "the port mapper is gone"),
            }
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let callers = Arc::new(Semaphore::new(CALLERS));
    loop {
        let Ok(permit) = Arc::clone(&callers).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let shaking = shake(stream, Arc::clone(&shared), permit);
                shared.tasks.spawn(shaking);
            }
            Err(error) => {
                warn!(%error, "a node cannot accept a connection; is the limit of open files too low?");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Takes a node that calls; only its handshake counts against the number of callers.
async fn shake(stream: TcpStream, shared: Arc<Shared>, permit: tokio::sync::OwnedSemaphorePermit) {
    let mut wire = Wire::new(stream, 0);
    let party = Handshake::accept(shared.own.clone(), rand::random());
    let limit = shared.config.setup_time;
    let outcome = timeout(limit, wire.shake(&shared, party))
        .await
        .unwrap_or(Err(ConnectionError::Late(limit)));
    drop(permit);
    match outcome {
        Ok(far) => wire.carry(shared, far).await,
        Err(error) => {
            warn!(node = %shared.name, %error, "a connection was refused");
            shared.apply(|machine| machine.abandon(wire.attempt, &error.to_string()));
        }
    }
}
