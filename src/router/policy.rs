use std::collections::BTreeMap;
use std::sync::Arc;

use super::NodePattern;
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
/// assert!(Policy::default().allows("web-1@host3"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The allowed patterns. `None` allows any node.
    patterns: Option<Arc<[NodePattern]>>,
}

impl Policy {
    /// A policy that allows only nodes that match one of the patterns.
    pub fn of(patterns: impl Into<Arc<[NodePattern]>>) -> Self {
        Self {
            patterns: Some(patterns.into()),
        }
    }

    /// Whether the peer may speak for a node of this full name.
    pub fn allows(&self, node: &str) -> bool {
        self.patterns
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(node)))
    }
}

/// The policies of a daemon's peers.
#[derive(Clone, Debug, Default)]
pub struct Policies(BTreeMap<String, Policy>);

impl Policies {
    /// The policy of a peer. If none is set for its name, any node is allowed. Names are compared without case. A temporary
    /// daemon has the policy of the name in its certificate.
    pub fn of(&self, peer: &str) -> Policy {
        self.0
            .get(&daemon_of(peer).to_ascii_lowercase())
            .cloned()
            .unwrap_or_default()
    }
}

impl<N: AsRef<str>> FromIterator<(N, Policy)> for Policies {
    fn from_iter<I: IntoIterator<Item = (N, Policy)>>(policies: I) -> Self {
        let policies = policies.into_iter();
        Self(
            policies
                .map(|(peer, policy)| (peer.as_ref().to_ascii_lowercase(), policy))
                .collect(),
        )
    }
}
