use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Daemon;
use super::load;
use super::load::Loaded;
use super::own_hosts;
use crate::config;
use crate::config::Config;
use crate::config::GatewaySettings;
use crate::hub::io::directory::Request;

/// What is wrong with the settings of [`Lanes`]: every mistake, a line each.
#[derive(Debug, Error)]
#[error("{}", .0.join("\n"))]
pub struct LanesError(Vec<String>);

/// The lanes of a program, to be started: sessions with its peers, for the native nodes that are attached to them.
///
/// It is a daemon without BEAMs: it listens for none, and unless told to, neither for peers nor as a port mapper.
///
/// ```no_run
/// use beamway::carrier::Lanes;
/// use beamway::node::Node;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // The folder holds ca.pem, cert.pem and key.pem, as `beamway certs issue h3` makes it.
/// let lanes = Lanes::new("h3", "certs/h3").peer("h1", "h1.example:4471").start().await?;
/// let orders = Node::builder("orders@h3").cookie("secret").attach(lanes.natives()).start().await?;
/// let stock = Node::builder("stock@h3").cookie("secret").attach(lanes.natives()).start().await?;
/// // …
/// orders.stop().await;
/// stock.stop().await;
/// lanes.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Lanes {
    name: String,
    certs: PathBuf,
    listen: SocketAddr,
    epmd: Option<SocketAddr>,
    peers: Vec<(String, String, Vec<String>)>,
    busy_wait: Duration,
}

impl Lanes {
    /// Lanes of that name, one of its certificate; the folder holds the files that `beamway certs issue` makes.
    pub fn new(name: &str, certs: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            certs: certs.into(),
            listen: (Ipv4Addr::UNSPECIFIED, 0).into(),
            epmd: None,
            peers: Vec::new(),
            busy_wait: GatewaySettings::BUSY_WAIT,
        }
    }

    /// Where peers find it: without it, it can only dial.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Serves as the port mapper of BEAMs on this host, which find its nodes, and reach peers, there.
    #[must_use]
    pub const fn epmd(mut self, address: SocketAddr) -> Self {
        self.epmd = Some(address);
        self
    }

    /// A peer, and where to dial it, `host:port`. It may speak for nodes of any name.
    #[must_use]
    pub fn peer(self, name: &str, address: &str) -> Self {
        self.peer_for(name, address, &["*@*"])
    }

    /// A peer that may speak for nodes of these names only, such as `"*@h1"`.
    #[must_use]
    pub fn peer_for(mut self, name: &str, address: &str, nodes: &[&str]) -> Self {
        let nodes = nodes.iter().map(|pattern| (*pattern).to_owned()).collect();
        self.peers.push((name.to_owned(), address.to_owned(), nodes));
        self
    }

    /// For so long after a small signal a thread of the runtime looks for the next instead of sleeping: 200 µs without this,
    /// 10 ms at most; zero where processor time is rationed. The core is left to any program, and the thread to any task,
    /// that wants it.
    #[must_use]
    pub const fn busy_wait(mut self, time: Duration) -> Self {
        self.busy_wait = time;
        self
    }

    /// Starts it, on the Tokio runtime that this is called from.
    ///
    /// # Errors
    /// If a setting is wrong, the certificate does not fit, or an address cannot be had.
    pub async fn start(self) -> anyhow::Result<RunningLanes> {
        let config = self.config().map_err(LanesError)?;
        let here = Path::new("");
        let identity = load::identity(here, &config.gateway.certs, Some(&config.gateway.name)).map_err(LanesError)?;
        run(Loaded { config, identity }).await
    }

    /// Starts the same by a configuration file as gateways have (`docs/CONFIGURATION.md`).
    ///
    /// # Errors
    /// As [`Lanes::start`].
    pub async fn start_file(file: impl AsRef<Path>) -> anyhow::Result<RunningLanes> {
        run(load::load(file.as_ref()).map_err(LanesError)?).await
    }

    /// The settings, checked as those of a file are, and with the same defaults.
    fn config(&self) -> Result<Config, Vec<String>> {
        let text = |text: &str| toml::Value::from(text).to_string();
        let mut file = format!(
            "[gateway]\nname = {}\nlisten = \"{}\"\ncerts = {}\nbusy_wait = \"{}us\"\n",
            text(&self.name),
            self.listen,
            text(&self.certs.display().to_string()),
            self.busy_wait.as_micros(),
        );
        for (name, address, nodes) in &self.peers {
            let nodes = toml::Value::from(nodes.clone());
            let (name, address) = (text(name), text(address));
            file.push_str(&format!(
                "[[peer]]\nname = {name}\naddress = {address}\nallow = {nodes}\n"
            ));
        }
        let mut config = config::parse(&file)
            .map_err(|mistakes| mistakes.list.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        config.epmd.listen = self.epmd.into_iter().collect();
        Ok(config)
    }
}

async fn run(loaded: Loaded) -> anyhow::Result<RunningLanes> {
    let app = Daemon::bind(loaded.config, &loaded.identity, own_hosts())
        .await
        .context("lanes")?;
    let (natives, leave) = (app.natives(), CancellationToken::new());
    let address = app.local_addr()?;
    let task = tokio::spawn(app.run(leave.clone()));
    Ok(RunningLanes {
        natives,
        address,
        leave,
        task,
    })
}

/// Lanes that carry.
#[derive(Debug)]
pub struct RunningLanes {
    natives: mpsc::Sender<Request>,
    address: SocketAddr,
    leave: CancellationToken,
    task: JoinHandle<()>,
}

impl RunningLanes {
    /// For [`NodeBuilder::attach`](crate::node::NodeBuilder::attach).
    pub fn natives(&self) -> mpsc::Sender<Request> {
        self.natives.clone()
    }

    /// Where peers can dial it.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it in order: peers hear that it leaves. Stop its nodes before.
    pub async fn stop(self) {
        self.leave.cancel();
        let _ = self.task.await;
    }
}
