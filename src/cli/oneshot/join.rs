use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::carrier::BoundDaemon;
use crate::carrier::Source;
use crate::carrier::own_hosts;
use crate::cli::cookie::CookieArgs;
use crate::cli::output;
use crate::config::Config;
use crate::config::PeerSettings;
use crate::config::Purpose;
use crate::dist::NodeName;
use crate::dist::case_hint;
use crate::dist::list_nodes;
use crate::endpoint::io::session::SessionHandle;
use crate::epmd::io::registration::names;
use crate::etf::Atom;
use crate::hub::io::directory::Place;
use crate::hub::io::directory::Request;
use crate::node;
use crate::node::Node;
use crate::router::Policy;

/// Time-out for a port mapper of this host. It answers at once, if there is one.
const EPMD_TIME: Duration = Duration::from_secs(1);

/// Polling interval: whether a peer has announced the node.
const LOOK: Duration = Duration::from_millis(5);

/// How long peers may take to be found (`[[discover]]`).
const FIND: Duration = Duration::from_secs(3);

/// How long a connected peer may take to announce its nodes. It announces all of them at once, so this covers some round
/// trips on the longest path, with losses.
const TELL: Duration = Duration::from_secs(2);

/// How a command joins the cluster.
#[derive(Debug)]
pub struct Joining {
    /// The configuration of this host's daemon, which does not have to be running.
    pub config: PathBuf,
    /// The cookie; by default the one in `~/.erlang.cookie`.
    pub(crate) cookie: CookieArgs,
    /// The full name of the command's node; by default a unique one.
    pub name: Option<String>,
    /// How long the command may take.
    pub timeout: Duration,
    /// The node to call, `name@host`.
    pub node: String,
}

/// A node that has joined.
pub(super) struct Visit {
    node: Node,
    /// The node that the command is about.
    pub(super) target: Atom,
    pub(super) way: Way,
    /// How long it took to connect to that node.
    pub(super) setup: Duration,
    /// When the command times out.
    pub(super) deadline: Instant,
    temporary: Option<TemporaryDaemon>,
}

/// The route to the other node.
#[derive(Debug)]
pub(super) enum Way {
    /// It is on this host, registered with this port mapper.
    Here(SocketAddr),
    /// Through the daemon of a peer, and the time until that peer announced the node.
    Peer(SessionHandle, Duration),
}

/// The temporary daemon of the command.
struct TemporaryDaemon {
    leave: CancellationToken,
    task: JoinHandle<()>,
}

impl Joining {
    /// Joins the cluster. Prints the mistakes of a wrong configuration, line by line.
    pub(super) async fn join(self) -> anyhow::Result<Visit> {
        let deadline = Instant::now() + self.timeout;
        let target = NodeName::new(&self.node).with_context(|| format!("{:?} is not a node name", self.node))?;
        let cookie = self.cookie.cookie()?;
        let source = Source::File(self.config.clone(), Purpose::Daemon);
        let loaded = source.load().map_err(|mistakes| {
            for line in &mistakes {
                output::complain(line);
            }
            anyhow!("the configuration has errors")
        })?;
        let config = &loaded.config;
        let hosts = config.epmd.hosts.clone().unwrap_or_else(own_hosts);
        let name = self.name.unwrap_or_else(|| {
            let host = own_host(&hosts, loaded.identity.hosts(), target.host());
            format!("beamway-{}-{:04x}@{host}", std::process::id(), rand::random::<u16>())
        });
        let builder = Node::builder(&name).cookie(cookie.expose());
        let (builder, way, temporary) = match here(config, &hosts, &target).await {
            Some(epmd) => (builder.epmd(epmd), Way::Here(epmd), None),
            None => {
                let began = Instant::now();
                let peers = config.peers.clone();
                let found = match config.discover.is_empty() {
                    true => began,
                    false => began + FIND,
                };
                let bound = BoundDaemon::bind_temporary(loaded, source, hosts).await?;
                let requests = bound.requests();
                let leave = CancellationToken::new();
                let task = tokio::spawn(bound.run(leave.clone()));
                let temporary = TemporaryDaemon { leave, task };
                let session = match find(&requests, &target, &peers, found, deadline).await {
                    Ok(session) => session,
                    Err(error) => {
                        temporary.leave().await;
                        return Err(error);
                    }
                };
                let way = Way::Peer(session, began.elapsed());
                (builder.attach_to(requests), way, Some(temporary))
            }
        };
        let node = builder
            .start()
            .await
            .with_context(|| format!("cannot join as {name}"))?;
        let target = Atom::new(target.as_str()).context("a node's name")?;
        let began = Instant::now();
        let connected = node.connect(&target).await;
        let visit = Visit {
            node,
            setup: began.elapsed(),
            target,
            way,
            deadline,
            temporary,
        };
        match connected {
            Ok(()) => Ok(visit),
            Err(error) => {
                let target = visit.target.clone();
                visit.leave().await;
                Err(anyhow!(error).context(format!("cannot connect to {}", target.as_str())))
            }
        }
    }

