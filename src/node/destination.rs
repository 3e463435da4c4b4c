use super::Watched;
use crate::dist::Target;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;

/// The receiver of a message, or the target of a monitor.
///
/// ```
/// use beamway::etf::Atom;
/// use beamway::node::Destination;
///
/// let here = Destination::from("cache");
/// assert_eq!(here, Destination::Name(Atom::literal("cache")));
/// let there = Destination::from(("cache", "b@127.0.0.1"));
/// assert_eq!(there.node(), Some(&Atom::literal("b@127.0.0.1")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A process.
    Process(NodePid),
    /// The process registered under this name on this node.
    Name(Atom),
    /// The process registered under this name on that node.
    NameAt {
        /// The registered name.
        name: Atom,
        /// The node.
        node: Atom,
    },
    /// A process by its alias.
    Alias(NodeReference),
}

impl Destination {
    /// The node; `None` for [`Destination::Name`], which means this node.
    pub const fn node(&self) -> Option<&Atom> {
        match self {
            Self::Process(pid) => Some(&pid.node),
            Self::Name(_) => None,
            Self::NameAt { node, .. } => Some(node),
            Self::Alias(alias) => Some(&alias.node),
        }
    }

    /// The same as the target of a monitor. An alias cannot be monitored: it becomes a name that no process has.
    pub(super) fn into_watched(self, own: &Atom) -> Watched {
        match self {
            Self::Process(pid) => Watched::Process(pid),
            Self::Name(name) => Watched::Name {
                name,
                node: own.clone(),
            },
            Self::NameAt { name, node } => Watched::Name { name, node },
            Self::Alias(_) => Watched::Name {
                name: Atom::literal("undefined"),
                node: own.clone(),
            },
        }
    }
}

impl From<Destination> for Target {
    /// The receiver without its node.
    fn from(destination: Destination) -> Self {
        match destination {
            Destination::Process(pid) => Self::Process(pid),
            Destination::Name(name) | Destination::NameAt { name, .. } => Self::Name(name),
            Destination::Alias(alias) => Self::Alias(alias),
        }
    }
}

impl From<NodePid> for Destination {
    fn from(pid: NodePid) -> Self {
        Self::Process(pid)
    }
}

impl From<&NodePid> for Destination {
    fn from(pid: &NodePid) -> Self {
        Self::Process(pid.clone())
    }
}

impl From<NodeReference> for Destination {
    fn from(alias: NodeReference) -> Self {
        Self::Alias(alias)
    }
}

impl From<&NodeReference> for Destination {
    fn from(alias: &NodeReference) -> Self {
        Self::Alias(alias.clone())
    }
}

impl From<Atom> for Destination {
    fn from(name: Atom) -> Self {
        Self::Name(name)
    }
}

impl From<&'static str> for Destination {
    fn from(name: &'static str) -> Self {
        Self::Name(Atom::literal(name))
    }
}

impl From<(Atom, Atom)> for Destination {
    fn from((name, node): (Atom, Atom)) -> Self {
        Self::NameAt { name, node }
    }
}

impl From<(&'static str, &'static str)> for Destination {
    fn from((name, node): (&'static str, &'static str)) -> Self {
        Self::NameAt {
            name: Atom::literal(name),
            node: Atom::literal(node),
        }
    }
}

impl From<(&'static str, &Atom)> for Destination {
    fn from((name, node): (&'static str, &Atom)) -> Self {
        Self::NameAt {
            name: Atom::literal(name),
            node: node.clone(),
        }
    }
}
