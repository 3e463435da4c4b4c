//! How figures are written, and what is said in sentences.

use super::judge::Aspect;
use super::judge::Item;
use super::judge::Judgement;
use super::judge::Ratio;
use super::judge::more_is_better;
use super::standing;
use super::standing::Standing;
use crate::lab::bench::findings::About;
use crate::lab::bench::findings::Findings;
use crate::lab::bench::findings::Group;
use crate::lab::bench::findings::Unit;
use crate::lab::demo::report::microseconds;
use crate::lab::demo::report::thousands;

/// Rounds needed to separate effect from noise.
const ROUNDS_WANTED: usize = 5;

/// A value without the name of its unit, except for times, which choose theirs.
#[must_use]
pub(super) fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Microseconds if value < 10.0 => format!("{value:.1} us"),
        Unit::Microseconds => microseconds(value),
        Unit::MicrosecondsPerMessage if value < 100.0 => format!("{value:.1} us"),
        Unit::MicrosecondsPerMessage => microseconds(value),
        _ if value < 10.0 && value.fract() != 0.0 => format!("{value:.1}"),
        _ => thousands(value),
    }
}

/// A value as it stands alone, with its unit, on a terminal.
#[must_use]
pub(crate) fn plain_value(unit: Unit, number: f64) -> String {
    match unit_name(unit) {
        Some(name) => format!("{} {name}", value(unit, number)),
        None => value(unit, number),
    }
}

/// The same in a document.
#[must_use]
pub(super) fn full_value(unit: Unit, number: f64) -> String {
    typeset(&plain_value(unit, number))
}

/// The unit, where the value does not say it.
#[must_use]
pub(super) fn unit_name(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::MessagesPerSecond => Some("msg/s"),
        Unit::MegabytesPerSecond => Some("MB/s"),
        Unit::PerSecond => Some("per s"),
        Unit::MicrosecondsPerMessage => Some("per message"),
        Unit::Microseconds => None,
    }
}

/// The same in a document: a terminal may not have the letter.
#[must_use]
pub(super) fn typeset(text: &str) -> String {
    text.replace(" us", " µs")
}

/// How many times as fast.
#[must_use]
pub(super) fn times(ratio: f64) -> String {
    if ratio < 0.0995 {
        format!("{ratio:.3}")
    } else if ratio < 9.995 {
        format!("{ratio:.2}")
    } else if ratio < 99.95 {
        format!("{ratio:.1}")
    } else {
        thousands(ratio)
    }
}

/// A ratio with its bounds.
#[must_use]
pub(super) fn times_within(ratio: &Ratio) -> String {
    if ratio.rounds < 2 {
        return times(ratio.times);
    }
    format!(
        "{} ({} to {})",
        times(ratio.times),
        times(ratio.least),
        times(ratio.most)
    )
}

/// A share, in hundreds.
#[must_use]
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What of a row is compared; nothing if it is all.
#[must_use]
pub(super) fn aspect_name(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Value => "",
        Aspect::P50 => "p50",
        Aspect::P90 => "p90",
        Aspect::P99 => "p99",
        Aspect::P999 => "p99.9",
        Aspect::Max => "max",
        Aspect::Bulk => "bulk",
    }
}

/// Row, aspect and unit, as far as the value does not say them.
#[must_use]
pub(super) fn item_name(item: &Item<'_>) -> String {
    let parts = [
        item.row.title.as_str(),
        aspect_name(item.aspect),
        unit_name(item.unit()).unwrap_or_default(),
    ];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

/// Head of a section.
#[must_use]
pub(super) fn group_name(group: Group) -> &'static str {
    match group {
        Group::SetUp => "Connections",
        Group::Throughput => "Messages and bytes per second",
        Group::RoundTrip => "Round trips of small calls",
        Group::Stalled => "A stalled receiver beside a healthy one",
        Group::Ticks => "Heartbeats (ticks) under full load",
        Group::Line => "Emulated network paths: bandwidth, delay, packet loss",
        Group::Processor => "CPU time",
    }
}

/// What a section shows, in a sentence or two.
#[must_use]
pub(super) fn group_lead(group: Group) -> &'static str {
    match group {
        Group::SetUp => "Nodes connect for the first time: one connection after the other, and several at once.",
        Group::Throughput => {
            "Senders send as fast as they can. Receivers on the other node check and count every byte."
        }
        Group::RoundTrip => {
            "Small calls are sent at a fixed rate, whether or not earlier calls were answered, so the time that a call \
             waits is counted. Measured alone and beside streams that fill the connection."
        }
        Group::Stalled => "One node does not read at all. Throughput and latency to another node meanwhile.",
        Group::Ticks => "Nodes with a short net_ticktime, which close the connection when heartbeats are late.",
        Group::Line => "The same over emulated network paths of the stated bandwidth, round-trip time and packet loss.",
        Group::Processor => "CPU time of nodes and gateways per message. A ratio below 1 means that it costs more.",
    }
}

