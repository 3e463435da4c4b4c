use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;

use super::DaemonPattern;
use super::Denied;
use super::NodePattern;
use super::NotAccepted;
use super::NotAllowed;
use super::Rules;
use super::daemon_of;

/// The nodes for which a peer may speak: it may announce them, open circuits in their names, and accept circuits for them.
///
/// ```
/// use beamway::internals::router::NodePattern;
/// use beamway::internals::router::Policy;
///
/// let policy = Policy::of(vec![NodePattern::parse("*@host2").expect("a pattern")]);
/// assert!(policy.allows("web-1@host2"));
/// assert!(!policy.allows("web-1@host3"));
/// let policy = Policy::of_hosts(["host2".to_owned(), "10.0.0.2".to_owned()]);
/// assert!(policy.allows("web-1@Host2"));
/// assert!(!policy.allows("web-1@host3"));
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    speaks: Speaks,
    rules: Rules,
}

#[derive(Clone, Debug)]
enum Speaks {
    /// `allow` of the `[[peer]]`.
    Patterns(Arc<[NodePattern]>),
    /// The DNS names and IP addresses in the peer's certificate.
    Hosts(Arc<[String]>),
}

impl Policy {
    fn new(speaks: Speaks) -> Self {
        let rules = Rules::default();
        Self { speaks, rules }
    }

    /// The same with the rules of this daemon for pairs of nodes.
    #[must_use]
    pub fn with(self, rules: &Rules) -> Self {
        let rules = rules.clone();
        Self { rules, ..self }
    }

    /// Checks that a node of this daemon and one of the peer may be connected. `from` is the one that connects.
    ///
    /// # Errors
    /// [`Denied`], which names the nodes and the rule.
    pub fn check_pair(&self, from: &str, to: &str) -> Result<(), Denied> {
        self.rules.check(from, to)
    }

    /// A policy that allows only nodes that match one of the patterns.
    pub fn of(patterns: impl Into<Arc<[NodePattern]>>) -> Self {
        Self::new(Speaks::Patterns(patterns.into()))
    }

    /// The policy of a peer without `allow`: only nodes of the hosts that its certificate names. A wildcard names no host.
    pub fn of_hosts(hosts: impl Into<Arc<[String]>>) -> Self {
        Self::new(Speaks::Hosts(hosts.into()))
    }

    /// Whether the peer may speak for a node of this full name.
    pub fn allows(&self, node: &str) -> bool {
        match &self.speaks {
            Speaks::Patterns(patterns) => patterns.iter().any(|pattern| pattern.matches(node)),
            Speaks::Hosts(hosts) => node
                .split_once('@')
                .is_some_and(|(_, host)| hosts.iter().any(|held| is_same_host(held, host))),
        }
    }

    /// The same, with the reason why it may not.
    ///
    /// # Errors
    ///
    /// [`NotAllowed`], which says what would allow it.
    pub fn check(&self, node: &str) -> Result<(), NotAllowed> {
        if self.allows(node) {
            return Ok(());
        }
        let mut reason = String::new();
        // Writing to a string cannot fail.
        let _ = match &self.speaks {
            Speaks::Patterns(patterns) => {
                let folded = node.to_lowercase();
                let near = patterns.iter().find(|pattern| pattern.folded().matches(&folded));
                match near {
                    Some(near) => write!(
                        reason,
                        "the pattern `{near}` of its `allow` differs in upper and lower case"
                    ),
                    None => write!(reason, "no pattern of its `allow` fits"),
                }
            }
            Speaks::Hosts(hosts) => {
                let host = node.split_once('@').map_or(node, |(_, host)| host);
                write!(
                    reason,
                    "its certificate is for the hosts {}; issue one with `--host {host}`, or set `allow` in its [[peer]]",
                    shown(hosts)
                )
            }
        };
        Err(NotAllowed { reason })
    }
}

/// At most this many host names are shown in a message.
const SHOWN: usize = 8;

