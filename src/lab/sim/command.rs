use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::keys::Keys;
use super::report::Report;
use super::setting::Setting;
use super::steps::steps;
use super::world::Outcome;
use super::world::run as run_setting;
use crate::cli::output;

/// Hosts in a run, at most.
const HOSTS: usize = 3;

/// How often progress is printed.
const PROGRESS: Duration = Duration::from_secs(5);

/// Options of `beamway sim`.
#[derive(Debug)]
pub struct Options {
    /// Number of seeds, starting with `first`.
    pub seeds: u64,
    /// The first seed.
    pub first: u64,
    /// This seed only, with a trace.
    pub seed: Option<u64>,
    /// Parallel runs; default: one for each CPU.
    pub jobs: Option<NonZeroUsize>,
    /// Figures as JSON.
    pub json: bool,
}

/// Runs the simulation. The exit status is 1 if a signal was lost, duplicated, reordered or stuck.
///
/// # Errors
/// If keys or threads cannot be created.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let keys = Keys::make(HOSTS)?;
    match options.seed {
        Some(seed) => replay(seed, &keys, options.json),
        None => sweep(options, &keys),
    }
}

/// Runs one seed and prints its trace.
fn replay(seed: u64, keys: &Keys, json: bool) -> anyhow::Result<ExitCode> {
    let setting = Setting::draw(seed);
    if !json {
        output::say(&format!("{setting:#?}"));
    }
    let outcome = run_setting(&setting, keys, !json)?;
    for line in &outcome.trace {
        output::say(line);
    }
    let mut report = Report::default();
    report.add(&outcome, false);
    finish(&report, &outcome, json)
}

fn finish(report: &Report, last: &Outcome, json: bool) -> anyhow::Result<ExitCode> {
    complain("seed", last);
    output::say(&if json {
        serde_json::to_string(&report.json())?
    } else {
        report.line()
    });
    Ok(if report.has_failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn complain(what: &str, outcome: &Outcome) {
    if let Some(first) = outcome.complaints.first() {
        let count = outcome.complaints.len();
        output::complain(&format!("{what} {} FAILED ({count} violations): {first}", outcome.seed));
    }
}

/// The steps of a resume, then all seeds, on several threads.
fn sweep(options: &Options, keys: &Keys) -> anyhow::Result<ExitCode> {
    let steps = steps();
    let all = steps.len() as u64 + options.seeds;
    let jobs = options.jobs.map_or_else(thread::available_parallelism, Ok)?;
    let next = AtomicU64::new(0);
    let (results, outcomes) = mpsc::channel();
    let mut report = Report::default();
    let begin = Instant::now();
    thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..jobs.get() {
            let (results, next, steps) = (results.clone(), &next, &steps);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= all {
                        return;
                    }
                    let step = steps.get(number as usize);
                    let drawn = || Setting::draw(options.first + number - steps.len() as u64);
                    let outcome = run_setting(&step.cloned().unwrap_or_else(drawn), keys, false);
                    if results.send((step.is_some(), outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        let mut told = begin;
        for (is_step, outcome) in outcomes {
            let outcome = outcome?;
            complain(if is_step { "resume step" } else { "seed" }, &outcome);
            report.add(&outcome, is_step);
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let rate = report.runs() as f64 / begin.elapsed().as_secs_f64();
                output::complain(&format!("{} of {all} runs, {rate:.1} per second", report.runs()));
            }
        }
        Ok(())
    })?;
    finish(&report, &Outcome::default(), options.json)
}
