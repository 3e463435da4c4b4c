//! BEAM to BEAM: throughput and round trips over beamway, plain distribution and distribution with TLS.
//!
//! `cargo bench --bench beams` runs five rounds; in each round every row is measured over every carrier, one after the
//! other, and the carriers take turns in going first. What counts is the median of the rounds' ratios: figures of one
//! machine in one minute say little, ratios of the same minute say more. The share of CPU time that the host took away
//! (steal) is shown per round; a round with a high share is not worth much.
//!
//! With `--test`, or when not started by `cargo bench`, one round with tiny durations: does everything still run?

use std::fs;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use beamway::cli::demo::carriers::Carrier;
use beamway::cli::demo::carriers::Pair;
use beamway::cli::demo::carriers::Stage;
use beamway::cli::demo::erlang;
use beamway::cli::demo::report::microseconds;
use beamway::cli::demo::report::thousands;
use beamway::cli::demo::rows;
use beamway::cli::demo::rows::Bulk;
use beamway::cli::demo::supervise::Ended;
use beamway::cli::demo::supervise::supervise;
use clap::Parser;
use serde_json::json;

/// Length of a measurement with `--test`, milliseconds.
const TEST_MS: u32 = 100;

#[derive(Clone, Parser)]
#[command(
    name = "beams",
    about = "Throughput and round trips between two Erlang nodes, by carrier"
)]
struct Arguments {
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Length of each measurement, milliseconds.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    ms: u32,
    /// Carriers to compare.
    #[arg(long, value_delimiter = ',', default_value = "beamway,plain,tuned,tls", value_parser = carrier)]
    over: Vec<Carrier>,
    /// Print the figures of every round as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// One round with tiny durations.
    #[arg(long)]
    test: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// Part of the name of the benchmarks to run, as all benchmarks take it.
    filter: Option<String>,
}

fn carrier(name: &str) -> Result<Carrier, String> {
    [Carrier::Beamway, Carrier::Plain, Carrier::Tuned, Carrier::Tls]
        .into_iter()
        .find(|carrier| carrier.name().eq_ignore_ascii_case(name))
        .ok_or_else(|| "one of beamway, plain, tuned, tls".to_owned())
}

/// One measurement; it may give several figures.
#[derive(Clone, Copy)]
enum Row {
    Stream { pairs: u32, bytes: u64 },
    RoundTrips(Option<Bulk>),
}

const ROWS: [Row; 7] = [
    Row::Stream { pairs: 16, bytes: 100 },
    Row::Stream { pairs: 1, bytes: 100 },
    Row::Stream { pairs: 16, bytes: 4000 },
    Row::Stream {
        pairs: 8,
        bytes: 1_000_000,
    },
    Row::RoundTrips(None),
    Row::RoundTrips(Some(Bulk {
        streams: 4,
        bytes: 4_000_000,
    })),
    Row::RoundTrips(Some(Bulk {
        streams: 4,
        bytes: 256_000,
    })),
];

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    MessagesPerSecond,
    MegabytesPerSecond,
    Microseconds,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::MessagesPerSecond => format!("{} msg/s", thousands(value)),
            Self::MegabytesPerSecond => format!("{} MB/s", thousands(value)),
            Self::Microseconds => microseconds(value),
        }
    }

    /// How many times faster `ours` is than `theirs`.
    fn speed(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Microseconds => theirs / ours,
            _ => ours / theirs,
        }
    }
}

/// A figure of one row, one carrier and one round.
struct Sample {
    label: String,
    unit: Unit,
    carrier: Carrier,
    round: u32,
    value: f64,
}

impl Row {
    fn label(self) -> String {
        let size = |bytes: u64| match bytes {
            0..1000 => format!("{bytes} B"),
            1000..1_000_000 => format!("{} KB", bytes / 1000),
            _ => format!("{} MB", bytes / 1_000_000),
        };
        match self {
            Self::Stream { pairs: 1, bytes } => format!("{}, 1 pair", size(bytes)),
            Self::Stream { pairs, bytes } => format!("{}, {pairs} pairs", size(bytes)),
            Self::RoundTrips(None) => "round trip, idle".to_owned(),
            Self::RoundTrips(Some(Bulk { streams, bytes })) => format!("round trip beside {streams} x {}", size(bytes)),
        }
    }

