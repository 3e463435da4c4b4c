use std::fmt;

use super::PatternError;

/// The maximum length of a pattern in bytes. An Erlang node name is an atom of at most 255 characters.
const PATTERN_BYTES_MAX: usize = 255;

/// A pattern of node names, in which `*` matches any sequence of characters, including an empty one.
///
/// `*@host2` matches every node of one host, `web-*@*` every node whose name begins with `web-`, and `*@*` any node. The
/// comparison is case-sensitive, since node names are Erlang atoms.
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
    /// The pattern that matches any node.
    #[cfg(any(test, feature = "internals"))]
    pub fn any() -> Self {
        Self { text: "*@*".to_owned() }
    }

    /// Parses a pattern. It must have exactly one `@` with text on both sides, no white space and no control characters.
    ///
    /// # Errors
    ///
    /// [`PatternError`] with the rule that is broken.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let error = |reason| PatternError {
            pattern: text.chars().take(80).collect(),
            reason,
        };
        if text.len() > PATTERN_BYTES_MAX {
            return Err(error("it is longer than 255 bytes"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(error("it contains white space or a control character"));
        }
        match text.split_once('@') {
            Some((name, host)) if !name.is_empty() && !host.is_empty() && !host.contains('@') => {
                Ok(Self { text: text.to_owned() })
            }
            _ => Err(error("it must be `NAME@HOST` with one `@`")),
        }
    }

    /// Whether the pattern matches the full name of a node.
    pub fn matches(&self, node: &str) -> bool {
        // A `*` never matches the `@`, so that `*@host2` does not match a name such as `a@other@host2`.
        match (self.text.split_once('@'), node.split_once('@')) {
            (Some((name, host)), Some((node_name, node_host))) => {
                !node_host.contains('@') && glob(name, node_name) && glob(host, node_host)
            }
            _ => false,
        }
    }

    /// The pattern in lower case, to find names that differ in case only.
    pub(super) fn folded(&self) -> Self {
        Self {
            text: self.text.to_lowercase(),
        }
    }
}

impl fmt::Display for NodePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A pattern of the names of daemons, in which `*` matches any sequence of characters. Case does not matter.
///
/// ```
/// use beamway::internals::router::DaemonPattern;
///
/// let pattern = DaemonPattern::parse("web-*.example.com").expect("a pattern");
/// assert!(pattern.matches("Web-1.example.com"));
/// assert!(!pattern.matches("db.example.com"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonPattern {
    /// In lower case.
    text: String,
}

impl DaemonPattern {
    /// The pattern that matches any name.
    pub fn any() -> Self {
        Self { text: "*".to_owned() }
    }

    /// Parses a pattern: letters, digits, `-`, `_`, dots and `*`. `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
        let fits = !text.is_empty() && text.len() <= PATTERN_BYTES_MAX && text.chars().all(is_fit);
        fits.then(|| Self {
            text: text.to_ascii_lowercase(),
        })
    }

    /// Whether the pattern matches the name of a daemon.
    pub fn matches(&self, daemon: &str) -> bool {
        glob(&self.text, &daemon.to_ascii_lowercase())
    }
}

impl fmt::Display for DaemonPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Whether `text` matches `pattern`, in which `*` matches any sequence of characters.
///
/// The pieces between the stars are searched one after another, each at its first possible position, without backtracking. So
/// the time is at most the product of both lengths.
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
