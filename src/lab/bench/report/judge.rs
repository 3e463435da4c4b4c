//! The judgement of a run: what the rounds of each row say together, and how carriers stand beside each other.

use std::collections::BTreeMap;

use super::arithmetic::bounds;
use super::arithmetic::curve;
use super::arithmetic::least;
use super::arithmetic::median;
use super::carriers::carriers;
use super::carriers::is_ours;
use super::carriers::is_variant;
use crate::lab::bench::findings::Findings;
use crate::lab::bench::findings::Group;
use crate::lab::bench::findings::Latency;
use crate::lab::bench::findings::Measure;
use crate::lab::bench::findings::Row;
use crate::lab::bench::findings::Unit;

/// So many samples have to be left beyond a quantile, or it is not told from chance.
const SAMPLES_BEYOND: f64 = 10.0;

/// The lanes that a daemon has if nothing is set: of several, the ones that others are compared with.
const USUAL: &str = "beamway 16";

/// From so many samples up p90, p99 and p99.9 are shown. With fewer the first two are the longest by another name.
const SAMPLES_P90: u64 = 10;
const SAMPLES_P99: u64 = 100;
const SAMPLES_P999: u64 = 10_000;

/// Two carriers nearer than this are not told apart, whatever the rounds say.
const SAME: f64 = 1.05;

/// What is known of one row over one carrier: a value for each round in which there was one.
type Series = BTreeMap<u32, Sample>;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    value: f64,
    marked: bool,
}

/// A run, ready to be shown.
#[derive(Clone, Debug)]
pub(super) struct Judgement<'a> {
    /// What was found.
    pub(super) findings: &'a Findings,
    /// All carriers: beamway by its lanes, then those that others are measured by, then the rest.
    pub(super) carriers: Vec<&'a str>,
    /// What is compared: row by row and aspect by aspect, in the order of sections.
    pub(super) items: Vec<Item<'a>>,
}

/// What of a row is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Aspect {
    /// The value itself.
    Value,
    /// The median of round trips.
    P50,
    /// One in ten took longer.
    P90,
    /// One in a hundred took longer.
    P99,
    /// One in a thousand took longer.
    P999,
    /// The longest.
    Max,
    /// What streams beside the round trips moved.
    Bulk,
}

/// One thing that carriers are compared in.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    /// The row that it belongs to.
    pub(super) row: &'a Row,
    /// What of it.
    pub(super) aspect: Aspect,
    series: BTreeMap<&'a str, Series>,
}

/// What all rounds say of one item over one carrier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    /// Of times the least, since noise only adds to them; of all else, and of times on lines, the median.
    pub(super) value: f64,
    /// The least of the rounds.
    pub(super) least: f64,
    /// The most of the rounds.
    pub(super) most: f64,
    /// Rounds that there are.
    pub(super) rounds: usize,
    /// Those of them in which others had the processors.
    pub(super) marked: usize,
}

/// How many times as fast one carrier is as another; below 1 it is slower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    /// Where figures are the least of times, the ratio of these; else the median of the rounds' ratios.
    pub(super) times: f64,
    /// The least of the rounds' ratios.
    pub(super) least: f64,
    /// The most of them.
    pub(super) most: f64,
    /// Rounds in which both were measured.
    pub(super) rounds: usize,
}

/// What a ratio says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// In every round.
    Faster,
    /// The rounds do not agree, or the difference is too small.
    Even,
    /// In every round.
    Slower,
}

/// What else the machine did in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Round {
    /// From 0 on.
    pub(super) number: u32,
    /// Measurements.
    pub(super) measures: usize,
    /// Median of the stolen shares, 0 to 1.
    pub(super) stolen: f64,
    /// The largest of them.
    pub(super) stolen_most: f64,
    /// Measurements that are marked.
    pub(super) marked: usize,
}

impl<'a> Judgement<'a> {
    /// Judges a run, complete or not.
    #[must_use]
    pub(super) fn new(findings: &'a Findings) -> Self {
        let mut rows: Vec<&Row> = findings.rows.iter().collect();
        rows.sort_by_key(|row| row.group);
        Self {
            findings,
            carriers: carriers(&findings.measures),
            items: rows
                .into_iter()
                .flat_map(|row| items(row, &findings.measures))
                .collect(),
        }
    }

