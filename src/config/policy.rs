use super::section::Found;
use super::section::Report;
use super::section::Section;
use super::units;
use super::value::Value;
use crate::router::Action;
use crate::router::NodePattern;
use crate::router::Priority;
use crate::router::Rate;
use crate::router::Rule;

/// Maximum number of `[[policy]]`, and of patterns on each side of one.
pub(super) const RULES_MAX: usize = 1024;

/// A kilobyte per second is little for anything; a terabyte per second is no limit.
const RATE_ALLOWED: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000_000;

/// At least one fragment of a large message, or each would be waited for; at most what a second of 8 Gbit/s brings.
const BURST_ALLOWED: std::ops::RangeInclusive<u64> = (64 << 10)..=(1 << 30);

/// Two fragments of a large message: the least default burst.
const BURST: u64 = 128 << 10;

const PATTERNS: &str = "a pattern of node names, or a list of 1 to 1024, e.g. \"web-*@*\" or [\"*@host2\", \"db@*\"]";
const ACTION: &str = "\"allow\" or \"deny\"";
const RATE: &str = "a size per second from \"1kB/s\" to \"1000GB/s\" (B, kB, MB, GB, KiB, MiB, GiB), e.g. \"20MB/s\"";
const PRIORITY: &str = "\"high\", \"normal\" or \"low\"";
const NOTHING: &str = "at least one of the keys action, rate and priority";

impl Rate {
    /// What may be sent at once by default: what the rate brings in a tenth of a second, but not less than 128 KiB.
    const fn usual_burst(bytes: u64) -> u64 {
        let tenth = bytes / 10;
        if tenth < BURST {
            BURST
        } else if tenth > *BURST_ALLOWED.end() {
            *BURST_ALLOWED.end()
        } else {
            tenth
        }
    }
}

/// All `[[policy]]` without a mistake, in their order.
pub(super) fn read_policy(root: &mut Section<'_>, report: &mut Report<'_>) -> Vec<Rule> {
    let Some(value) = root.raw("policy") else {
        return Vec::new();
    };
    let allowed = || format!("0 to {RULES_MAX} tables, each of which starts with a line [[policy]]");
    let entries = match &value.value {
        Value::List(entries) if entries.len() <= RULES_MAX => entries,
        _ => {
            report.add("policy".to_owned(), Some(&value.place), "not allowed", allowed());
            return Vec::new();
        }
    };
    let mut rules = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("policy[{}]", index + 1);
        if entry.value.as_table().is_none() {
            report.add(path, Some(&entry.place), "not allowed", allowed());
            continue;
        }
        rules.extend(read_rule(Section::of(&path, Some(entry)), entry.place.begin(), report));
    }
    rules
}

fn read_rule(mut section: Section<'_>, begin: Option<usize>, report: &mut Report<'_>) -> Option<Rule> {
    let from = section.required(report, "from", PATTERNS, patterns);
    let to = section.required(report, "to", PATTERNS, patterns);
    let keys = ["action", "rate", "priority"];
    let is_empty = keys.into_iter().all(|key| section.raw(key).is_none());
    let action = section.optional(report, "action", ACTION, |value| match value.as_text()? {
        "allow" => Some(Action::Allow),
        "deny" => Some(Action::Deny),
        _ => None,
    });
    let has_rate = section.raw("rate").is_some();
    let rate = section.optional(report, "rate", RATE, |value| {
        let bytes = units::size(value.as_text()?.strip_suffix("/s")?)?;
        RATE_ALLOWED.contains(&bytes).then_some(bytes)
    });
    let burst = section.size(report, "burst", &BURST_ALLOWED);
    let priority = section.optional(report, "priority", PRIORITY, |value| Priority::parse(value.as_text()?));
    if is_empty {
        report.add_at(
            section.key("action"),
            begin,
            super::section::MISSING,
            NOTHING.to_owned(),
        );
    }
    if let Some(burst) = burst.as_ref().filter(|_| !has_rate) {
        let allowed = "burst together with rate".to_owned();
        report.add(section.key("burst"), Some(&burst.place), "not allowed", allowed);
    }
    let rate = rate.map(|rate| limit(&rate, burst.as_ref(), &section, report));
    section.finish(report);
    Some(Rule {
        from: from?.value,
        to: to?.value,
        action: action.map(|found| found.value),
        rate,
        priority: priority.map(|found| found.value),
    })
}

/// A rate with its burst. Timers are not so exact that a smaller one would let the rate through.
fn limit(rate: &Found<u64>, burst: Option<&Found<u64>>, section: &Section<'_>, report: &mut Report<'_>) -> Rate {
    let bytes = rate.value;
    let least = bytes.div_ceil(100).min(*BURST_ALLOWED.end());
    if let Some(burst) = burst.filter(|burst| burst.value < least) {
        let allowed = format!("at least a hundredth of rate, {least} bytes");
        report.add(section.key("burst"), Some(&burst.place), "not allowed", allowed);
    }
    let burst = burst.map_or_else(|| Rate::usual_burst(bytes), |burst| burst.value);
    Rate { bytes, burst }
}

/// A pattern, or a list of patterns.
fn patterns(value: &Value) -> Option<Vec<NodePattern>> {
    let pattern = |value: &Value| NodePattern::parse(value.as_text()?).ok();
    match value {
        Value::List(items) if (1..=RULES_MAX).contains(&items.len()) => {
            items.iter().map(|item| pattern(&item.value)).collect()
        }
        Value::List(_) => None,
        one => Some(vec![pattern(one)?]),
    }
}
