use std::fmt;
use std::sync::Arc;

use super::HandshakeError;

/// The maximum length of a node name in characters (`erl_dist_protocol`).
const CHARACTERS_MAX: usize = 255;

/// The last character of Latin-1, the encoding of names in the handshake.
const LATIN1_MAX: char = '\u{ff}';

/// The full name of a node, `name@host`. It is cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Creates a node name from text.
    ///
    /// # Errors
    /// Unless the text has exactly one `@`, a name of letters, digits, `_` and `-` before it (`dist.c: is_node_name`),
    /// a host part of Latin-1 characters after it (the handshake supports no others), and at most 255 characters.
    pub fn new(text: &str) -> Result<Self, HandshakeError> {
        let refuse = || HandshakeError::Name(text.chars().take(300).collect());
        let (name, host) = text.split_once('@').ok_or_else(refuse)?;
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
        let is_host = !host.is_empty() && host.chars().all(|c| c != '@' && !c.is_control() && c <= LATIN1_MAX);
        if !is_name || !is_host || text.chars().count() > CHARACTERS_MAX {
            return Err(refuse());
        }
        Ok(Self(text.into()))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    pub fn name(&self) -> &str {
        self.0.split_once('@').map_or("", |(name, _)| name)
    }

    /// The part after the `@`.
    pub fn host(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, host)| host)
    }
}

/// A hint for the name of a node that is not known: one that is known and differs in upper and lower case only. Empty if there is
/// none.
pub fn case_hint<'a>(node: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let folded = node.to_lowercase();
    let near = known.into_iter().find(|other| other.to_lowercase() == folded);
    near.map_or_else(String::new, |near| {
        format!("; there is a node {near}: names are case-sensitive")
    })
}

/// Lists nodes, each with the full names by which it can be found. It answers to one of them only.
pub fn list_nodes(nodes: &[Vec<String>]) -> String {
    let nodes: Vec<String> = nodes.iter().map(|names| names.join(" or ")).collect();
    match nodes.is_empty() {
        true => "none".to_owned(),
        false => nodes.join(", "),
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
