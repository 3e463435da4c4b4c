use std::fmt;

use super::PatternError;

/// Longest pattern, bytes. An Erlang node name is an atom of at most 255 characters.
const PATTERN_BYTES_MAX: usize = 255;

/// Which nodes a daemon may speak for: a node name in which `*` stands for any run of characters, none included.
///
/// `*@host2` is every node of one host, `web-*@*` every node whose name begins with `web-`, `*@*` any node at all.
/// Node names are compared as they are, with their case: they are Erlang atoms.
///
/// ```
/// use beamway::internals::router::NodePattern;
///
/// let pattern = NodePattern::parse("web-*@host2").expect("a pattern");
/// assert!(pattern.matches("web-1@host2"));
/// assert!(!pattern.matches("web-1@host3"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePattern {
    text: String,
}

impl NodePattern {
    /// The default policy: any node.
    pub fn any() -> Self {
        Self { text: "*@*".to_owned() }
    }

    /// Reads a pattern: exactly one `@` with something on both sides, no blank and no control character.
    ///
    /// # Errors
    ///
    /// [`PatternError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let error = |reason| PatternError {
            pattern: text.chars().take(80).collect(),
            reason,
        };
        if text.len() > PATTERN_BYTES_MAX {
            return Err(error("it is longer than 255 bytes"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(error("it holds a blank or a control character"));
        }
        match text.split_once('@') {
            Some((name, host)) if !name.is_empty() && !host.is_empty() && !host.contains('@') => {
                Ok(Self { text: text.to_owned() })
            }
            _ => Err(error("it must be `NAME@HOST` with one `@`")),
        }
    }

    /// Whether a node may be spoken for.
    pub fn matches(&self, node: &str) -> bool {
        // A `*` never crosses the `@`: `*@host2` must not accept a name that only ends so.
        match (self.text.split_once('@'), node.split_once('@')) {
            (Some((name, host)), Some((node_name, node_host))) => {
                !node_host.contains('@') && glob(name, node_name) && glob(host, node_host)
            }
            _ => false,
        }
    }
}

impl fmt::Display for NodePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any run of characters.
///
/// The pieces between the stars are looked for one after the other, each as early as it can be, so the time is at most
/// the product of both lengths; nothing is tried twice.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        match text.split_once(piece) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}