    /// The carrier that is compared with others: ours with its usual lanes, else any of ours.
    #[must_use]
    pub(super) fn ours(&self) -> Option<&'a str> {
        let mut family = self.carriers.iter().copied().filter(|carrier| is_ours(carrier));
        family
            .clone()
            .find(|carrier| *carrier == USUAL)
            .or_else(|| family.next())
    }

    /// Whoever is compared with all others: ours, and those of ours that differ by more than their lanes.
    #[must_use]
    pub(super) fn subjects(&self) -> Vec<&'a str> {
        let ours = self.ours();
        let variants = self
            .carriers
            .iter()
            .copied()
            .filter(|carrier| is_variant(carrier) && Some(*carrier) != ours);
        ours.into_iter().chain(variants).collect()
    }

    /// What ours is compared with: all carriers of others; in a run that has none, its own with other lanes.
    #[must_use]
    pub(super) fn others(&self) -> Vec<&'a str> {
        let ours = self.ours();
        let beside = |family: bool| -> Vec<&'a str> {
            let carriers = self.carriers.iter().copied();
            carriers
                .filter(|carrier| Some(*carrier) != ours && is_ours(carrier) == family)
                .collect()
        };
        let others = beside(false);
        if others.is_empty() { beside(true) } else { others }
    }

    /// The carrier that is 1.0: plain distribution where it was measured. One carrier alone has none.
    #[must_use]
    pub(super) fn reference(&self) -> Option<&'a str> {
        self.others().into_iter().next().filter(|_| self.carriers.len() > 1)
    }

    /// The items of one section.
    pub(super) fn section(&self, group: Group) -> impl Iterator<Item = &Item<'a>> + Clone {
        self.items.iter().filter(move |item| item.row.group == group)
    }

    /// The sections that there are, in their order.
    #[must_use]
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.items.iter().map(|item| item.row.group).collect();
        groups.dedup();
        groups
    }

    /// The round trips of a row over a carrier, what the rounds say of each quantile: quantile and microseconds; and how
    /// many samples the smallest round has.
    #[must_use]
    pub(super) fn curve(&self, row: &Row, carrier: &str) -> Option<(Vec<(f64, f64)>, u64)> {
        let latencies: Vec<&Latency> = latest(&self.findings.measures)
            .filter(|measure| measure.row == row.key && measure.carrier == carrier)
            .filter_map(|measure| measure.latency.as_ref())
            .filter(|latency| !latency.curve.is_empty())
            .collect();
        let samples = latencies.iter().map(|latency| latency.samples).min()?;
        let together = if noise_only_adds(row) { least } else { median };
        Some((curve(&latencies, together), samples))
    }

    /// The rounds, in their order.
    #[must_use]
    pub(super) fn rounds(&self) -> Vec<Round> {
        let mut rounds: BTreeMap<u32, Vec<&Measure>> = BTreeMap::new();
        for measure in latest(&self.findings.measures) {
            rounds.entry(measure.round).or_default().push(measure);
        }
        rounds
            .into_iter()
            .map(|(number, measures)| {
                let stolen: Vec<f64> = measures.iter().map(|measure| measure.stolen).collect();
                Round {
                    number,
                    measures: measures.len(),
                    stolen: median(stolen.clone()).unwrap_or_default(),
                    stolen_most: stolen.into_iter().fold(0.0, f64::max),
                    marked: measures.iter().filter(|measure| measure.marked).count(),
                }
            })
            .collect()
    }
}

impl Item<'_> {
    /// What its values are.
    #[must_use]
    pub(super) fn unit(&self) -> Unit {
        match self.aspect {
            Aspect::Value => self.row.unit,
            Aspect::Bulk => Unit::MegabytesPerSecond,
            _ => Unit::Microseconds,
        }
    }

    /// What the rounds say of a carrier; `None` if it was not measured.
    #[must_use]
    pub(super) fn figure(&self, carrier: &str) -> Option<Figure> {
        let series = self.series.get(carrier)?;
        let values: Vec<f64> = series.values().map(|sample| sample.value).collect();
        let (least, most) = bounds(&values)?;
        let value = if self.is_least() { least } else { median(values)? };
        Some(Figure {
            value,
            least,
            most,
            rounds: series.len(),
            marked: series.values().filter(|sample| sample.marked).count(),
        })
    }

    /// How many times as fast a carrier is as `reference`, from the rounds in which both were measured.
    #[must_use]
    pub(super) fn ratio(&self, carrier: &str, reference: &str) -> Option<Ratio> {
        let (ours, theirs) = (self.series.get(carrier)?, self.series.get(reference)?);
        let pairs: Vec<(f64, f64)> = ours
            .iter()
            .filter_map(|(round, ours)| Some((ours.value, theirs.get(round)?.value)))
            .filter(|(ours, theirs)| *ours > 0.0 && *theirs > 0.0)
            .collect();
        let speed = |ours: f64, theirs: f64| {
            if more_is_better(self.unit()) {
                ours / theirs
            } else {
                theirs / ours
            }
        };
        let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| speed(*ours, *theirs)).collect();
        let (least, most) = bounds(&ratios)?;
        let times = if self.is_least() {
            let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            speed(bounds(&ours)?.0, bounds(&theirs)?.0)
        } else {
            median(ratios.clone())?
        };
        Some(Ratio {
            times,
            least,
            most,
            rounds: ratios.len(),
        })
    }

    /// Whether the least of the rounds stands for all.
    fn is_least(&self) -> bool {
        is_time(self.unit()) && noise_only_adds(self.row)
    }

    /// Part of what is shown where there is room for little: no quantiles but the median and the 99th of a hundred.
    #[must_use]
    pub(super) fn is_main(&self) -> bool {
        matches!(self.aspect, Aspect::Value | Aspect::P50 | Aspect::P99 | Aspect::Bulk)
    }
}

