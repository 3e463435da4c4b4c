//! Instructions per signal through all that is ours on the way from node to node: what a clock cannot tell on a busy
//! machine, a count does. QUIC, sockets and the nodes are not in it.
//!
//! `cargo bench --bench instructions` runs each stage twice under callgrind (Debian: `valgrind`), the second time with
//! more signals; what the two differ by is the price of the signals, without start and end. The same program gives the
//! same count, to a few in a thousand; another compiler gives another. A copied byte counts as an instruction, as
//! callgrind sees it. `--json` prints the counts, and `--against FILE` ends with an error when one has grown by more
//! than a twentieth since such a file was written.
//!
//! With `--test`, or when not started by `cargo bench`, every stage runs once, uncounted.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it found")]

#[path = "shared/joined.rs"]
mod joined;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use beamway::internals::dist::Format;
use beamway::internals::dist::StreamDecoder;
use beamway::internals::dist::StreamEncoder;
use beamway::internals::endpoint::packets::intake;
use beamway::internals::session::Intake;
use beamway::internals::wire::Content;
use bytes::BytesMut;
use clap::Parser;
use clap::ValueEnum;
use joined::Joined;
use joined::PAIRS;
use joined::body;
use joined::pid;
use joined::to;

/// Signals carried at once, about what one read of a busy leg brings.
const BATCH: u32 = 256;

/// Signals of one process that follow one another, where they do.
const TOGETHER: u32 = 16;

/// Batches of the two runs.
const RUNS: [u32; 2] = [8, 24];

/// Growth that `--against` lets pass.
const GROWTH_MAX: f64 = 0.05;

#[derive(Clone, Parser)]
#[command(name = "instructions", about = "Instructions per signal, counted by callgrind")]
struct Arguments {
    /// Print the counts as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Counts of before, as `--json` printed them: an error if one has grown by more than a twentieth.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Run every stage once, uncounted.
    #[arg(long)]
    test: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// What is counted: a run of this stage,
    #[arg(long, hide = true)]
    stage: Option<Stage>,
    /// with so many batches.
    #[arg(long, hide = true, default_value_t = 1)]
    batches: u32,
    /// Part of the name of the benchmarks to run, as all benchmarks take it.
    filter: Option<String>,
}

/// Part of a signal's way.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Stage {
    /// A gateway reads packets of its node.
    Intake,
    /// Two sessions carry signals.
    Sessions,
    /// The same, addressed by name, once a thousand receivers have had something.
    Names,
    /// A gateway writes packets to its node.
    Packets,
    /// All of it.
    Way,
    /// All of it, of processes that send several at a time.
    Runs,
    /// All of it, with payloads of 4000 bytes.
    LongWay,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Intake => "a node's packet to a signal, 100 B",
            Self::Sessions => "from session to session, 100 B",
            Self::Names => "the same by name, after 1000 receivers",
            Self::Packets => "a signal to a node's packet, 100 B",
            Self::Way => "from node to node, 100 B",
            Self::Runs => "from node to node, 100 B, 16 at a time",
            Self::LongWay => "from node to node, 4000 B",
        }
    }

    fn run(self, batches: u32) -> anyhow::Result<()> {
        let payload = if self == Self::LongWay { 4000 } else { 100 };
        let together = if self == Self::Runs { TOGETHER } else { 1 };
        let (written, taken) = signals(payload, together)?;
        let contents: Vec<Content> = taken.iter().map(|signal| signal.content.clone()).collect();
        let mut joined = Joined::new();
        let mut named = Vec::new();
        if self == Self::Names {
            joined.carry(take(&give(&scattered()))?);
            named = take(&give(&by_name(payload)))?;
        }
        for _ in 0..batches {
            let seen = match self {
                Self::Intake => take(&written)?.len(),
                Self::Sessions => joined.carry(taken.clone()).len(),
                Self::Names => joined.carry(named.clone()).len(),
                Self::Packets => {
                    anyhow::ensure!(written == give(&contents), "a node gets other packets than were sent");
                    contents.len()
                }
                Self::Way | Self::Runs | Self::LongWay => {
                    let delivered = joined.carry(take(&written)?);
                    anyhow::ensure!(give(&delivered).len() == written.len(), "bytes are missing");
                    delivered.len() * together as usize
                }
            };
            anyhow::ensure!(seen == BATCH as usize, "{seen} of {BATCH} signals arrived");
        }
        Ok(())
    }
}