/// Which way is better.
#[must_use]
pub(super) fn direction(unit: Unit) -> &'static str {
    if more_is_better(unit) {
        "more is better"
    } else {
        "less is better"
    }
}

/// The circumstances, name and value: what one has to know before one reads a figure.
#[must_use]
pub(super) fn circumstances(about: &About) -> Vec<(String, String)> {
    let memory = format!("{:.1} GB", about.memory_bytes as f64 / 1e9);
    let own = [
        ("Started", about.started.clone()),
        ("Machine", about.machine.clone()),
        ("CPUs", about.cores.to_string()),
        ("Memory", memory),
        ("Kernel", about.kernel.clone()),
        ("Erlang/OTP", about.otp.clone()),
        (
            "TLS distribution",
            about.tls.clone().unwrap_or_else(|| "not known".to_owned()),
        ),
        ("beamway", about.beamway.clone()),
    ];
    own.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(about.settings.iter().cloned())
        .collect()
}

/// The result in a few sentences, one for each pair of carriers that is compared. It says first how often ours is slower.
#[must_use]
pub(super) fn summary(judgement: &Judgement<'_>) -> Vec<String> {
    standing::standings(judgement).iter().map(sentence).collect()
}

fn sentence(standing: &Standing<'_>) -> String {
    let Standing {
        ours,
        other,
        slower,
        even,
        faster,
        worst,
        best,
    } = standing;
    let all = slower + even + faster;
    let counts = format!(
        "{ours} beside {other}: slower in {slower} of {all} comparisons, faster in {faster}, no measurable difference in {even}."
    );
    if all < 2 {
        return counts;
    }
    format!(
        "{counts} Lowest speed ratio {} ({}), highest {} ({}).",
        times(worst.1.times),
        place(worst.0),
        times(best.1.times),
        place(best.0)
    )
}

/// An item by its full name, with the line that it was measured on.
#[must_use]
pub(super) fn place(item: &Item<'_>) -> String {
    let name = item_name(item);
    item.row.line.iter().fold(name, |name, line| format!("{name}, {line}"))
}

/// How the figures are to be read.
#[must_use]
pub(super) fn how_to_read(judgement: &Judgement<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(reference) = judgement.reference() {
        sentences.push(format!(
            "A speed ratio divides the speeds of two carriers in the same round: below 1 the first is slower. It is given as \
             the median, with the least and the most of the rounds. Where no other carrier is named, the second is \
             {reference}."
        ));
    }
    sentences.push(
        "Times are the least of the rounds, since noise only adds to them. Everything else is the median of the rounds, \
         also times on emulated network paths, where each round loses other packets. 1 MB is 1,000,000 bytes."
            .to_owned(),
    );
    sentences.push(
        "p99: 99 of 100 calls took no longer. p99.9 is shown from 10,000 samples up. A curve is thin where fewer than \
         ten samples lie beyond."
            .to_owned(),
    );
    sentences
        .push("* In some of the rounds CPU steal was above 2 %, also when the measurement was repeated.".to_owned());
    sentences
}

/// What has to be said about the run as a whole.
#[must_use]
pub(super) fn caveats(judgement: &Judgement<'_>) -> Vec<String> {
    let Findings { about, measures, .. } = judgement.findings;
    let rounds = judgement.rounds();
    let mut caveats = Vec::new();
    if !about.complete {
        caveats.push(format!(
            "The run is not complete: {} measurements in {} of {} rounds.",
            measures.len(),
            rounds.len(),
            about.rounds_wanted
        ));
    }
    if rounds.len() < ROUNDS_WANTED {
        caveats.push(format!(
            "Rounds: {}. {ROUNDS_WANTED} rounds are needed to separate effect from noise.",
            rounds.len()
        ));
    }
    caveats.extend(about.notes.iter().cloned());
    caveats
}

/// CPU steal, in a sentence.
#[must_use]
pub(super) fn stolen(judgement: &Judgement<'_>) -> String {
    let rounds = judgement.rounds();
    let measures: usize = rounds.iter().map(|round| round.measures).sum();
    let marked: usize = rounds.iter().map(|round| round.marked).sum();
    let most = rounds.iter().map(|round| round.stolen_most).fold(0.0, f64::max);
    format!(
        "CPU steal: at most {} during one measurement; {marked} of {measures} measurements are marked.",
        percent(most)
    )
}
