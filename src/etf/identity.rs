use super::Atom;

/// The identity of a process within its node: a pid without the node name.
///
/// `id` holds the low 28 bits (up to 32 with `V4_NC`) of the process number and `serial` the rest. `creation`
/// distinguishes incarnations of a node (`NEW_PID_EXT` in `erl_ext_dist`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid {
    /// The low part of the process number.
    pub id: u32,
    /// The high part of the process number.
    pub serial: u32,
    /// The incarnation of the node.
    pub creation: u32,
}

/// The identity of a reference within its node: one to five words, without the node name.
///
/// A reference with the pid marker is an *alias* of a process (`erl_bif_unique.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The incarnation of the node.
    pub creation: u32,
    count: u8,
    words: [u32; Self::WORDS_MAX],
}

impl Reference {
    /// The maximum number of words of a reference (`NEWER_REFERENCE_EXT` in `erl_ext_dist`).
    pub const WORDS_MAX: usize = 5;

    /// The bit of the second word that marks an alias (`ERTS_REF1_PID_MARKER_BIT__` in `erl_bif_unique.h`).
    const PID_MARKER: u32 = 1 << 16;

    /// Creates a reference from its words in wire order; `None` unless there are one to five.
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

    /// Whether the reference is the alias of a process.
    pub fn is_alias(&self) -> bool {
        self.words().get(1).is_some_and(|word| word & Self::PID_MARKER != 0)
    }
}

/// The identity of a port within its node: a port identifier without the node name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// The number of the port.
    pub id: u64,
    /// The incarnation of the node.
    pub creation: u32,
}

/// A pid with its node, as in a term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodePid {
    /// The name of the node.
    pub node: Atom,
    /// The process within the node.
    pub pid: Pid,
}

/// A port identifier with its node, as in a term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodePort {
    /// The name of the node.
    pub node: Atom,
    /// The port within the node.
    pub port: Port,
}

/// A reference with its node, as in a term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeReference {
    /// The name of the node.
    pub node: Atom,
    /// The reference within the node.
    pub reference: Reference,
}
