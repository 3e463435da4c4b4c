use std::collections::BTreeMap;
use std::sync::Arc;

use super::NodePattern;
use super::daemon_of;

/// Which nodes a peer may speak for: announce them, open circuits in their names, accept circuits for them.
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
    /// Any node, if there is none.
    patterns: Option<Arc<[NodePattern]>>,
}

impl Policy {
    /// The nodes that one of the patterns matches, and no other.
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
    /// The policy of a peer. Any node, if nothing is set for its name; names are compared without their case, and a daemon
    /// that passes by has the policy of the name in its certificate.
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
