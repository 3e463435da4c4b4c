use std::io;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use tokio::runtime;

use super::report::Figures;
use super::report::Report;
use super::report::calls_per_second;
use super::report::count;
use super::report::megabytes_per_second;
use super::report::microseconds;
use super::rows;
use super::rows::Bulk;
use super::rows::Calls;
use super::rows::Durations;
use super::rows::RoundTrips;
use super::rows::Transfer;
use crate::lab::testbed::carriers::Carrier;
use crate::lab::testbed::children::Children;
use crate::lab::testbed::erlang::HOW_TO_INSTALL;
use crate::lab::testbed::erlang::MODULE;
use crate::lab::testbed::erlang::Programs;
use crate::lab::testbed::gateways::Gateways;
use crate::lab::testbed::inside;
use crate::lab::testbed::nodes::Kind;
use crate::lab::testbed::pairs::Pair;
use crate::lab::testbed::screen::Screen;
use crate::lab::testbed::shared::Testbed;
use crate::lab::testbed::supervise::Ended;
use crate::lab::testbed::supervise::supervise;
use crate::lab::testbed::transport::Transport;
use crate::lab::testbed::workspace::Workspace;

/// Width of the names of steps.
const LABEL_COLUMNS: usize = 18;

/// What `beamway demo` is to do.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Print the figures as JSON on standard output, and the progress on standard error.
    pub json: bool,
    /// The `erl` of the Erlang to run, instead of the one in the path.
    pub erl: Option<PathBuf>,
}

