use super::Watched;
use crate::dist::Target;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;

/// Whom a message is for, or what a monitor is to watch.
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
    /// Whatever has the name on this node.
    Name(Atom),
    /// Whatever has the name on that node.
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
    /// The node, unless it is a name of this one.
    pub const fn node(&self) -> Option<&Atom> {
        match self {
            Self::Process(pid) => Some(&pid.node),
            Self::Name(_) => None,
            Self::NameAt { node, .. } => Some(node),
            Self::Alias(alias) => Some(&alias.node),
        }
    }

    /// As something to watch. An alias cannot be watched, and is taken for a name that nobody has.
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
    /// Whom it is for on its node.
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
