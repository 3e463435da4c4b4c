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
use tokio::time::sleep;
use tokio::time::timeout;
use tracing::warn;

use super::ConnectionError;
use super::NodeConfig;
use super::OwnIdentity;
use super::Raise;
use super::StartError;
use super::driver::Wire;
use super::exports::Exports;
use super::handle::Node;
use super::handle::Shared;
use super::handshake::Handshake;
use super::process::handle::Context;
use super::system;
use crate::dist::NodeName;
use crate::epmd::Registration;
use crate::epmd::client::Registered;
use crate::epmd::client::register;
use crate::etf::Atom;
use crate::etf::Term;

/// Where a port mapper listens, unless `ERL_EPMD_PORT` says otherwise.
const EPMD_PORT: u16 = 4369;

/// Nodes that shake hands at once.
const CALLERS: usize = 256;

/// How often a lost registration is tried again, as nodes do.
const REGISTER_AGAIN: Duration = Duration::from_secs(2);

/// How a node reaches others.
#[derive(Debug)]
pub(super) struct Ways {
    /// The port mapper of this host.
    pub(super) epmd: Option<SocketAddr>,
}

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
    epmd: Option<SocketAddr>,
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
            epmd: Some((Ipv4Addr::LOCALHOST, port.unwrap_or(EPMD_PORT)).into()),
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
    pub const fn epmd(mut self, address: SocketAddr) -> Self {
        self.epmd = Some(address);
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
        let registered = match self.epmd {
            None => return Err(StartError::Unreachable),
            Some(epmd) => register(epmd, registration.clone())
                .await
                .map_err(std::io::Error::other)
                .map_err(failed(format!("the port mapper at {epmd}")))?
                .ok_or_else(|| StartError::Taken(name.to_string()))?,
        };
        let own = OwnIdentity {
            name: self.name,
            creation: registered.creation,
            is_visible: self.is_visible,
            cookie: self.cookie,
        };
        let atom = Atom::new(name.as_str()).unwrap_or_else(|_| unreachable!("a node's name is short enough"));
        let ways = Ways { epmd: self.epmd };
        let shared = Arc::new(Shared::new(own, atom, self.config, self.exports, ways));
        let stopping = shared.stopping.clone();
        shared.tasks.spawn(accept(listener, Arc::clone(&shared)));
        if let Some(epmd) = self.epmd {
            shared.tasks.spawn(async move {
                tokio::select! {
                    () = stay_registered(epmd, registration, registered) => {}
                    () = stopping.cancelled() => {}
                }
            });
        }
        let node = Node { shared };
        system::start(&node);
        Ok(node)
    }
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
