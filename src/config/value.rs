use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use super::units;

/// Settings from a file or a program, before they are checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(super) keys: Vec<Key>,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    /// Offset of the key in the text of the file.
    pub(super) begin: Option<usize>,
    pub(super) given: Given,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// How a message shows a value.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "config-file"), allow(dead_code, reason = "only a file has all kinds"))]
pub(super) enum Place {
    /// As it is written in the file, at this range.
    Span(Range<usize>),
    /// The value comes from a program; this is how it would be written in a file.
    Shown(String),
}

#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "config-file"), allow(dead_code, reason = "only a file has all kinds"))]
pub(crate) enum Value {
    Text(String),
    Whole(u64),
    Flag(bool),
    /// Only from a program. A file contains text instead.
    Time(Duration),
    /// Only from a program. A file contains text instead.
    Path(PathBuf),
    List(Vec<Given>),
    Table(Table),
    /// A type that no key accepts.
    Other,
}

impl Table {
    /// Adds a key. If a key is added twice, the first value counts.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.keys.push(Key {
            name: name.to_owned(),
            begin: None,
            given: Given::from(value.into()),
        });
        self
    }
}

impl Place {
    /// Offset of the value in the text of the file.
    pub(super) fn begin(&self) -> Option<usize> {
        match self {
            Self::Span(span) => Some(span.start),
            Self::Shown(_) => None,
        }
    }
}

impl Value {
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) const fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(super) const fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "{text:?}"),
            Self::Whole(number) => number.fmt(formatter),
            Self::Flag(flag) => flag.fmt(formatter),
            Self::Time(time) => write!(formatter, "\"{}\"", units::time_text(*time)),
            Self::Path(path) => write!(formatter, "{path:?}"),
            Self::List(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(formatter, "{comma}{}", item.value)?;
                }
                formatter.write_str("]")
            }
            Self::Table(_) => formatter.write_str("a table"),
            Self::Other => formatter.write_str("another kind of value"),
        }
    }
}

impl From<Value> for Given {
    fn from(value: Value) -> Self {
        let place = Place::Shown(value.to_string());
        Self { value, place }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<SocketAddr> for Value {
    fn from(address: SocketAddr) -> Self {
        Self::Text(address.to_string())
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

impl From<PathBuf> for Value {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(|item| Given::from(item.into())).collect())
    }
}
