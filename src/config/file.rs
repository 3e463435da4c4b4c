use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::error::Mistake;
use super::error::Mistakes;
use super::read::Purpose;
use super::read::read_from;
use super::section::MISSING;
use super::section::Report;
use super::settings::Config;
use super::value::Given;
use super::value::Key;
use super::value::Place;
use super::value::Table;
use super::value::Value;

/// Maximum size of a file in bytes: a thousand peers fit.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Parses a configuration file. See [`Config`] and its parts for the keys, the defaults and their reasons.
///
/// # Errors
///
/// All mistakes at once: invalid TOML, unknown keys, wrong types and values, missing keys, sections that have no place
/// in a file for this purpose, and contradictions between keys.
pub fn parse(text: &str, purpose: Purpose) -> Result<Config, Mistakes> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Mistakes {
            list: vec![Mistake {
                line: None,
                key: String::new(),
                value: None,
                fault: "the file is too large",
                allowed: format!("at most {TEXT_BYTES_MAX} bytes"),
            }],
            ..Mistakes::default()
        });
    }
    let mut report = Report::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    let damaged = !errors.is_empty();
    for error in errors {
        let offset = error.span().map(|span| span.start);
        report.add_at(String::new(), offset, "not TOML", error.message().replace('\n', ", "));
    }
    read_from(&table(root.get_ref()), Some(root.span().start), report, purpose).map_err(|mut mistakes| {
        if damaged {
            // Keys after a damaged line appear to be missing.
            mistakes.list.retain(|mistake| mistake.fault != MISSING);
        }
        mistakes
    })
}

fn table(table: &DeTable<'_>) -> Table {
    let keys = table.iter().map(|(name, value)| Key {
        name: name.get_ref().as_ref().to_owned(),
        begin: Some(name.span().start),
        given: given(value),
    });
    Table { keys: keys.collect() }
}

fn given(value: &Spanned<DeValue<'_>>) -> Given {
    Given {
        place: Place::Span(value.span()),
        value: match value.get_ref() {
            DeValue::String(text) => Value::Text(text.as_ref().to_owned()),
            DeValue::Integer(number) => {
                u64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Whole)
            }
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Array(items) => Value::List(items.iter().map(given).collect()),
            DeValue::Table(keys) => Value::Table(table(keys)),
            _ => Value::Other,
        },
    }
}
