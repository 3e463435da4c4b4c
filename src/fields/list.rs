use std::error::Error;
use std::fmt;

/// A list as a field of a log line: `info!(nodes = List::of(&nodes).value(), …)`. In the JSON log it is a list; a list that is given
/// by its `Debug` form would be a text there.
///
/// `tracing` has no lists. An error is the only value that whoever formats a line can ask for its type, so this is one.
#[derive(Clone, PartialEq, Eq)]
pub struct List(Vec<Item>);

/// An item of a [`List`].
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
}

impl List {
    /// Creates a list of texts or numbers.
    pub fn of<T: Into<Item>>(items: impl IntoIterator<Item = T>) -> Self {
        Self(items.into_iter().map(Into::into).collect())
    }

    /// The form in which `tracing` takes it.
    pub fn value(&self) -> &(dyn Error + 'static) {
        self
    }

    /// Its items.
    #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "the program formats its log"))]
    pub fn items(&self) -> &[Item] {
        &self.0
    }
}

impl From<&String> for Item {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&u64> for Item {
    fn from(number: &u64) -> Self {
        Self::Number(*number)
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl Error for List {}
