use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::bench;
use super::demo::native;
use super::sim;
use super::testbed::carriers::Carrier;
use crate::cli::CookieArgs;
use crate::cli::Joining;

/// Commands for demonstrations and measurements.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure beamway, plain and TLS distribution side by side with real nodes on this machine, in 40 seconds
    Demo(DemoArgs),
    /// Benchmark beamway against plain, tuned and TLS distribution with real nodes on this machine
    Bench(BenchArgs),
    /// Run a native node for the demo
    #[command(hide = true)]
    DemoNode(DemoNodeArgs),
    /// Emulate a network path with faults between two network namespaces; needs root
    #[command(hide = true)]
    Linkem(LinkemArgs),
    /// Run the daemons' code on a simulated network with faults, and verify that no signal is lost
    #[command(hide = true)]
    Sim(SimArgs),
}

#[derive(Debug, clap::Args)]
pub struct LinkemArgs {
    /// The network namespace at one end; if it does not exist, it is created, and removed at the end
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
    /// The seed of all random decisions
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,
    /// The largest packet, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1500)]
    pub(super) mtu: u16,
}

#[derive(Debug, clap::Args)]
pub struct SimArgs {
    /// Number of seeds to run
    #[arg(long, default_value_t = 300, conflicts_with = "seed")]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0, conflicts_with = "seed")]
    first: u64,
    /// Run this seed only, and print a trace of its events
    #[arg(long)]
    seed: Option<u64>,
    /// Parallel runs [default: one for each CPU]
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
    /// The program `erl` of the Erlang to run [default: the one in the path]
    #[arg(long, value_name = "PATH")]
    pub(super) erl: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Ten minutes at most: the main rows and carriers
    #[arg(long)]
    quick: bool,
    /// Hours: all rows, all network paths, ten thousand calls in each; with --out an interrupted run can be resumed
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Everything once with tiny durations, to see whether it runs
    #[arg(long, conflicts_with_all = ["quick", "full"], hide = true)]
    tiny: bool,
    /// Number of rounds
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Carriers instead of the default ones, separated by commas: plain, tuned, TLS, beamway-LANES, beamway-LANES-CONTROLLER
    #[arg(long, value_name = "CARRIERS", value_delimiter = ',', value_parser = bench::carrier)]
    over: Option<Vec<Carrier>>,
    /// A carrier of another project: its name, the folder of its compiled modules, and the value of `-proto_dist` (default: the
    /// name)
    #[arg(long, value_name = "NAME=EBIN[:PROTO_DIST]", value_parser = bench::other)]
    carrier: Vec<Carrier>,
    /// The program `erl` of the Erlang to run [default: the one in the path]
    #[arg(long, value_name = "PATH")]
    erl: Option<PathBuf>,
    /// Only rows whose names contain this; several separated by commas
    #[arg(long, value_name = "FILTER")]
    rows: Option<String>,
    /// Print the findings as JSON; progress always goes to standard error
    #[arg(long)]
    json: bool,
    /// Write findings.json and a report with plots to this folder; an interrupted run with the same settings is resumed
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Do not measure: show the report of an earlier run, from its findings.json
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Measure between two running nodes over their present carrier; the first one measures
    #[arg(long, value_names = ["NODE", "NODE"], num_args = 2, requires = "config", conflicts_with_all = ["over", "carrier"])]
    between: Option<Vec<String>>,
    /// With --between: the configuration file of this host's daemon, for name, certificates and peers; the daemon need not
    /// run, and is not disturbed if it does
    #[arg(long, value_name = "FILE", requires = "between")]
    config: Option<PathBuf>,
    #[command(flatten)]
    cookie: CookieArgs,
    /// With --between: our own node name, `name@host` [default: a unique name]
    #[arg(long, value_name = "NAME", requires = "between")]
    name: Option<String>,
}

/// How long joining a cluster for measurements may take.
const JOIN_MAX: Duration = Duration::from_secs(30);

impl BenchArgs {
    fn between(
        nodes: Vec<String>,
        config: PathBuf,
        cookie: CookieArgs,
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
            erl: args.erl,
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