impl Ratio {
    /// What it says.
    #[must_use]
    pub(super) fn verdict(&self) -> Verdict {
        if self.least > 1.0 && self.times >= SAME {
            Verdict::Faster
        } else if self.most < 1.0 && self.times * SAME <= 1.0 {
            Verdict::Slower
        } else {
            Verdict::Even
        }
    }
}

/// Of a speed more is better, of a time less.
#[must_use]
pub(super) fn more_is_better(unit: Unit) -> bool {
    match unit {
        Unit::MessagesPerSecond | Unit::MegabytesPerSecond | Unit::PerSecond => true,
        Unit::Microseconds | Unit::MicrosecondsPerMessage => false,
    }
}

/// The quantile up to which enough samples lie beyond.
#[must_use]
pub(super) fn trusted(samples: u64) -> f64 {
    1.0 - SAMPLES_BEYOND / (samples as f64).max(SAMPLES_BEYOND)
}

/// Noise only adds to a time that passes. Processor time it also takes away.
fn is_time(unit: Unit) -> bool {
    unit == Unit::Microseconds
}

/// What a line loses is drawn anew in each round: the least of them would be the one that lost least.
const fn noise_only_adds(row: &Row) -> bool {
    row.line.is_none()
}

/// Each measurement once: of one that was repeated the last.
fn latest(measures: &[Measure]) -> impl Iterator<Item = &Measure> {
    let mut last: BTreeMap<(&str, &str, u32), &Measure> = BTreeMap::new();
    for measure in measures {
        last.insert((&measure.row, &measure.carrier, measure.round), measure);
    }
    last.into_values()
}

fn items<'a>(row: &'a Row, measures: &'a [Measure]) -> Vec<Item<'a>> {
    let mut aspects: BTreeMap<Aspect, BTreeMap<&str, Series>> = BTreeMap::new();
    for measure in latest(measures).filter(|measure| measure.row == row.key) {
        for (aspect, value) in values(row, measure) {
            let carriers = aspects.entry(aspect).or_default();
            let sample = Sample {
                value,
                marked: measure.marked,
            };
            carriers
                .entry(&measure.carrier)
                .or_default()
                .insert(measure.round, sample);
        }
    }
    let items = aspects.into_iter();
    items.map(|(aspect, series)| Item { row, aspect, series }).collect()
}

/// All that a measurement says. Of round trips the value is their median, and is not said twice.
fn values(row: &Row, measure: &Measure) -> Vec<(Aspect, f64)> {
    let mut values = Vec::new();
    if measure.latency.is_none() || row.unit != Unit::Microseconds {
        values.push((Aspect::Value, measure.value));
    }
    if let Some(latency) = &measure.latency {
        let quantiles = [
            (Aspect::P50, Some(latency.p50), 0),
            (Aspect::P90, Some(latency.p90), SAMPLES_P90),
            (Aspect::P99, Some(latency.p99), SAMPLES_P99),
            (Aspect::P999, latency.p999, SAMPLES_P999),
        ];
        let known = quantiles
            .into_iter()
            .filter(|(_, _, samples)| latency.samples >= *samples);
        values.extend(known.filter_map(|(aspect, value, _)| Some((aspect, value?))));
        values.push((Aspect::Max, latency.max));
    }
    values.extend(measure.bulk.map(|bulk| (Aspect::Bulk, bulk)));
    values.retain(|(_, value)| value.is_finite());
    values
}