/// Runs the demo: about 40 seconds, up to a minute on a busy machine. Starts its own runtime, so it must not be called
/// from within one.
///
/// Returns the exit status: 0; 128 and the number of the signal that ended it.
///
/// # Errors
///
/// When something does not start, or a node received something else than was sent.
pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let executable = std::env::current_exe().context("cannot find the path of this program")?;
    let programs = Programs::find(options.erl.as_deref())?;
    let mut screen = Screen::new(options.json, LABEL_COLUMNS);
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(supervise(async |workspace, children| {
        show(&mut screen, workspace, children, executable, programs).await
    }));
    screen.end();
    match ended? {
        Ended::Done(report) => {
            if options.json {
                writeln!(io::stdout(), "{:#}", report.json()).context("cannot write to standard output")?;
            } else {
                screen.block(&format!(
                    "\n{}\nEverything was stopped and removed ({:.0} s).\n",
                    report.table(),
                    report.seconds
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        Ended::Signal(number) => {
            screen.block("interrupted: everything was stopped and removed\n");
            Ok(Ended::<Report>::exit_code(number))
        }
    }
}

/// The demo itself.
async fn show(
    screen: &mut Screen,
    workspace: &Workspace,
    children: &Children,
    executable: PathBuf,
    erlang: Option<Programs>,
) -> anyhow::Result<Report> {
    let begin = Instant::now();
    screen.block("beamway demo: two gateways and pairs of nodes on this machine; takes about 40 seconds\n\n");
    screen.step("certificates");
    let [first, second, third] = inside::MODULES;
    let modules = [first, second, third, MODULE];
    let testbed = Testbed::prepare(workspace, children, executable, erlang, &modules).await?;
    screen.part("a throw-away authority, and one for each gateway");
    let mut carriers = vec![Carrier::beamway(), Carrier::Plain];
    let mut left_out: Vec<String> = without_tls(&testbed.kind).into_iter().collect();
    if left_out.is_empty() {
        carriers.push(Carrier::Tls);
    }
    if testbed.kind.erlang().is_some() {
        let announce = || screen.block(&format!("{}\n", inside::BUILDING));
        match inside::find_or_build(&testbed.executable, announce).await {
            Some(library) => {
                inside::install(workspace, &library)?;
                carriers.push(Carrier::Inside);
            }
            None => left_out.push(format!("beamway VM is left out: {}", inside::HOW_TO_BUILD)),
        }
    }
    screen.step("gateways");
    let gateways = Gateways::start(&testbed, &Transport::default()).await?;
    screen.part("left and right, lanes over QUIC with mutual TLS");
    screen.step("nodes");
    screen.part(&match testbed.kind.erlang() {
        Some(erlang) => format!("Erlang/OTP {}, a and b over:", erlang.otp),
        None => "native nodes (no Erlang found in the path), a and b over:".to_owned(),
    });
    let mut pairs = Vec::new();
    for carrier in carriers {
        let pair = Pair::start(&testbed, carrier, Some(&gateways)).await?;
        screen.part(&format!(" {}", pair.carrier.name()));
        pairs.push(pair);
    }
    let nodes = match pairs.first_mut() {
        Some(pair) => Some(meet(screen, pair).await?),
        None => None,
    };
    let figures = measure(screen, &mut pairs, Durations::DEMO).await?;
    screen.step("lanes");
    if let Some(pair) = pairs.first_mut() {
        pair.disconnect().await?;
    }
    let frames_per_lane = gateways.frames_per_lane().await;
    let counted = frames_per_lane.iter().flatten().flatten().sum::<u64>();
    screen.part(&format!("{counted} frames counted by the gateways"));
    Ok(Report {
        otp: testbed.kind.erlang().map(|erlang| erlang.otp.clone()),
        tls: testbed.kind.erlang().and_then(|erlang| erlang.tls.clone()),
        figures,
        left_out: (!left_out.is_empty()).then(|| left_out.join("\n")),
        nodes,
        frames_per_lane,
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// Why nodes of this kind are not measured over TLS, if so.
fn without_tls(kind: &Kind) -> Option<String> {
    let why = match kind.erlang() {
        Some(erlang) if erlang.tls.is_some() => return None,
        Some(_) => "this Erlang has no ssl application",
        None => "it comes with Erlang, which is not in the path",
    };
    Some(format!("TLS is left out: {why}; {HOW_TO_INSTALL}"))
}

/// Both nodes see each other, and nobody else.
async fn meet(screen: &mut Screen, pair: &mut Pair) -> anyhow::Result<[Vec<String>; 2]> {
    let (a, b) = (pair.a.name().to_owned(), pair.b.name().to_owned());
    screen.step("ping");
    anyhow::ensure!(pair.ping().await?, "{a} pings {b}: pang");
    screen.part(&format!("{a} -> {b}: pong   "));
    anyhow::ensure!(pair.ping_back().await?, "{b} pings {a}: pang");
    screen.part(&format!("{b} -> {a}: pong"));
    screen.step("nodes()");
    let nodes = pair.nodes().await?;
    let [seen_by_a, seen_by_b] = &nodes;
    screen.part(&format!(
        "on a: [{}]   on b: [{}]",
        seen_by_a.join(","),
        seen_by_b.join(",")
    ));
    anyhow::ensure!(
        *seen_by_a == [b.as_str()] && *seen_by_b == [a.as_str()],
        "a and b must see exactly each other"
    );
    Ok(nodes)
}

/// Measures row by row, each over all carriers in turn: what the machine does beside this changes with the minute, and
/// should not fall on one carrier alone.
pub(super) async fn measure(
    screen: &mut Screen,
    pairs: &mut [Pair],
    durations: Durations,
) -> anyhow::Result<Vec<Figures>> {
    let all_calls = row(screen, pairs, "calls", async |pair| {
        let calls = rows::calls(pair, durations.calls).await?;
        Ok((calls, calls_per_second(calls.per_second)))
    })
    .await?;
    let transfers = row(screen, pairs, "64 MB message", async |pair| {
        let transfer = rows::transfer(pair, durations.transfer).await?;
        Ok((transfer, megabytes_per_second(transfer.megabytes_per_second)))
    })
    .await?;
    let alone = row(screen, pairs, "call alone", async |pair| {
        let trips = rows::round_trips(pair, durations.alone, None).await?;
        Ok((trips, short(&trips)))
    })
    .await?;
    let beside = row(screen, pairs, "call beside bulk", async |pair| {
        let trips = rows::round_trips(pair, durations.beside, Some(Bulk::DEMO)).await?;
        Ok((trips, short(&trips)))
    })
    .await?;
    let together = all_calls.into_iter().zip(transfers).zip(alone.into_iter().zip(beside));
    Ok(pairs
        .iter()
        .zip(together)
        .map(|(pair, ((calls, transfer), (alone, beside)))| {
            figures(pair.carrier.clone(), calls, transfer, alone, beside)
        })
        .collect())
}

fn figures(carrier: Carrier, calls: Calls, transfer: Transfer, alone: RoundTrips, beside: RoundTrips) -> Figures {
    Figures {
        carrier,
        calls,
        transfer,
        alone,
        beside,
    }
}

async fn row<T>(
    screen: &mut Screen,
    pairs: &mut [Pair],
    label: &str,
    measure: impl AsyncFn(&mut Pair) -> anyhow::Result<(T, String)>,
) -> anyhow::Result<Vec<T>> {
    screen.step(label);
    let mut found = Vec::new();
    for pair in pairs {
        let name = pair.carrier.name();
        let gap = if found.is_empty() { "" } else { "   " };
        screen.part(&format!("{gap}{name} "));
        let (value, text) = measure(pair).await?;
        screen.part(&format!("{text:>12}"));
        found.push(value);
    }
    Ok(found)
}

fn short(trips: &RoundTrips) -> String {
    format!("p99 {}", microseconds(count(trips.p99_us)))
}
