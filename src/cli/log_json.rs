//! The log as JSON: one object on each line.

use std::error::Error;
use std::fmt;

use serde_json::Value;
use tracing::Event;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::registry::LookupSpan;

use super::log_escape::is_misleading;
use crate::fields::Item;
use crate::fields::List;

/// Formats an event as `{"timestamp":…,"level":…,"fields":{"message":…,…},"target":…}`. Numbers are numbers, and lists are lists.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        let metadata = event.metadata();
        writeln!(writer, "{}", line(metadata.level().as_str(), fields, metadata.target()))
    }
}

/// A line that is written past the log: before it has started, or when there is no time to wait for it.
pub(super) fn plain(level: &str, message: &str) -> String {
    let fields = Fields(vec![("message", message.into())]);
    line(level, fields, env!("CARGO_PKG_NAME"))
}

fn line(level: &str, fields: Fields, target: &str) -> String {
    let mut time = String::new();
    // Nothing here can fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let fields = fields
        .0
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name)));
    let fields: Vec<String> = fields.collect();
    let [time, level, target] = [&time, level, target].map(Value::from);
    let fields = fields.join(",");
    escaped(&format!(
        r#"{{"timestamp":{time},"level":{level},"fields":{{{fields}}},"target":{target}}}"#
    ))
}

/// JSON escapes what is below a space. Other characters that a terminal would obey are escaped in its way, too: all of them are below
/// U+FFFF, and stand in texts.
fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for character in line.chars() {
        if is_misleading(character) {
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

/// The fields of an event, in their order.
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        match value.downcast_ref::<List>() {
            Some(list) => self.push(field, list.items().iter().map(json).collect::<Vec<Value>>()),
            None => self.push(field, value.to_string()),
        }
    }
}

fn json(item: &Item) -> Value {
    match item {
        Item::Text(text) => text.as_str().into(),
        Item::Number(number) => (*number).into(),
    }
}
