use std::fmt::Display;
use std::ops::Range;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::error::Mistake;
use super::units;

/// Longest piece of a value that a message repeats, characters.
const SHOWN_MAX: usize = 60;

/// Most mistakes reported of one file: beyond that the file is something else.
const MISTAKES_MAX: usize = 200;

/// The fault of a key that is not there.
pub(super) const MISSING: &str = "missing";

/// Mistakes as they are found, and the text that they are about.
pub(super) struct Report<'t> {
    text: &'t str,
    list: Vec<Mistake>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// Notes a mistake in the value that stands at `span`.
    pub(super) fn add(&mut self, key: String, span: Option<Range<usize>>, fault: &'static str, allowed: String) {
        let offset = span.as_ref().map(|span| span.start);
        let value = span.and_then(|span| self.shown(span));
        self.push(key, offset, value, fault, allowed);
    }

    /// Notes a mistake at a place, given as an offset into the text, that has no value to show.
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

    /// All mistakes in the order of their lines, those without one last.
    pub(super) fn into_list(mut self) -> Vec<Mistake> {
        self.list.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
        self.list
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// The text of a span on one line, cut to [`SHOWN_MAX`].
    fn shown(&self, span: Range<usize>) -> Option<String> {
        let text = self.text.get(span)?;
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

/// A value and where it stands, for rules between several keys.
#[derive(Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// The keys of one table. Each is asked for once; what was never asked for is unknown.
pub(super) struct Section<'a, 'i> {
    table: Option<&'a DeTable<'i>>,
    /// Where the table begins in the text.
    begin: Option<usize>,
    path: String,
    asked: Vec<&'static str>,
}

impl<'a, 'i> Section<'a, 'i> {
    /// `None` for a table that is not there.
    pub(super) fn new(path: &str, table: Option<&'a Spanned<DeTable<'i>>>) -> Self {
        Self::at(path, table.map(Spanned::get_ref), table.map(|table| table.span().start))
    }

    /// The table under a key, if that is what stands there.
    pub(super) fn of(path: &str, value: Option<&'a Spanned<DeValue<'i>>>) -> Self {
        let table = value.and_then(|value| value.get_ref().as_table());
        Self::at(path, table, value.map(|value| value.span().start))
    }

    fn at(path: &str, table: Option<&'a DeTable<'i>>, begin: Option<usize>) -> Self {
        Self {
            table,
            begin,
            path: path.to_owned(),
            asked: Vec::new(),
        }
    }

    /// The key with its table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The value of a key, unread.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.asked.push(key);
        let (_, value) = self.table?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(value)
    }

    /// The value of a key if it is there and `read` takes it; a value that it does not take is a mistake.
    pub(super) fn optional<T>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        allowed: &str,
        read: impl FnOnce(&DeValue<'i>) -> Option<T>,
    ) -> Option<Found<T>> {
        let value = self.raw(key)?;
        let span = value.span();
        match read(value.get_ref()) {
            Some(value) => Some(Found { value, span }),
            None => {
                report.add(self.key(key), Some(span), "not allowed", allowed.to_owned());
                None
            }
        }
    }

    /// As [`Section::optional`], but the key must be there.
    pub(super) fn required<T>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        allowed: &str,
        read: impl FnOnce(&DeValue<'i>) -> Option<T>,
    ) -> Option<Found<T>> {
        let missing = self
            .table
            .is_none_or(|table| !table.keys().any(|name| name.get_ref() == key));
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
                DeValue::String(text) => units::size(text)?,
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
            let time = units::time(value.as_str()?)?;
            limits.contains(&time).then_some(time)
        })
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for (name, value) in self.table.into_iter().flatten() {
            if !self.asked.contains(&name.get_ref().as_ref()) {
                let name_shown: String = name.get_ref().chars().take(SHOWN_MAX).collect();
                let allowed = format!("the keys {}", self.asked.join(", "));
                match value.get_ref() {
                    // A table is no value to repeat.
                    DeValue::Table(_) => {
                        report.add_at(self.key(&name_shown), Some(name.span().start), "unknown key", allowed);
                    }
                    _ => report.add(self.key(&name_shown), Some(value.span()), "unknown key", allowed),
                }
            }
        }
    }
}

/// A whole number that is not negative.
fn whole(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}
