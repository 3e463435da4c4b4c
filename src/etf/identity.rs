use super::Atom;

/// The identity of a process within its node: everything of a pid but the node's name.
///
/// `id` holds the low 28 bits (up to 32 with `V4_NC`) of the process number, `serial` the rest; `creation` tells the
/// incarnations of a node apart (protocol reference §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid {
    /// Low part of the process number.
    pub id: u32,
    /// High part of the process number.
    pub serial: u32,
    /// Incarnation of the node.
    pub creation: u32,
}

/// The identity of a reference within its node: one to five words, everything but the node's name.
///
/// A reference with the pid marker is an *alias* of a process (protocol reference §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Incarnation of the node.
    pub creation: u32,
    count: u8,
    words: [u32; Self::WORDS_MAX],
}

impl Reference {
    /// A reference has at most this many words (protocol reference §7).
    pub const WORDS_MAX: usize = 5;

    /// Marks, in the second word, a reference that is an alias (`ERTS_REF1_PID_MARKER_BIT__` in `erl_bif_unique.h`).
    const PID_MARKER: u32 = 1 << 16;

    /// A reference from its words as they stand on the wire; `None` unless there are one to five.
    pub fn new(creation: u32, words: &[u32]) -> Option<Self> {
        if words.is_empty() {
            return None;
        }
        let mut padded = [0; Self::WORDS_MAX];
        padded.get_mut(..words.len())?.copy_from_slice(words);
        Some(Self {
            creation,
            count: words.len() as u8,
            words: padded,
        })
    }

    /// The words, in wire order.
    pub fn words(&self) -> &[u32] {
        self.words.get(..usize::from(self.count)).unwrap_or(&self.words)
    }

    /// Whether the reference is marked as the alias of a process.
    pub fn is_alias(&self) -> bool {
        self.words().get(1).is_some_and(|word| word & Self::PID_MARKER != 0)
    }
}

/// The identity of a port within its node (protocol reference §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// Number of the port.
    pub id: u64,
    /// Incarnation of the node.
    pub creation: u32,
}

/// A process anywhere in the cluster: a pid as a term holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodePid {
    /// Name of the node.
    pub node: Atom,
    /// Which process of it.
    pub pid: Pid,
}

/// A port anywhere in the cluster, as a term holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodePort {
    /// Name of the node.
    pub node: Atom,
    /// Which port of it.
    pub port: Port,
}

/// A reference made anywhere in the cluster, as a term holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeReference {
    /// Name of the node.
    pub node: Atom,
    /// Which reference of it.
    pub reference: Reference,
}
