use std::io;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use tokio::runtime;

use super::between::Between;
use super::between::Luggage;
use super::between::Visitor;
use super::emulation;
use super::findings::About;
use super::findings::Findings;
use super::machine::Machine;
use super::machine::timestamp;
use super::modules::MODULES;
use super::plan::Extent;
use super::plan::Plan;
use super::report;
use super::rounds;
use super::rounds::Course;
use super::store;
use super::store::Store;
use crate::cli::output;
use crate::lab::testbed::carriers::Carrier;
use crate::lab::testbed::carriers::Other;
use crate::lab::testbed::children::Children;
use crate::lab::testbed::erlang;
use crate::lab::testbed::erlang::Programs;
use crate::lab::testbed::inside;
use crate::lab::testbed::screen::Screen;
use crate::lab::testbed::shared::Testbed;
use crate::lab::testbed::supervise::Ended;
use crate::lab::testbed::supervise::supervise;
use crate::lab::testbed::transport::Transport;
use crate::lab::testbed::workspace::Workspace;

/// Exit status of a run that cannot start: Erlang is missing, or no row matches.
const MISSING: u8 = 2;

/// Width of the names of rows while they are measured.
const LABEL_COLUMNS: usize = 44;

/// Width of the table.
const COLUMNS: usize = 120;

/// Options of `beamway bench`.
#[derive(Debug, Default)]
pub struct Options {
    /// How much is measured.
    pub extent: Extent,
    /// How often everything is measured; by default five times.
    pub rounds: Option<u32>,
    /// The carriers, instead of the usual ones.
    pub over: Option<Vec<Carrier>>,
    /// Carriers of other projects, beside the usual ones.
    pub others: Vec<Carrier>,
    /// Parts of the names of the rows to measure.
    pub rows: Option<String>,
    /// Print what was found as JSON instead of a table.
    pub json: bool,
    /// Where the findings and the report are written; an interrupted run is resumed from there.
    pub out: Option<PathBuf>,
    /// Only show what was found before: the file with the findings.
    pub report: Option<PathBuf>,
    /// The `erl` of the Erlang to run, instead of the one in the path.
    pub erl: Option<PathBuf>,
    /// Two nodes that exist already, instead of carriers on this machine.
    pub between: Option<Between>,
}

