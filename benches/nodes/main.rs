//! Native nodes in two processes of this machine: messages, bulk, calls, and what a process costs.
//!
//! `cargo bench --bench nodes` measures over lanes, over plain distribution, and beside them raw QUIC that writes the same bytes
//! in pieces of 16 KiB: with the settings of trunks, and with those that quinn has when nothing is set. All in one pair of
//! processes, in turns. What arrives is counted and digested by its receivers. The median of several rounds counts; ratios are
//! taken within a round. The processes run with the allocator that the program `beamway` has, and on one thread each, as
//! gateways do, unless told otherwise.
//!
//! With `--test`, or when not started by `cargo bench`, everything runs once with little to do.

#![allow(clippy::print_stdout, reason = "it prints figures")]

mod load;
mod quic;
mod report;
mod site;

use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::runtime::Builder;
use tokio::time::sleep;

use quic::Raw;
use report::Carrier;
use report::Found;
use report::Row;
use report::Unit;
use site::Ports;
use site::Site;
use site::Way;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Idle processes.
const PROCESSES: usize = 100_000;

/// Messages sent each millisecond to a process that takes ten for each, and in all: half of what it may owe.
const TOO_MANY: [usize; 2] = [5, 10_000];

#[derive(Clone, Parser)]
#[command(name = "nodes", about = "Native nodes: throughput, round trips, memory")]
struct Arguments {
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Carriers to compare.
    #[arg(long, value_delimiter = ',', default_value = "lanes,plain,quic,default")]
    over: Vec<Carrier>,
    /// Worker threads of either process; without it one thread does everything there.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: Option<u8>,
    /// Only rows whose label contains this.
    #[arg(long)]
    row: Option<String>,
    /// Print the figures of every round as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// One round with little to do.
    #[arg(long)]
    test: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// The second process: where its certificates are,
    #[arg(long, hide = true)]
    far: Option<PathBuf>,
    /// and the ports of both.
    #[arg(long, hide = true, default_value = "")]
    ports: String,
    /// Part of the name of the benchmarks to run, as all benchmarks take it.
    filter: Option<String>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
enum Measure {
    /// Messages of `size` bytes, `count` in all.
    Flood { pairs: usize, size: usize, count: usize },
    /// Round trips between two processes, one after another.
    RoundTrips,
    /// Calls of a `GenServer`, `count` in all.
    Calls { callers: usize, count: usize },
    /// Round trips of 1000 pairs, without and with a process beside them that cannot keep up.
    Busy,
}

const MEASURES: [Measure; 10] = [
    Measure::Flood {
        pairs: 1,
        size: 100,
        count: 1_500_000,
    },
    Measure::Flood {
        pairs: 16,
        size: 100,
        count: 1_500_000,
    },
    Measure::Flood {
        pairs: 16,
        size: 4096,
        count: 80_000,
    },
    Measure::Flood {
        pairs: 4,
        size: 1 << 20,
        count: 300,
    },
    Measure::RoundTrips,
    Measure::Calls {
        callers: 1,
        count: 10_000,
    },
    Measure::Calls {
        callers: 16,
        count: 64_000,
    },
    Measure::Calls {
        callers: 64,
        count: 64_000,
    },
    Measure::Calls {
        callers: 1000,
        count: 64_000,
    },
    Measure::Busy,
];

/// A child that does not outlive the measurement.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments
        .filter
        .as_ref()
        .is_some_and(|filter| !"nodes".contains(filter.as_str()))
    {
        return Ok(());
    }
    let runtime = match arguments.workers {
        None => Builder::new_current_thread().enable_all().build()?,
        Some(workers) => Builder::new_multi_thread()
            .worker_threads(workers.into())
            .enable_all()
            .build()?,
    };
    match &arguments.far {
        Some(folder) => runtime.block_on(far(folder, serde_json::from_str(&arguments.ports)?)),
        None => runtime.block_on(near(&arguments)),
    }
}

async fn far(folder: &Path, ports: Ports) -> anyhow::Result<()> {
    let site = Site::start(1, folder, ports).await?;
    for way in Way::ALL {
        load::serve_far(site.node(way))?;
    }
    let [tuned, default] = ports.raw;
    let serving = async { tokio::try_join!(quic::serve(&site, tuned, false), quic::serve(&site, default, true)) };
    // Its standard input ends with the first process.
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        served = serving => served.map(drop),
        ended = parent => ended?.map(drop).map_err(Into::into),
    }
}

async fn near(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    site::issue(folder.path())?;
    let ports = Ports::find()?;
    let site = Site::start(0, folder.path(), ports).await?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--far").arg(folder.path());
    command.args(arguments.workers.map(|workers| format!("--workers={workers}")));
    command.arg("--ports").arg(serde_json::to_string(&ports)?);
    let _far = Guard(command.stdin(Stdio::piped()).spawn()?);
    for way in Way::ALL {
        await_node(&site, way).await?;
    }
    let [tuned, default] = ports.raw;
    let (raw, default) = (
        Raw::connect(&site, tuned, false).await?,
        Raw::connect(&site, default, true).await?,
    );
    let is_test = arguments.test || !arguments.bench;
    let mut bench = Bench {
        site,
        raw,
        default,
        share: if is_test { 100 } else { 1 },
        found: Found::default(),
    };
    for round in 0..if is_test { 1 } else { arguments.rounds } {
        for measure in MEASURES {
            let label = measure.label();
            if arguments.row.as_ref().is_some_and(|row| !label.contains(row)) {
                continue;
            }
            for carrier in &arguments.over {
                bench.measure(measure, *carrier, round).await?;
            }
        }
    }
    if arguments.row.is_none() {
        bench.processes()?;
    }
    bench.found.print(arguments.json)
}

