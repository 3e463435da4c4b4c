//! Figures by row, carrier and round; ratios within a round.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::json;

use crate::site::Way;

/// What carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Carrier {
    Lanes,
    Plain,
    /// Raw QUIC with the settings of trunks.
    Quic,
    /// Raw QUIC as any program has it that changes nothing.
    Default,
}

impl Carrier {
    const ALL: [Self; 4] = [Self::Lanes, Self::Plain, Self::Quic, Self::Default];

    /// Those that lanes are compared with.
    const OTHERS: [Self; 3] = [Self::Plain, Self::Quic, Self::Default];

    const fn name(self) -> &'static str {
        match self {
            Self::Lanes => "lanes",
            Self::Plain => "plain",
            Self::Quic => "quic",
            Self::Default => "default",
        }
    }

    /// How nodes reach each other with it; raw QUIC has none.
    pub(crate) const fn way(self) -> Option<Way> {
        match self {
            Self::Lanes => Some(Way::Lanes),
            Self::Plain => Some(Way::Plain),
            Self::Quic | Self::Default => None,
        }
    }
}

impl FromStr for Carrier {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|carrier| carrier.name() == name);
        found.ok_or_else(|| "one of lanes, plain, quic, default".to_owned())
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unit {
    PerSecond,
    MegabytesPerSecond,
    Microseconds,
    Bytes,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Microseconds => "us",
            Self::Bytes => "B",
        }
    }

    /// How many times better `ours` is than `theirs`.
    fn ratio(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Microseconds | Self::Bytes => theirs / ours,
            Self::PerSecond | Self::MegabytesPerSecond => ours / theirs,
        }
    }
}

pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) unit: Unit,
}

/// Figures by carrier and round.
type Values = BTreeMap<(Carrier, u32), f64>;

/// What was measured, in the order of its first measurement.
#[derive(Default)]
pub(crate) struct Found {
    rows: Vec<(Row, Values)>,
}

impl Found {
    pub(crate) fn add(&mut self, row: Row, carrier: Carrier, round: u32, value: f64) {
        match self.rows.iter_mut().find(|(known, _)| known.label == row.label) {
            Some((_, values)) => drop(values.insert((carrier, round), value)),
            None => self.rows.push((row, BTreeMap::from([((carrier, round), value)]))),
        }
    }

    pub(crate) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            println!("{}", serde_json::to_string_pretty(&self.json())?);
            return Ok(());
        }
        println!(
            "{:<44} {:>12} {:>12} {:>12} {:>12}  lanes by each",
            "", "lanes", "plain", "quic", "quic default"
        );
        for (row, values) in &self.rows {
            print!("{:<44}", format!("{} ({})", row.label, row.unit.name()));
            for carrier in Carrier::ALL {
                let figure = median(of(values, carrier).collect());
                print!(
                    " {:>12}",
                    figure.map_or("-".to_owned(), |figure| format!("{figure:.0}"))
                );
            }
            for other in Carrier::OTHERS {
                let ratio = median(ratios(row, values, other));
                print!("  {}", ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")));
            }
            println!();
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let rows = self.rows.iter().map(|(row, values)| {
            let rounds: serde_json::Map<_, _> = Carrier::ALL
                .into_iter()
                .map(|carrier| {
                    (
                        carrier.name().to_owned(),
                        json!(of(values, carrier).collect::<Vec<_>>()),
                    )
                })
                .collect();
            let by: serde_json::Map<_, _> = Carrier::OTHERS
                .into_iter()
                .map(|other| (other.name().to_owned(), json!(ratios(row, values, other))))
                .collect();
            json!({
                "row": row.label,
                "unit": row.unit.name(),
                "rounds": rounds,
                "lanes_by": by,
            })
        });
        json!({ "verified": true, "rows": rows.collect::<Vec<_>>() })
    }
}

fn of(values: &Values, carrier: Carrier) -> impl Iterator<Item = f64> {
    let found = values.iter().filter(move |((by, _), _)| *by == carrier);
    found.map(|(_, value)| *value)
}

/// How many times better lanes were than another carrier, in each round.
fn ratios(row: &Row, values: &Values, other: Carrier) -> Vec<f64> {
    let theirs = values.iter().filter(|((by, _), _)| *by == other);
    theirs
        .filter_map(|((_, round), theirs)| {
            let ours = values.get(&(Carrier::Lanes, *round))?;
            Some(row.unit.ratio(*ours, *theirs))
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}