/// One batch, as a node writes it and as a gateway reads it; so many of each process follow one another.
fn signals(payload: usize, together: u32) -> anyhow::Result<(BytesMut, Vec<Intake>)> {
    let contents: Vec<Content> = (0..BATCH)
        .map(|signal| Content::Signal(body(signal / together % PAIRS, payload)))
        .collect();
    let written = give(&contents);
    let taken = take(&written)?;
    Ok((written, taken))
}

/// Something for each of a thousand receivers: `{22, From, To}`.
fn scattered() -> Vec<Content> {
    let to_each = |id| Content::Signal(to(b"\x68\x03\x61\x16", id % PAIRS, &pid(2000 + id), 10));
    (0..1000).map(to_each).collect()
}

/// A batch for one registered process: `{6, From, '', server}`.
fn by_name(payload: usize) -> Vec<Content> {
    let to_server = |id| Content::Signal(to(b"\x68\x04\x61\x06", id % PAIRS, b"\x77\x00\x77\x06server", payload));
    (0..BATCH).map(to_server).collect()
}

fn take(written: &BytesMut) -> anyhow::Result<Vec<Intake>> {
    let mut decoder = StreamDecoder::new(Format::Header);
    let mut input = written.clone();
    let mut taken = Vec::new();
    while let Some(packet) = decoder.decode(&mut input)? {
        taken.extend(intake(packet, Format::Header)?);
    }
    Ok(taken)
}

fn give(contents: &[Content]) -> BytesMut {
    let encoder = StreamEncoder::new(Format::Header);
    let mut out = BytesMut::new();
    for content in contents {
        if !matches!(content, Content::Run(_)) {
            encoder.signal(content.body().len(), &mut out);
        }
        out.extend_from_slice(content.body());
    }
    out
}

/// Instructions that one signal costs in a stage.
fn count(stage: Stage, folder: &Path) -> anyhow::Result<f64> {
    let [few, many] = RUNS.map(|batches| collected(stage, batches, folder));
    let signals = (RUNS[1] - RUNS[0]) * BATCH;
    Ok((many? - few?) as f64 / f64::from(signals))
}

/// Instructions of a whole run.
fn collected(stage: Stage, batches: u32, folder: &Path) -> anyhow::Result<i64> {
    let out = folder.join("callgrind.out");
    let name = stage.to_possible_value().context("every stage has a name")?;
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["--stage", name.get_name(), "--batches", &batches.to_string()])
        .output()
        .context("valgrind cannot be started; install it (Debian: apt-get install valgrind)")?;
    anyhow::ensure!(
        run.status.success(),
        "{} failed under valgrind: {}",
        stage.name(),
        String::from_utf8_lossy(&run.stderr)
    );
    let profile = fs::read_to_string(&out).context("callgrind has written no profile")?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.context("callgrind's profile has no total")?.trim().parse()?)
}

/// The counts that have grown too much.
fn grown(before: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) -> Vec<String> {
    now.iter()
        .filter_map(|(stage, count)| {
            let before = before.get(stage)?;
            (*count > before * (1.0 + GROWTH_MAX)).then(|| format!("{stage}: {before:.0} before, {count:.0} now"))
        })
        .collect()
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(stage) = arguments.stage {
        return stage.run(arguments.batches);
    }
    if arguments.test || !arguments.bench {
        return Stage::value_variants().iter().try_for_each(|stage| stage.run(1));
    }
    let folder = tempfile::tempdir()?;
    let mut counts = BTreeMap::new();
    for stage in Stage::value_variants() {
        if !stage.name().contains(arguments.filter.as_deref().unwrap_or_default()) {
            continue;
        }
        let count = count(*stage, folder.path())?;
        if !arguments.json {
            println!("{:<40} {count:>8.0} instructions", stage.name());
        }
        counts.insert(stage.name().to_owned(), count);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&counts)?);
    }
    if let Some(file) = &arguments.against {
        let before =
            serde_json::from_slice(&fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?)?;
        let grown = grown(&before, &counts);
        anyhow::ensure!(grown.is_empty(), "more instructions than before:\n{}", grown.join("\n"));
    }
    Ok(())
}
