use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::bench;
use super::demo::native;
use super::sim;
use super::testbed::carriers::Carrier;
use crate::cli::Joining;

/// The commands that show and measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the main job on this machine, with real nodes: takes about 40 seconds and leaves nothing behind
    Demo(DemoArgs),
    /// Compare beamway with plain, tuned and TLS distribution on this machine, with real nodes
    Bench(BenchArgs),
    /// Be a native node that obeys the demo
    #[command(hide = true)]
    DemoNode(DemoNodeArgs),
    /// Lay a line with faults between two network namespaces, for tests and measurements; needs root
    #[command(hide = true)]
    Linkem(LinkemArgs),
    /// Run the daemons' code on a simulated network, with faults, and count what is lost
    #[command(hide = true)]
    Sim(SimArgs),
}

#[derive(Debug, clap::Args)]
pub struct LinkemArgs {
    /// The network namespace at one end; made, and removed at the end, if there is none of that name
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) left: String,
    /// The network namespace at the other end
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) right: String,
    /// The address at the left end
    #[arg(long, value_name = "ADDRESS/PREFIX", default_value = "10.78.0.1/24")]
    pub(super) left_address: String,
    /// The address at the right end
    #[arg(long, value_name = "ADDRESS/PREFIX", default_value = "10.78.0.2/24")]
    pub(super) right_address: String,
    /// Both directions: words such as `delay=10ms jitter=1ms loss=0.5% burst=3 rate=100Mbit buffer=250kB duplicate=0.1%
    /// reorder=1% late=5ms blackout=off`
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(super) line: String,
    /// Words for left to right only
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(super) forth: String,
    /// Words for right to left only
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(super) back: String,
    /// Everything that chance decides follows from this number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,
    /// The largest packet, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1500)]
    pub(super) mtu: u16,
}

#[derive(Debug, clap::Args)]
pub struct SimArgs {
    /// How many seeds are run
    #[arg(long, default_value_t = 300, conflicts_with = "seed")]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0, conflicts_with = "seed")]
    first: u64,
    /// One seed only, with all that happens
    #[arg(long)]
    seed: Option<u64>,
    /// Runs at once [default: one for each processor]
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Print the figures as JSON; progress goes to standard error
    #[arg(long)]
    json: bool,
}

impl From<SimArgs> for sim::Options {
    fn from(args: SimArgs) -> Self {
        Self {
            seeds: args.seeds,
            first: args.first,
            seed: args.seed,
            jobs: args.jobs,
            json: args.json,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Print the figures as JSON; progress goes to standard error
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Ten minutes at most: the main rows and carriers
    #[arg(long)]
    quick: bool,
    /// Hours: all rows, all lines, ten thousand calls in each; with --out it can be interrupted and goes on later
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Everything once with tiny durations: does it still run?
    #[arg(long, conflicts_with_all = ["quick", "full"], hide = true)]
    tiny: bool,
    /// How often everything is measured
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// The carriers instead of the usual ones: plain, tuned, TLS, beamway-LANES or beamway-LANES-CONTROLLER, with commas
    #[arg(long, value_name = "CARRIERS", value_delimiter = ',', value_parser = bench::carrier)]
    over: Option<Vec<Carrier>>,
    /// A carrier of somebody else: its name, the folder of its compiled modules, and what `-proto_dist` is given (by default
    /// the name)
    #[arg(long, value_name = "NAME=EBIN[:PROTO_DIST]", value_parser = bench::other)]
    carrier: Vec<Carrier>,
    /// Only rows with this in their names; several with commas
    #[arg(long, value_name = "FILTER")]
    rows: Option<String>,
    /// Print what was found as JSON; progress goes to standard error in any case
    #[arg(long)]
    json: bool,
    /// Write findings.json and a report with plots to this folder; an interrupted run with the same settings goes on from there
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Measure nothing: show what a run has found, from its findings.json
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Measure between two nodes that run already, over what carries them now; the first one measures
    #[arg(long, value_names = ["NODE", "NODE"], num_args = 2, requires = "config", conflicts_with_all = ["over", "carrier"])]
    between: Option<Vec<String>>,
    /// With --between: the configuration file of this host's daemon, for its name, certificates and peers; the daemon need
    /// not run, and is left alone if it does
    #[arg(long, value_name = "FILE", requires = "between")]
    config: Option<PathBuf>,
    /// With --between: the nodes' cookie; others can see it in the list of processes, which a file avoids
    /// [default: ~/.erlang.cookie]
    #[arg(long, value_name = "COOKIE", requires = "between")]
    cookie: Option<String>,
    /// With --between: our own node name, `name@host` [default: one that nobody else has]
    #[arg(long, value_name = "NAME", requires = "between")]
    name: Option<String>,
}

/// How long joining a cluster for measurements may take.
const JOIN_MAX: Duration = Duration::from_secs(30);

impl BenchArgs {
    fn between(
        nodes: Vec<String>,
        config: PathBuf,
        cookie: Option<String>,
        name: Option<String>,
    ) -> Option<bench::Between> {
        let [near, far] = <[String; 2]>::try_from(nodes).ok()?;
        let joining = Joining {
            config,
            cookie,
            name,
            timeout: JOIN_MAX,
            node: near,
        };
        Some(bench::Between { joining, far })
    }
}

impl From<BenchArgs> for bench::Options {
    fn from(args: BenchArgs) -> Self {
        let extent = match (args.tiny, args.quick, args.full) {
            (true, ..) => bench::Extent::Tiny,
            (_, true, _) => bench::Extent::Quick,
            (_, _, true) => bench::Extent::Full,
            _ => bench::Extent::Usual,
        };
        // What is named counts beside `--over` too.
        let over = args.over.map(|over| [over, args.carrier.clone()].concat());
        Self {
            extent,
            rounds: args.rounds,
            over,
            others: args.carrier,
            rows: args.rows,
            json: args.json,
            out: args.out,
            report: args.report,
            between: args
                .between
                .zip(args.config)
                .and_then(|(nodes, config)| BenchArgs::between(nodes, config, args.cookie, args.name)),
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct DemoNodeArgs {
    /// Its full name
    #[arg(long, value_name = "NAME@HOST")]
    name: String,
    /// The port of its port mapper, on 127.0.0.1
    #[arg(long, value_name = "PORT")]
    epmd: u16,
    /// The file with the cookie
    #[arg(long, value_name = "FILE")]
    cookie: PathBuf,
}

impl From<DemoNodeArgs> for native::Options {
    fn from(args: DemoNodeArgs) -> Self {
        Self {
            name: args.name,
            epmd: args.epmd,
            cookie: args.cookie,
        }
    }
}
