use std::fmt;

/// The secret that all nodes of a cluster share. Its `Debug` does not show it, since it may be logged.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Cookie(String);

impl Cookie {
    /// The secret itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Cookie {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl From<&str> for Cookie {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cookie(hidden)")
    }
}
