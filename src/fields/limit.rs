use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use tracing::Event;
use tracing::Level;
use tracing::Metadata;
use tracing::callsite::Identifier;
use tracing::field::Field;
use tracing::field::Visit;

/// Fields that tell who caused a line: the first one that a line has is its source.
const SOURCES: [&str; 3] = ["peer", "from", "node"];

/// Sources told apart for all kinds together. Beyond that, those of a kind are one.
const ENTRIES: usize = 4096;

/// The longest part of a source's text that is kept.
const SOURCE_LENGTH: usize = 100;

/// Lines of one kind and source at once, and how often another one follows. A warning that repeats itself says nothing new;
/// nodes and circuits that come and go are what a log is read for.
const WARNINGS: Rate = Rate {
    burst: 60,
    interval: Duration::from_secs(60),
};
const NEWS: Rate = Rate {
    burst: 500,
    interval: Duration::from_secs(1),
};

/// Lines of one kind from all sources, as a multiple of those of one.
const ALL_SOURCES: u32 = 10;

#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    interval: Duration,
}

impl Rate {
    fn of(level: Level) -> Option<Self> {
        match level {
            Level::ERROR | Level::WARN => Some(WARNINGS),
            Level::INFO => Some(NEWS),
            // Whoever asks for these wants all of them.
            _ => None,
        }
    }

    const fn times(self, factor: u32) -> Self {
        Self {
            burst: self.burst * factor,
            interval: Duration::from_nanos(self.interval.as_nanos() as u64 / factor as u64),
        }
    }
}

/// Lines of one kind that were suppressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Where in the code they come from, and the fields by which they would be known.
    pub kind: String,
    /// Who caused them; empty for several.
    pub source: String,
    /// How many.
    pub count: u64,
}

/// A bound on what a log grows by: lets through a bounded number of lines of each kind and source, and counts the others. Nobody fills
/// a disk by what they make a daemon or a VM say.
#[derive(Clone, Default)]
pub struct Limit(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines(HashMap<Key, Entry>, u64);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: Identifier,
    source: Option<Box<str>>,
}

struct Entry {
    /// Until when the lines are used up.
    used_until: Instant,
    suppressed: u64,
    kind: &'static Metadata<'static>,
}

impl Lines {
    fn allow(&mut self, kind: &'static Metadata<'static>, source: Option<Box<str>>, now: Instant) -> bool {
        let Some(rate) = Rate::of(*kind.level()) else {
            return true;
        };
        if self.0.len() >= ENTRIES {
            self.0.retain(|_, entry| entry.used_until > now || entry.suppressed > 0);
        }
        let all = Key {
            kind: kind.callsite(),
            source: None,
        };
        let one = Key { source, ..all.clone() };
        let is_told_apart = one.source.is_some() && (self.0.len() < ENTRIES || self.0.contains_key(&one));
        let of_one = !is_told_apart || self.take(one, kind, rate, now);
        of_one && self.take(all, kind, rate.times(ALL_SOURCES), now)
    }

    fn take(&mut self, key: Key, kind: &'static Metadata<'static>, rate: Rate, now: Instant) -> bool {
        let entry = self.0.entry(key).or_insert(Entry {
            used_until: now,
            suppressed: 0,
            kind,
        });
        let used_until = entry.used_until.max(now) + rate.interval;
        let is_there = used_until <= now + rate.interval * rate.burst;
        if is_there {
            entry.used_until = used_until;
        } else {
            entry.suppressed += 1;
            self.1 += 1;
        }
        is_there
    }

    fn take_suppressed(&mut self) -> Vec<Suppressed> {
        let entries = self.0.iter_mut().filter(|(_, entry)| entry.suppressed > 0);
        entries
            .map(|(key, entry)| Suppressed {
                kind: format!(
                    "{}:{}",
                    entry.kind.module_path().unwrap_or_default(),
                    entry.kind.line().unwrap_or_default()
                ),
                source: key.source.as_deref().unwrap_or_default().to_owned(),
                count: std::mem::take(&mut entry.suppressed),
            })
            .collect()
    }
}

impl Limit {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a line may be written. If not, it is counted.
    pub fn allows(&self, event: &Event<'_>, now: Instant) -> bool {
        let mut source = Source(None);
        event.record(&mut source);
        self.lines()
            .allow(event.metadata(), source.0.map(|(_, text)| text), now)
    }

    /// How many were suppressed in all.
    pub fn suppressed(&self) -> u64 {
        self.lines().1
    }

    /// What was suppressed since the last time.
    pub fn take_suppressed(&self) -> Vec<Suppressed> {
        self.lines().take_suppressed()
    }
}

/// The text of the field that tells who caused a line, and its place among [`SOURCES`].
struct Source(Option<(usize, Box<str>)>);

impl Visit for Source {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let Some(place) = SOURCES.iter().position(|name| *name == field.name()) else {
            return;
        };
        if self.0.as_ref().is_none_or(|(before, _)| place < *before) {
            let text: String = format!("{value:?}").chars().take(SOURCE_LENGTH).collect();
            self.0 = Some((place, text.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_comes_every_few_seconds_for_ever_is_soon_rare() {
        let mut lines = Lines::default();
        let kind = {
            struct Never;
            impl tracing::Callsite for Never {
                fn set_interest(&self, _: tracing::subscriber::Interest) {}
                fn metadata(&self) -> &Metadata<'_> {
                    &KIND
                }
            }
            static SITE: Never = Never;
            static KIND: Metadata<'static> = tracing::metadata! {
                name: "event",
                target: "beamway",
                level: Level::WARN,
                fields: &[],
                callsite: &SITE,
                kind: tracing::metadata::Kind::EVENT
            };
            &KIND
        };
        let began = Instant::now();
        let hour = (0..1200).map(|step| began + Duration::from_secs(3 * step));
        let told = hour.filter(|now| lines.allow(kind, Some("x".into()), *now)).count();
        assert!((110..=125).contains(&told), "{told} lines of 1200 within an hour");
    }
}