/// Compares carriers on this machine, or measures between two nodes. Starts its own runtime, so it must not be called from
/// within one.
///
/// Returns the exit status: 0; 2 without Erlang; 128 and the number of the signal that ended it.
///
/// # Errors
///
/// When something does not start, or a node received something else than was sent.
pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    if let Some(file) = &options.report {
        show(&store::read(file)?, options.json, &Store::open(options.out)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(programs) = Programs::find(options.erl.as_deref())? else {
        output::complain(&format!(
            "beamway bench: Erlang is not in the path; {}",
            erlang::HOW_TO_INSTALL
        ));
        return Ok(ExitCode::from(MISSING));
    };
    let plan = |over, filter| {
        let plan = Plan::new(options.extent, options.rounds, over, &options.others, filter);
        if options.between.is_some() {
            plan.visiting()
        } else {
            plan
        }
    };
    let meant = plan(options.over, options.rows.as_deref());
    if let Some(unknown) = options.rows.as_deref().and_then(|rows| meant.unknown(rows)) {
        let keys: Vec<String> = plan(None, None).rows().into_iter().map(|row| row.key).collect();
        output::complain(&format!(
            "beamway bench: no row of this run matches {unknown:?}; the rows are: {}",
            keys.join(", ")
        ));
        return Ok(ExitCode::from(MISSING));
    }
    let mut run = Run {
        plan: meant,
        filter: options.rows,
        store: Store::open(options.out)?,
        screen: Screen::new(true, LABEL_COLUMNS),
        findings: None,
        began: Instant::now(),
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(supervise(async |workspace, children| match options.between {
        Some(between) => run.between(workspace, between, programs).await,
        None => run.alone(workspace, children, programs).await,
    }));
    run.screen.end();
    if let Some(mut findings) = run.findings {
        findings.about.complete = rounds::is_complete(&findings, &run.plan);
        run.store.save(&findings)?;
        show(&findings, options.json, &run.store)?;
    }
    match ended? {
        Ended::Done(()) => Ok(ExitCode::SUCCESS),
        Ended::Signal(number) => {
            run.screen.block("interrupted: everything was stopped and removed\n");
            Ok(Ended::<()>::exit_code(number))
        }
    }
}

/// A run, with what it has found when it is interrupted.
struct Run {
    plan: Plan,
    filter: Option<String>,
    store: Store,
    screen: Screen,
    findings: Option<Findings>,
    began: Instant,
}

impl Run {
    /// With nodes of our own on this machine.
    async fn alone(&mut self, workspace: &Workspace, children: &Children, programs: Programs) -> anyhow::Result<()> {
        let executable = std::env::current_exe().context("cannot find the path of this program")?;
        let testbed = Testbed::prepare(workspace, children, executable, Some(programs), &MODULES).await?;
        let erlang = testbed.kind.erlang().context("Erlang is needed to run the nodes")?;
        let mut notes = Vec::new();
        if erlang.tls.is_none() {
            self.plan.carriers.retain(|carrier| *carrier != Carrier::Tls);
            self.plan.line_carriers.retain(|carrier| *carrier != Carrier::Tls);
            notes.push(format!(
                "TLS is left out: this Erlang has no ssl application; {}",
                erlang::HOW_TO_INSTALL
            ));
        }
        if self.is_planned(&Carrier::Inside) {
            let announce = || self.screen.block(&format!("{}\n", inside::BUILDING));
            match inside::find_or_build(&testbed.executable, announce).await {
                Some(library) => inside::install(workspace, &library)?,
                None => {
                    self.plan.carriers.retain(|carrier| *carrier != Carrier::Inside);
                    self.plan.line_carriers.retain(|carrier| *carrier != Carrier::Inside);
                    notes.push(format!("beamway VM is left out: {}", inside::HOW_TO_BUILD));
                }
            }
        }
        if let Some(note) = emulation::missing().filter(|_| !self.plan.lines.is_empty()) {
            self.plan.lines.clear();
            notes.push(note);
        }
        let settings = settings(&self.plan);
        let versions = (erlang.otp.clone(), erlang.tls.clone());
        self.course(settings, versions, notes)?.run(&testbed).await
    }

    fn is_planned(&self, carrier: &Carrier) -> bool {
        let mut planned = self.plan.carriers.iter().chain(&self.plan.line_carriers);
        planned.any(|of_plan| of_plan == carrier)
    }

    /// With two nodes that run already.
    async fn between(&mut self, workspace: &Workspace, between: Between, programs: Programs) -> anyhow::Result<()> {
        let Between { joining, far } = between;
        let names = format!("{} and {far}", joining.node);
        let luggage = Luggage::pack(programs, workspace).await?;
        let measure = async |context, near, _| {
            let mut visitor = Visitor::arrive(context, near, &far, &luggage).await?;
            let measured = async {
                let settings = [("between".to_owned(), names)].into_iter().chain(settings(&self.plan));
                let note = "machine, kernel and CPU steal are those of the machine that ran this command".to_owned();
                let otp = visitor.otp().await?;
                self.course(settings.collect(), (otp, None), vec![note])?
                    .between(&mut visitor)
                    .await
            };
            let measured = measured.await;
            let left = visitor.leave().await;
            measured.and(left)
        };
        joining.visit(measure).await
    }

    /// What is known before anything is measured, or what an earlier run found.
    fn course(
        &mut self,
        settings: Vec<(String, String)>,
        (otp, tls): (String, Option<String>),
        notes: Vec<String>,
    ) -> anyhow::Result<Course<'_>> {
        let machine = Machine::read();
        let rows = self.filter.iter().map(|rows| ("rows".to_owned(), rows.clone()));
        let fresh = Findings {
            rows: self.plan.rows(),
            about: About {
                beamway: env!("CARGO_PKG_VERSION").to_owned(),
                started: timestamp(),
                machine: machine.processor,
                cores: machine.cores,
                memory_bytes: machine.memory_bytes,
                kernel: machine.kernel,
                otp,
                tls,
                settings: settings.into_iter().chain(rows).collect(),
                rounds_wanted: self.plan.rounds,
                complete: false,
                notes,
            },
            measures: Vec::new(),
        };
        Ok(Course {
            plan: &self.plan,
            findings: self.findings.insert(self.store.resume(fresh)?),
            store: &self.store,
            screen: &mut self.screen,
            began: self.began,
        })
    }
}

fn settings(plan: &Plan) -> Vec<(String, String)> {
    let names = |carriers: &[Carrier]| carriers.iter().map(Carrier::name).collect::<Vec<_>>().join(", ");
    let seconds = |ms: u32| format!("{} s", f64::from(ms) / 1e3);
    let lengths = &plan.lengths;
    let mut settings = vec![
        ("mode", plan.extent.name().to_owned()),
        ("streams", seconds(lengths.stream)),
        ("calls", seconds(lengths.calls)),
    ];
    if !plan.carriers.is_empty() {
        settings.push(("carriers", names(&plan.carriers)));
    }
    if !plan.lines.is_empty() {
        settings.push(("carriers on network paths", names(&plan.line_carriers)));
        settings.push(("calls on network paths", seconds(lengths.line_calls)));
        let tcp = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
        settings.push(("TCP congestion control", tcp.trim().to_owned()));
    }
    settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What is printed at the end, and the report in the folder.
fn show(findings: &Findings, json: bool, store: &Store) -> anyhow::Result<()> {
    let text = match json {
        true => serde_json::to_string_pretty(findings)?,
        false => report::table(findings, COLUMNS),
    };
    writeln!(io::stdout(), "{}", text.trim_end()).context("cannot write to standard output")?;
    if let Some(folder) = store.folder() {
        let page = report::write(findings, folder);
        let page = page.with_context(|| format!("cannot write the report to {}", folder.display()))?;
        output::complain(&format!("report: {}", page.display()));
    }
    Ok(())
}

/// A carrier by its name: `plain`, `tuned`, `TLS`, `beamway`, `beamway-16`, `beamway-16-cubic`.
///
/// # Errors
///
/// What is allowed.
pub fn carrier(name: &str) -> Result<Carrier, String> {
    const ALLOWED: &str =
        "plain, tuned, TLS, beamway-vm, beamway, or beamway-LANES[-CONTROLLER] such as beamway-16 and beamway-16-cubic";
    let lower = name.trim().to_lowercase();
    let mut words = lower.split(['-', ' ']);
    let first = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    match (first, rest.as_slice()) {
        ("plain", []) => Ok(Carrier::Plain),
        ("tuned", []) => Ok(Carrier::Tuned),
        ("tls", []) => Ok(Carrier::Tls),
        ("beamway", []) => Ok(Carrier::beamway()),
        ("beamway", ["vm"]) => Ok(Carrier::Inside),
        ("beamway", [lanes, more @ ..]) if more.len() < 2 => Ok(Carrier::Beamway(Transport {
            lanes: Some(lanes.parse().map_err(|_| ALLOWED.to_owned())?),
            congestion: more.first().map(|word| (*word).to_owned()),
        })),
        _ => Err(ALLOWED.to_owned()),
    }
}

/// A carrier of another project: `NAME=EBIN[:PROTO_DIST]`.
///
/// # Errors
///
/// What is allowed.
pub fn other(text: &str) -> Result<Carrier, String> {
    let allowed = || "NAME=EBIN or NAME=EBIN:PROTO_DIST, with EBIN the folder of its compiled modules".to_owned();
    let (name, place) = text.split_once('=').ok_or_else(allowed)?;
    let (ebin, proto_dist) = place.rsplit_once(':').unwrap_or((place, name));
    if name.is_empty() || ebin.is_empty() || proto_dist.is_empty() || carrier(name).is_ok() {
        return Err(allowed());
    }
    let ebin = std::path::absolute(ebin).map_err(|error| error.to_string())?;
    if !ebin.is_dir() {
        return Err(format!("{} is not a folder", ebin.display()));
    }
    Ok(Carrier::Other(Other {
        name: name.to_owned(),
        ebin,
        proto_dist: proto_dist.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_known_by_the_names_that_tables_show() {
        for name in [
            "plain",
            "tuned",
            "TLS",
            "beamway VM",
            "beamway",
            "beamway 16",
            "beamway 4 cubic",
        ] {
            assert_eq!(carrier(name).unwrap().name(), name);
            assert_eq!(carrier(&name.replace(' ', "-")).unwrap().name(), name);
        }
        for name in ["", "plane", "plain 4", "beamway x", "beamway 4 cubic 2"] {
            assert!(carrier(name).is_err(), "{name}");
        }
    }

    #[test]
    fn other_carriers_have_a_name_a_folder_and_a_module() {
        let folder = tempfile::tempdir().unwrap();
        let ebin = folder.path().display();
        let Carrier::Other(named) = other(&format!("quic={ebin}:quic_tcp")).unwrap() else {
            panic!()
        };
        assert_eq!((named.name.as_str(), named.proto_dist.as_str()), ("quic", "quic_tcp"));
        let Carrier::Other(short) = other(&format!("quic={ebin}")).unwrap() else {
            panic!()
        };
        assert_eq!(short.proto_dist, "quic");
        for wrong in ["quic", "=x", "quic=", "plain=/", "quic=/no/such/folder"] {
            assert!(other(wrong).is_err(), "{wrong}");
        }
    }
}