fn shown(hosts: &[String]) -> String {
    let more = hosts.len().saturating_sub(SHOWN);
    let mut names: Vec<String> = hosts.iter().take(SHOWN).map(|host| format!("`{host}`")).collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

/// Whether a host part of a node name means a host of a certificate. DNS names have no case, and an address has several
/// spellings.
fn is_same_host(held: &str, host: &str) -> bool {
    match (held.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        (Ok(held), Ok(host)) => held == host,
        _ => !held.contains('*') && held.eq_ignore_ascii_case(host),
    }
}

/// The configured peers of a daemon, each with its policy if it has one of its own, and the rules for pairs of nodes.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    peers: BTreeMap<String, Option<Policy>>,
    rules: Rules,
}

impl Policies {
    /// The same with these rules for pairs of nodes.
    #[must_use]
    pub fn with(self, rules: &Rules) -> Self {
        let rules = rules.clone();
        Self { rules, ..self }
    }

    /// The policy of a peer with these hosts in its certificate. They decide, unless the peer is configured with a policy of
    /// its own. Names are compared without case. A temporary daemon has the policy of the name in its certificate.
    pub fn of(&self, peer: &str, hosts: &Arc<[String]>) -> Policy {
        let own = self.get(peer).and_then(Clone::clone);
        own.unwrap_or_else(|| Policy::of_hosts(Arc::clone(hosts)))
            .with(&self.rules)
    }

    /// Whether a peer is configured.
    pub fn is_configured(&self, peer: &str) -> bool {
        self.get(peer).is_some()
    }

    fn get(&self, peer: &str) -> Option<&Option<Policy>> {
        self.peers.get(&daemon_of(peer).to_ascii_lowercase())
    }
}

impl<N: AsRef<str>> FromIterator<(N, Option<Policy>)> for Policies {
    fn from_iter<I: IntoIterator<Item = (N, Option<Policy>)>>(policies: I) -> Self {
        let policies = policies.into_iter();
        Self {
            peers: policies
                .map(|(peer, policy)| (peer.as_ref().to_ascii_lowercase(), policy))
                .collect(),
            rules: Rules::default(),
        }
    }
}

/// Which daemons may dial in. All clones are the same, and change together.
#[derive(Clone, Debug, Default)]
pub struct Acceptance(Arc<RwLock<Accepted>>);

#[derive(Debug, Default)]
struct Accepted {
    /// The configured peers, which may always dial in.
    peers: BTreeSet<String>,
    /// `[accept] names`. `None` accepts every certificate of the authority.
    names: Option<Vec<DaemonPattern>>,
}

impl Acceptance {
    /// Accepts these peers, and other daemons whose names match one of the patterns; without patterns, all of them.
    pub fn new(peers: impl IntoIterator<Item = String>, names: Option<Vec<DaemonPattern>>) -> Self {
        let acceptance = Self::default();
        acceptance.set(peers, names);
        acceptance
    }

    /// Accepts these from now on.
    pub fn set(&self, peers: impl IntoIterator<Item = String>, names: Option<Vec<DaemonPattern>>) {
        let peers = peers.into_iter().map(|peer| peer.to_ascii_lowercase()).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Accepted { peers, names };
    }

    fn accepted(&self) -> RwLockReadGuard<'_, Accepted> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a daemon is configured as a peer.
    pub fn is_configured(&self, daemon: &str) -> bool {
        self.accepted().peers.contains(&daemon.to_ascii_lowercase())
    }

    /// Whether a daemon with this name in its certificate may dial in.
    ///
    /// # Errors
    ///
    /// [`NotAccepted`], which says what would accept it.
    pub fn check(&self, daemon: &str) -> Result<(), NotAccepted> {
        let is_configured = self.is_configured(daemon);
        let is_accepted = match &self.accepted().names {
            None => true,
            Some(names) => is_configured || names.iter().any(|name| name.matches(daemon)),
        };
        is_accepted.then_some(()).ok_or(NotAccepted)
    }
}