    /// Joins, runs a process with the node to call and the remaining time, and leaves.
    pub(crate) async fn visit<T>(
        self,
        body: impl AsyncFnOnce(node::Context, Atom, Duration) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let visit = self.join().await?;
        let (target, limit) = (visit.target.clone(), visit.left());
        visit.run(async |context| body(context, target, limit).await).await
    }
}

impl Visit {
    /// The remaining time.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Runs a process and leaves.
    pub(super) async fn run<T>(self, body: impl AsyncFnOnce(node::Context) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let done = self.node.run(|context| body(context)).await;
        self.leave().await;
        done?
    }

    /// Leaves gracefully: everything that was sent is delivered first.
    async fn leave(self) {
        self.node.stop().await;
        if let Some(temporary) = self.temporary {
            temporary.leave().await;
        }
    }
}

impl TemporaryDaemon {
    /// Peers are told that the daemon leaves, so they keep no state of it.
    async fn leave(self) {
        self.leave.cancel();
        let _ = self.task.await;
    }
}

/// The port mapper of this host, if the node is registered there. Peers are not asked for such a node.
async fn here(config: &Config, hosts: &[String], target: &NodeName) -> Option<SocketAddr> {
    if !hosts.iter().any(|host| host.eq_ignore_ascii_case(target.host())) {
        return None;
    }
    for epmd in &config.epmd.listen {
        let asked = tokio::time::timeout(EPMD_TIME, names(*epmd)).await;
        if let Ok(Ok(names)) = asked
            && names.iter().any(|name| name == target.name())
        {
            return Some(*epmd);
        }
    }
    None
}

/// Waits until a peer announces the node. Gives up early if all peers are connected, at `all_found` at the earliest, and none announces it.
async fn find(
    requests: &mpsc::Sender<Request>,
    target: &NodeName,
    dialled: &[PeerSettings],
    all_found: Instant,
    deadline: Instant,
) -> anyhow::Result<SessionHandle> {
    let mut complete_since = None;
    loop {
        let (answer, found) = oneshot::channel();
        let request = Request::Find {
            target: target.as_str().to_owned(),
            answer,
        };
        requests.send(request).await.context("the daemon has stopped")?;
        let (known, peers) = match found.await.context("the daemon has stopped")? {
            Place::Peer { session, .. } => return Ok(session),
            Place::Here { .. } => bail!("{target} runs in this process"),
            Place::Unknown { known, peers } => (known, peers),
        };
        let absent = absent(dialled, &peers);
        let now = Instant::now();
        let is_complete = absent.is_empty() && now >= all_found;
        complete_since = is_complete.then(|| complete_since.unwrap_or(now));
        let all_have_told = complete_since.is_some_and(|since| now >= since + TELL);
        if all_have_told || now >= deadline {
            bail!(
                "no peer has announced node {target}{}; known nodes: {}; unreachable peers: {}",
                case_hint(target.as_str(), known.iter().flatten().map(String::as_str)),
                list_nodes(&known),
                list(&absent)
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The configured peers that are not connected.
fn absent(dialled: &[PeerSettings], there: &[Arc<str>]) -> Vec<String> {
    let is_there = |name: &str| there.iter().any(|peer| peer.eq_ignore_ascii_case(name));
    let absent = dialled.iter().filter(|peer| !is_there(&peer.name));
    absent
        .map(|peer| format!("{} at {}", peer.name, peer.address))
        .collect()
}

fn list(words: &[String]) -> String {
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

/// The host part for our own name: of those that our certificate names, if there are any, since peers refuse others by default.
fn own_host<'a>(hosts: &'a [String], certified: &[String], like: &str) -> &'a str {
    let policy = Policy::of_hosts(certified);
    let is_certified = |host: &&String| policy.allows(&format!("a@{host}"));
    let certified: Vec<&String> = hosts.iter().filter(is_certified).collect();
    if certified.is_empty() {
        host_like(hosts.iter().collect(), like)
    } else {
        host_like(certified, like)
    }
}

/// The host part for our own name: an address, a full name or a short one, as in the name of the other node.
fn host_like<'a>(hosts: Vec<&'a String>, like: &str) -> &'a str {
    let kind = |host: &str| (host.parse::<std::net::IpAddr>().is_ok(), host.contains('.'));
    let same = hosts.iter().find(|host| kind(host) == kind(like));
    same.or(hosts.first()).map_or("localhost", |host| host.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_part_is_of_the_kind_that_the_other_node_has() {
        let hosts = ["10.0.0.1", "h1", "h1.example"].map(str::to_owned);
        assert_eq!(own_host(&hosts, &[], "127.0.0.1"), "10.0.0.1");
        assert_eq!(own_host(&hosts, &[], "h2"), "h1");
        assert_eq!(own_host(&hosts, &[], "h2.example"), "h1.example");
        assert_eq!(own_host(&hosts[..1], &[], "h2"), "10.0.0.1");
        assert_eq!(own_host(&[], &[], "h2"), "localhost");
        let certified = ["other", "H1"].map(str::to_owned);
        assert_eq!(
            own_host(&hosts, &certified, "h2.example"),
            "h1",
            "peers refuse the others"
        );
        assert_eq!(own_host(&hosts[..1], &certified, "h2"), "10.0.0.1");
    }
}