    /// Measures over one pair. Round trips beside bulk take twice as long: a slow carrier gives few of them.
    async fn measure(self, pair: &mut Pair, ms: u32) -> anyhow::Result<Vec<(String, Unit, f64)>> {
        let label = self.label();
        match self {
            Self::Stream { pairs, bytes } => {
                let stream = rows::stream(pair, pairs, bytes, ms).await?;
                Ok(if bytes < 1000 {
                    vec![(label, Unit::MessagesPerSecond, stream.messages_per_second)]
                } else {
                    vec![(label, Unit::MegabytesPerSecond, stream.megabytes_per_second)]
                })
            }
            Self::RoundTrips(bulk) => {
                let ms = if bulk.is_some() { ms * 2 } else { ms };
                let trips = rows::round_trips(pair, ms, bulk).await?;
                let mut found = vec![
                    (format!("{label}, p50"), Unit::Microseconds, float(trips.p50_us)),
                    (format!("{label}, p99"), Unit::Microseconds, float(trips.p99_us)),
                ];
                if let Some(rate) = trips.bulk_megabytes_per_second {
                    found.push((format!("{label}, bulk"), Unit::MegabytesPerSecond, rate));
                }
                Ok(found)
            }
        }
    }
}

/// What all rounds found.
struct Found {
    otp: String,
    carriers: Vec<Carrier>,
    samples: Vec<Sample>,
    /// Share of CPU time that the host took away, per round, percent. `None` where the system does not say.
    steal: Vec<Option<f64>>,
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = Arguments::parse();
    if arguments
        .filter
        .as_deref()
        .is_some_and(|filter| !"beams".contains(filter))
    {
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.test || !arguments.bench {
        arguments.rounds = 1;
        arguments.ms = TEST_MS;
        arguments.over.retain(|carrier| *carrier != Carrier::Tuned);
    }
    if !erlang::installed() {
        writeln!(
            io::stderr(),
            "beams: Erlang is not in the path; {}",
            erlang::HOW_TO_INSTALL
        )?;
        return Ok(ExitCode::from(2));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(supervise(async |workspace, children| {
        let stage = Stage::set(workspace, children, Path::new(env!("CARGO_BIN_EXE_beamway")).to_owned()).await?;
        measure(&stage, &arguments).await
    }))?;
    match ended {
        Ended::Done(found) => {
            if arguments.json {
                writeln!(io::stdout(), "{:#}", found.json())?;
            } else {
                write!(io::stdout(), "{}", found.table())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Ended::Signal(number) => Ok(Ended::<Found>::exit_code(number)),
    }
}

async fn measure(stage: &Stage<'_>, arguments: &Arguments) -> anyhow::Result<Found> {
    let mut carriers = arguments.over.clone();
    let erlang = stage.kind.erlang().context("the nodes are no BEAMs")?;
    if !erlang.tls {
        carriers.retain(|carrier| *carrier != Carrier::Tls);
        writeln!(
            io::stderr(),
            "TLS is left out: no ssl application; {}",
            erlang::HOW_TO_INSTALL
        )?;
    }
    let gateways = match carriers.contains(&Carrier::Beamway) {
        true => Some(stage.gateways().await?),
        false => None,
    };
    let mut pairs = Vec::new();
    for carrier in &carriers {
        pairs.push(Pair::start(stage, *carrier, gateways.as_ref()).await?);
    }
    let mut samples = Vec::new();
    let mut steal = Vec::new();
    for round in 0..arguments.rounds {
        let before = CpuTime::read();
        for row in ROWS {
            for pair in &mut pairs {
                let carrier = pair.carrier;
                let found = row
                    .measure(pair, arguments.ms)
                    .await
                    .with_context(|| format!("{} over {}", row.label(), carrier.name()))?;
                samples.extend(found.into_iter().map(|(label, unit, value)| Sample {
                    label,
                    unit,
                    carrier,
                    round,
                    value,
                }));
            }
        }
        pairs.rotate_left(1);
        let taken = before
            .zip(CpuTime::read())
            .map(|(before, after)| before.steal_until(after));
        let shown = taken.map_or("unknown".to_owned(), |percent| format!("{percent:.1} %"));
        writeln!(
            io::stderr(),
            "round {} of {}: steal {shown}",
            round + 1,
            arguments.rounds
        )?;
        steal.push(taken);
    }
    Ok(Found {
        otp: erlang.otp.clone(),
        carriers,
        samples,
        steal,
    })
}

impl Found {
    /// Labels in the order of the rows, each once.
    fn labels(&self) -> Vec<(&str, Unit)> {
        let mut labels: Vec<(&str, Unit)> = Vec::new();
        for sample in &self.samples {
            if !labels.iter().any(|(label, _)| *label == sample.label) {
                labels.push((&sample.label, sample.unit));
            }
        }
        labels
    }

    fn value(&self, label: &str, carrier: Carrier, round: u32) -> Option<f64> {
        let mut samples = self.samples.iter();
        samples
            .find(|sample| sample.label == label && sample.carrier == carrier && sample.round == round)
            .map(|sample| sample.value)
    }

    /// Values of every round, over one carrier.
    fn values(&self, label: &str, carrier: Carrier) -> Vec<f64> {
        self.rounds()
            .filter_map(|round| self.value(label, carrier, round))
            .collect()
    }

    fn rounds(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.steal.len()).unwrap_or(u32::MAX)
    }

    /// How many times faster beamway is than `other`, in each round.
    fn ratios(&self, label: &str, unit: Unit, other: Carrier) -> Vec<f64> {
        self.rounds()
            .filter_map(|round| {
                let ours = self.value(label, Carrier::Beamway, round)?;
                let theirs = self.value(label, other, round)?;
                Some(unit.speed(ours, theirs))
            })
            .collect()
    }

    fn others(&self) -> impl Iterator<Item = Carrier> {
        self.carriers
            .iter()
            .copied()
            .filter(|carrier| *carrier != Carrier::Beamway && self.carriers.contains(&Carrier::Beamway))
    }

    fn table(&self) -> String {
        let rounds = self.steal.len();
        let mut table = format!(
            "Erlang/OTP {}, {rounds} round{}, medians; `x plain` = beamway's speed divided by plain's in the same round: \
             median (least to most)\n\n| |",
            self.otp,
            if rounds == 1 { "" } else { "s" }
        );
        let heads = self.carriers.iter().map(|carrier| carrier.name().to_owned());
        let heads: Vec<String> = heads
            .chain(self.others().map(|other| format!("x {}", other.name())))
            .collect();
        for head in &heads {
            table.push_str(&format!(" {head} |"));
        }
        table.push_str(&format!("\n|---|{}\n", "---:|".repeat(heads.len())));
        for (label, unit) in self.labels() {
            table.push_str(&format!("| {label} |"));
            for carrier in &self.carriers {
                let value = median(self.values(label, *carrier));
                table.push_str(&format!(
                    " {} |",
                    value.map_or("-".to_owned(), |value| unit.show(value))
                ));
            }
            for other in self.others() {
                let ratios = self.ratios(label, unit, other);
                table.push_str(&format!(" {} |", spread(ratios)));
            }
            table.push('\n');
        }
        table.push_str("\nEvery message was compared byte for byte with what was sent, and counted. Steal per round:");
        for steal in &self.steal {
            table.push_str(&steal.map_or(" unknown".to_owned(), |percent| format!(" {percent:.1} %")));
        }
        table.push('\n');
        table
    }

    fn json(&self) -> serde_json::Value {
        let rows = self.labels().into_iter().map(|(label, unit)| {
            let carriers = self.carriers.iter();
            let values: serde_json::Map<_, _> = carriers
                .map(|carrier| (carrier.name().to_lowercase(), json!(self.values(label, *carrier))))
                .collect();
            let ratios: serde_json::Map<_, _> = self
                .others()
                .map(|other| (other.name().to_lowercase(), json!(self.ratios(label, unit, other))))
                .collect();
            let unit = match unit {
                Unit::MessagesPerSecond => "msg/s",
                Unit::MegabytesPerSecond => "MB/s",
                Unit::Microseconds => "us",
            };
            json!({ "row": label, "unit": unit, "rounds": values, "ratios": ratios })
        });
        json!({
            "otp": self.otp,
            "verified": true,
            "steal_percent": self.steal,
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}

/// The middle value; of an even number of values the mean of the middle two.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The median of the rounds, and how far apart they lie: a ratio within its own spread of 1 says nothing.
fn spread(values: Vec<f64>) -> String {
    let least = values.iter().copied().min_by(f64::total_cmp);
    let most = values.iter().copied().max_by(f64::total_cmp);
    match (values.len(), median(values), least, most) {
        (1, Some(only), _, _) => format!("{only:.2}"),
        (_, Some(middle), Some(least), Some(most)) => format!("{middle:.2} ({least:.2} to {most:.2})"),
        _ => "-".to_owned(),
    }
}

/// CPU time of the whole machine since its start, ticks (`/proc/stat`, proc(5)).
#[derive(Clone, Copy)]
struct CpuTime {
    all: u64,
    steal: u64,
}

impl CpuTime {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let ticks: Vec<u64> = text
            .lines()
            .next()?
            .split_whitespace()
            .skip(1)
            .map_while(|field| field.parse().ok())
            .collect();
        // user nice system idle iowait irq softirq steal; guest times that follow are counted in user already.
        Some(Self {
            all: ticks.iter().take(8).sum(),
            steal: *ticks.get(7)?,
        })
    }

    fn steal_until(self, later: Self) -> f64 {
        100.0 * float(later.steal.saturating_sub(self.steal)) / float(later.all.saturating_sub(self.all).max(1))
    }
}

/// Counts here stay far below 2^53, so nothing is lost.
fn float(count: u64) -> f64 {
    count as f64
}