/// Until the second process has started, 20 seconds at most.
async fn await_node(site: &Site, way: Way) -> anyhow::Result<()> {
    for _ in 0..200 {
        if site.node(way).connect(&way.far()).await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{} does not answer", way.far())
}

impl Measure {
    fn label(self) -> String {
        match self {
            Self::Flood { pairs, size, .. } => format!("{size} B, {pairs} pairs"),
            Self::RoundTrips => "round trip, 100 B".to_owned(),
            Self::Calls { callers, .. } => format!("calls, {callers} callers"),
            Self::Busy => "1000 busy pairs".to_owned(),
        }
    }
}

struct Bench {
    site: Site,
    raw: Raw,
    default: Raw,
    /// What share of the work is done.
    share: usize,
    found: Found,
}

impl Bench {
    async fn measure(&mut self, measure: Measure, carrier: Carrier, round: u32) -> anyhow::Result<()> {
        match measure {
            Measure::Flood { pairs, size, count } => {
                let each = count / pairs / self.share + 1;
                let took = match carrier.way() {
                    Some(way) => load::flood(self.site.node(way), &way.far(), pairs, size, each).await?,
                    None => self.raw(carrier).flood(pairs, each * load::signal_size(size)?).await?,
                };
                let rate = (each * pairs) as f64 / took.as_secs_f64();
                let (unit, value) = match size {
                    0..1000 => (Unit::PerSecond, rate),
                    _ => (Unit::MegabytesPerSecond, rate * size as f64 / 1e6),
                };
                self.add(measure.label(), unit, carrier, round, value);
            }
            Measure::RoundTrips => {
                let count = 5000 / self.share;
                let times = match carrier.way() {
                    Some(way) => load::round_trips(self.site.node(way), &way.far(), count, 100).await?,
                    None => self.raw(carrier).round_trips(count, 100).await?,
                };
                self.add_times(&measure.label(), carrier, round, times)?;
            }
            Measure::Calls { callers, count } => {
                if let Some(way) = carrier.way() {
                    let each = count / callers / self.share + 1;
                    let took = load::calls(self.site.node(way), &way.far(), callers, each).await?;
                    let rate = (each * callers) as f64 / took.as_secs_f64();
                    self.add(measure.label(), Unit::PerSecond, carrier, round, rate);
                }
            }
            Measure::Busy => {
                if let Some(way) = carrier.way() {
                    self.busy(way, carrier, round).await?;
                }
            }
        }
        Ok(())
    }

    /// The connection of a carrier without nodes.
    const fn raw(&mut self, carrier: Carrier) -> &mut Raw {
        match carrier {
            Carrier::Default => &mut self.default,
            _ => &mut self.raw,
        }
    }

    async fn busy(&mut self, way: Way, carrier: Carrier, round: u32) -> anyhow::Result<()> {
        let (node, far) = (self.site.node(way).clone(), way.far());
        let pairs = 1000 / self.share;
        let run = || {
            load::busy(
                &node,
                &far,
                pairs,
                Duration::from_millis(100),
                Duration::from_secs(2) / self.share as u32,
            )
        };
        let alone = run().await?;
        let beside = tokio::select! {
            beside = run() => beside?,
            ended = load::overwhelm(&node, &far, 1000, TOO_MANY[0], TOO_MANY[1]) => anyhow::bail!("{ended:?}"),
        };
        self.add_times("1000 busy pairs", carrier, round, alone)?;
        self.add_times("1000 busy pairs beside a slow process", carrier, round, beside)
    }

    fn add(&mut self, label: String, unit: Unit, carrier: Carrier, round: u32, value: f64) {
        let row = Row { label, unit };
        self.found.add(row, carrier, round, value);
    }

    fn add_times(&mut self, label: &str, carrier: Carrier, round: u32, mut times: Vec<Duration>) -> anyhow::Result<()> {
        times.sort();
        for (name, percent) in [("p50", 50), ("p99", 99)] {
            let time = times
                .get(times.len() * percent / 100)
                .context("no round trip was made")?;
            self.add(
                format!("{label}, {name}"),
                Unit::Microseconds,
                carrier,
                round,
                time.as_secs_f64() * 1e6,
            );
        }
        Ok(())
    }

    /// What idle processes cost, beside what their tasks would cost alone.
    fn processes(&mut self) -> anyhow::Result<()> {
        let count = PROCESSES / self.share;
        let before = resident()?;
        let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(std::future::pending::<()>())).collect();
        let alone = resident()? - before;
        let before = resident()?;
        for _ in 0..count {
            self.site.node(Way::Lanes).spawn(|mut context| async move {
                context.receive().await;
            });
        }
        let all = resident()? - before;
        for task in tasks {
            task.abort();
        }
        for (label, bytes) in [("an idle process with its task", all), ("an empty task", alone)] {
            self.add(
                label.to_owned(),
                Unit::Bytes,
                Carrier::Lanes,
                0,
                bytes as f64 / count as f64,
            );
        }
        Ok(())
    }
}

fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).context("VmRSS")?;
    Ok(kilobytes.parse::<u64>()? << 10)
}
