use std::fmt;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::Denied;
use super::NodePattern;

/// Whether two nodes may be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They may.
    Allow,
    /// They may not.
    Deny,
}

/// How much one node may send to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bytes of signals per second.
    pub bytes: u64,
    /// Bytes at once, after a time with little to send.
    pub burst: u64,
}

/// In which order circuits get a session's lanes. The order of the values is that of the priorities, the highest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Before others.
    High,
    /// The default.
    #[default]
    Normal,
    /// After others.
    Low,
}

impl Priority {
    /// All of them, the highest first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// As it is written in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// Reads it as it is written in a configuration.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One `[[policy]]`: what holds between nodes whose names match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// One of these patterns matches the first node.
    pub from: Vec<NodePattern>,
    /// One of these patterns matches the second node.
    pub to: Vec<NodePattern>,
    /// Whether such nodes may be connected, whoever begins; `None`: this rule does not say.
    pub action: Option<Action>,
    /// What the first node may send to the second one; `None`: this rule does not say.
    pub rate: Option<Rate>,
    /// The priority of what the first node sends to the second one; `None`: this rule does not say.
    pub priority: Option<Priority>,
}

impl Rule {
    fn matches(&self, from: &str, to: &str) -> bool {
        let fits = |patterns: &[NodePattern], node: &str| patterns.iter().any(|pattern| pattern.matches(node));
        fits(&self.from, from) && fits(&self.to, to)
    }
}

/// What the rules say of signals from one node to another one, each with the number of the rule, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The limit; `None`: there is none.
    pub rate: Option<(Rate, usize)>,
    /// The priority; `None`: no rule says, so it is the usual one.
    pub priority: Option<(Priority, usize)>,
}

/// The rules of a daemon for pairs of nodes: all `[[policy]]`, in their order. For each setting the first rule that matches and has
/// it decides. All clones are the same, and change together.
///
/// ```
/// use beamway::internals::router::{Action, NodePattern, Rule, Rules};
///
/// let pattern = |text| vec![NodePattern::parse(text).expect("a pattern")];
/// let rule = |from, to, action| Rule {
///     from: pattern(from),
///     to: pattern(to),
///     action: Some(action),
///     rate: None,
///     priority: None,
/// };
/// let rules = Rules::new("left", vec![rule("web@*", "db@*", Action::Allow), rule("*@*", "*@*", Action::Deny)]);
/// assert!(rules.check("db@h2", "web@h1").is_ok());
/// assert!(rules.check("web@h1", "web@h2").is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The name of the daemon whose rules these are.
    owner: String,
    list: RwLock<Arc<[Rule]>>,
    /// How many connections were denied.
    denied: AtomicU64,
}

impl Rules {
    /// The rules of the daemon of this name.
    pub fn new(owner: &str, list: Vec<Rule>) -> Self {
        Self(Arc::new(Shared {
            owner: owner.to_owned(),
            list: RwLock::new(list.into()),
            denied: AtomicU64::new(0),
        }))
    }

    /// Other rules apply from now on.
    pub fn set(&self, list: Vec<Rule>) {
        *self.0.list.write().unwrap_or_else(PoisonError::into_inner) = list.into();
    }

    fn list(&self) -> Arc<[Rule]> {
        Arc::clone(&self.0.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether two nodes may be connected, and the number of the rule that says so, counted from 1; `None`: no rule says, so they may.
    /// The order of the nodes does not matter.
    pub fn action(&self, one: &str, other: &str) -> Option<(Action, usize)> {
        let list = self.list();
        let mut numbered = list.iter().zip(1..);
        numbered.find_map(|(rule, number)| {
            let action = rule.action?;
            (rule.matches(one, other) || rule.matches(other, one)).then_some((action, number))
        })
    }

    /// What holds for signals of the node `from` to the node `to`.
    pub fn flow(&self, from: &str, to: &str) -> Flow {
        let list = self.list();
        let mut flow = Flow::default();
        for (rule, number) in list.iter().zip(1..) {
            if (rule.rate.is_none() && rule.priority.is_none()) || !rule.matches(from, to) {
                continue;
            }
            flow.rate = flow.rate.or(rule.rate.map(|rate| (rate, number)));
            flow.priority = flow.priority.or(rule.priority.map(|priority| (priority, number)));
        }
        flow
    }

    /// Checks that two nodes may be connected. A connection that may not be is counted, so ask once for each.
    ///
    /// # Errors
    /// [`Denied`], which names the nodes and the rule.
    pub fn check(&self, from: &str, to: &str) -> Result<(), Denied> {
        match self.action(from, to) {
            Some((Action::Deny, rule)) => {
                self.0.denied.fetch_add(1, Relaxed);
                Err(Denied {
                    from: from.to_owned(),
                    to: to.to_owned(),
                    rule,
                    owner: self.0.owner.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// How many connections were denied.
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    pub fn denied(&self) -> u64 {
        self.0.denied.load(Relaxed)
    }
}
