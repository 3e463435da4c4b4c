use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::error::Mistake;
use super::units;
use super::value::Given;
use super::value::Place;
use super::value::Table;
use super::value::Value;

/// Maximum number of characters of a value that a message repeats.
const SHOWN_MAX: usize = 60;

/// Maximum number of mistakes reported for one file. With more, the file is something else.
const MISTAKES_MAX: usize = 200;

/// The fault of a key that is not there.
pub(super) const MISSING: &str = "missing";

/// The mistakes found so far, and the text in which they are.
pub(super) struct Report<'t> {
    text: &'t str,
    list: Vec<Mistake>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// Adds a mistake in a value.
    pub(super) fn add(&mut self, key: String, place: Option<&Place>, fault: &'static str, allowed: String) {
        let offset = place.and_then(Place::begin);
        let value = place.and_then(|place| self.shown(place));
        self.push(key, offset, value, fault, allowed);
    }

    /// Adds a mistake at an offset into the text, without a value to show.
    pub(super) fn add_at(&mut self, key: String, offset: Option<usize>, fault: &'static str, allowed: String) {
        self.push(key, offset, None, fault, allowed);
    }

    fn push(
        &mut self,
        key: String,
        offset: Option<usize>,
        value: Option<String>,
        fault: &'static str,
        allowed: String,
    ) {
        if self.list.len() < MISTAKES_MAX {
            let line = offset.map(|offset| self.line(offset));
            self.list.push(Mistake {
                line,
                key,
                value,
                fault,
                allowed,
            });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All mistakes in the order of their lines. Those without a line come last.
    pub(super) fn into_list(mut self) -> Vec<Mistake> {
        self.list.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
        self.list
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// The text of a value on one line, cut to [`SHOWN_MAX`].
    fn shown(&self, place: &Place) -> Option<String> {
        let text = match place {
            Place::Span(span) => self.text.get(span.clone())?,
            Place::Shown(text) => text,
        };
        let mut shown: String = text
            .chars()
            .take(SHOWN_MAX)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if text.chars().nth(SHOWN_MAX).is_some() {
            shown.push('…');
        }
        Some(shown)
    }
}

/// A value and its place, for rules that concern several keys.
#[derive(Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// The keys of one table. Each is read once. Keys that were never read are unknown.
pub(super) struct Section<'a> {
    table: Option<&'a Table>,
    /// Offset of the table in the text.
    begin: Option<usize>,
    path: String,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// `None` for a missing table.
    pub(super) fn new(path: &str, table: Option<&'a Table>, begin: Option<usize>) -> Self {
        Self {
            table,
            begin,
            path: path.to_owned(),
            asked: Vec::new(),
        }
    }

    /// The table under a key, if the value is a table.
    pub(super) fn of(path: &str, given: Option<&'a Given>) -> Self {
        let table = given.and_then(|given| given.value.as_table());
        Self::new(path, table, given.and_then(|given| given.place.begin()))
    }

    /// The key, prefixed with its table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The value of a key, unchecked.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<&'a Given> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let found = self.table?.keys.iter().find(|found| found.name == key)?;
        Some(&found.given)
    }

    /// The value of a key, if it is set and `read` accepts it. A value that `read` does not accept is a mistake.
    pub(super) fn optional<T>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        allowed: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<Found<T>> {
        let given = self.raw(key)?;
        let place = given.place.clone();
        match read(&given.value) {
            Some(value) => Some(Found { value, place }),
            None => {
                report.add(self.key(key), Some(&place), "not allowed", allowed.to_owned());
                None
            }
        }
    }

    /// The same as [`Section::optional`], but a missing key is a mistake.
    pub(super) fn required<T>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        allowed: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<Found<T>> {
        let missing = self
            .table
            .is_none_or(|table| !table.keys.iter().any(|found| found.name == key));
        if missing {
            self.asked.push(key);
            report.add_at(self.key(key), self.begin, MISSING, allowed.to_owned());
            return None;
        }
        self.optional(report, key, allowed, read)
    }

    /// A whole number within limits.
    pub(super) fn number<T>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        limits: &RangeInclusive<T>,
    ) -> Option<Found<T>>
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        let allowed = format!("a whole number from {} to {}", limits.start(), limits.end());
        self.optional(report, key, &allowed, |value| {
            let number = T::try_from(whole(value)?).ok()?;
            limits.contains(&number).then_some(number)
        })
    }

    /// A size such as `"64MiB"`, or a number of bytes, within limits.
    pub(super) fn size(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        limits: &RangeInclusive<u64>,
    ) -> Option<Found<u64>> {
        let allowed = format!(
            "a size from \"{}\" to \"{}\" (B, kB, MB, GB, KiB, MiB, GiB)",
            units::size_text(*limits.start()),
            units::size_text(*limits.end())
        );
        self.optional(report, key, &allowed, |value| {
            let size = match value {
                Value::Text(text) => units::size(text)?,
                number => whole(number)?,
            };
            limits.contains(&size).then_some(size)
        })
    }

    /// A time such as `"15s"`, within limits.
    pub(super) fn time(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        limits: &RangeInclusive<Duration>,
    ) -> Option<Found<Duration>> {
        let allowed = format!(
            "a time from \"{}\" to \"{}\" (us, ms, s, m, h)",
            units::time_text(*limits.start()),
            units::time_text(*limits.end())
        );
        self.optional(report, key, &allowed, |value| {
            let time = match value {
                Value::Time(time) => *time,
                text => units::time(text.as_text()?)?,
            };
            limits.contains(&time).then_some(time)
        })
    }

    /// Reports every key that was not read.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for found in self.table.into_iter().flat_map(|table| &table.keys) {
            if !self.asked.contains(&found.name.as_str()) {
                let name: String = found.name.chars().take(SHOWN_MAX).collect();
                let allowed = format!("the keys {}", self.asked.join(", "));
                match &found.given.value {
                    // A table has no value to show.
                    Value::Table(_) => report.add_at(self.key(&name), found.begin, "unknown key", allowed),
                    _ => report.add(self.key(&name), Some(&found.given.place), "unknown key", allowed),
                }
            }
        }
    }
}

const fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Whole(number) => Some(*number),
        _ => None,
    }
}
