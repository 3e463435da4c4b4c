use std::time::Instant;

use anyhow::Context as _;

use super::between;
use super::between::Visitor;
use super::cluster::TestCluster;
use super::emulation;
use super::emulation::EmulatedPath;
use super::findings::Findings;
use super::findings::Measure;
use super::machine::CpuTime;
use super::machine::stolen_since;
use super::measure;
use super::measure::Value;
use super::network_path::NetworkPath;
use super::plan::Plan;
use super::report;
use super::rows::Task;
use super::store::Store;
use crate::lab::testbed::carriers::Carrier;
use crate::lab::testbed::protocol::NotWhatWasSent;
use crate::lab::testbed::screen::Screen;
use crate::lab::testbed::shared::Testbed;

/// A measurement with more CPU steal than this is repeated and, if that does not help, marked.
pub(super) const STOLEN_MAX: f64 = 0.02;

/// The course of a run: rounds, in each of them every task, and for each task every carrier.
pub(super) struct Course<'a> {
    pub(super) plan: &'a Plan,
    pub(super) findings: &'a mut Findings,
    pub(super) store: &'a Store,
    pub(super) screen: &'a mut Screen,
    pub(super) began: Instant,
}

impl Course<'_> {
    /// Measures what is not measured yet.
    pub(super) async fn run(&mut self, testbed: &Testbed<'_>) -> anyhow::Result<()> {
        self.on_loopback(testbed).await?;
        self.on_lines(testbed).await?;
        if self.is_late(1) && !is_complete(self.findings, self.plan) {
            self.note("the time limit of ten minutes was reached before all rounds".to_owned());
        }
        self.store.save(self.findings)
    }

    async fn on_loopback(&mut self, testbed: &Testbed<'_>) -> anyhow::Result<()> {
        let plan = self.plan;
        let rounds = 0..plan.rounds;
        let mut left = rounds
            .clone()
            .filter(|round| self.is_left(&plan.tasks, &plan.carriers, *round));
        if left.next().is_none() {
            return Ok(());
        }
        self.screen.step("nodes");
        let mut clusters = self.clusters(testbed, &plan.carriers).await?;
        for round in rounds {
            for task in &plan.tasks {
                self.row(task, &mut clusters, round).await?;
            }
            // Who goes first differs from round to round.
            let first = 1.min(clusters.len());
            clusters.rotate_left(first);
        }
        drop(clusters);
        testbed.children.end().await;
        Ok(())
    }

    /// Nodes and gateways are started anew for each network path, so that no connection has adapted to the path before.
    async fn on_lines(&mut self, testbed: &Testbed<'_>) -> anyhow::Result<()> {
        let plan = self.plan;
        let mut carriers = plan.line_carriers.clone();
        let open = |findings: &Findings, line: &NetworkPath, tasks: &[Task], round| {
            !emulation::is_left_out(&findings.about, *line) && is_left(findings, tasks, &plan.line_carriers, round)
        };
        let mut rounds = 0..plan.rounds;
        if !rounds.any(|round| {
            plan.lines
                .iter()
                .any(|(line, tasks)| open(self.findings, line, tasks, round))
        }) {
            return Ok(());
        }
        emulation::prepare(testbed).await?;
        for line in fast_lines(plan) {
            if !emulation::is_left_out(&self.findings.about, line) {
                emulation::trial(testbed, line)
                    .await?
                    .into_iter()
                    .for_each(|note| self.note(note));
            }
        }
        for round in 0..plan.rounds {
            for (line, tasks) in &plan.lines {
                if !open(self.findings, line, tasks, round) || self.is_late(1) {
                    continue;
                }
                let emulated = EmulatedPath::set_up(testbed, *line, u64::from(round) + 1)?;
                self.screen.step(&line.title());
                match self.clusters(&emulated.testbed, &carriers).await {
                    Ok(mut clusters) => {
                        for task in tasks {
                            self.row(task, &mut clusters, round).await?;
                        }
                    }
                    // On a path with loss a connection may not come up in time.
                    Err(error) => self.note(format!("{}, round {}: {error:#}", line.title(), round + 1)),
                }
                testbed.children.end().await;
            }
            let first = 1.min(carriers.len());
            carriers.rotate_left(first);
        }
        Ok(())
    }

    /// The same between two nodes that are there already.
    pub(super) async fn between(&mut self, visitor: &mut Visitor<'_>) -> anyhow::Result<()> {
        let plan = self.plan;
        for round in 0..plan.rounds {
            for task in &plan.tasks {
                if self.is_late(0) || self.has(task, between::CARRIER, round) {
                    continue;
                }
                let before = CpuTime::now();
                let values = measure::passing(task, visitor, &plan.lengths).await?;
                self.begin_row(task, round);
                self.keep(task, between::CARRIER, round, values, stolen_since(before))?;
            }
        }
        self.store.save(self.findings)
    }

    fn begin_row(&mut self, task: &Task, round: u32) {
        let title = task.rows().into_iter().next().map(|row| row.title).unwrap_or_default();
        self.screen.step(&format!("{} {title}  ", round + 1));
    }

    async fn clusters<'s>(
        &mut self,
        testbed: &'s Testbed<'s>,
        carriers: &[Carrier],
    ) -> anyhow::Result<Vec<TestCluster<'s>>> {
        let mut clusters = Vec::new();
        for carrier in carriers {
            clusters.push(TestCluster::start(testbed, carrier).await?);
            self.screen.part(&format!("{}   ", carrier.name()));
        }
        Ok(clusters)
    }

    /// One task over every carrier.
    async fn row(&mut self, task: &Task, clusters: &mut [TestCluster<'_>], round: u32) -> anyhow::Result<()> {
        let mut begun = false;
        for cluster in clusters {
            if self.has(task, &cluster.name, round) || self.is_late(usize::from(task.line.is_some())) {
                continue;
            }
            if !std::mem::replace(&mut begun, true) {
                self.begin_row(task, round);
            }
            match self.measured(task, cluster).await {
                Ok((values, stolen)) => self.keep(task, &cluster.name, round, values, stolen)?,
                Err(error) if error.is::<NotWhatWasSent>() => return Err(error),
                Err(error) => {
                    self.screen.part(&format!("{} failed   ", cluster.name));
                    let what = task.rows().into_iter().next().map(|row| row.key).unwrap_or_default();
                    self.note(format!("{what} over {}, round {}: {error:#}", cluster.name, round + 1));
                    let connected = cluster.pair.connect().await;
                    connected.with_context(|| format!("{what} over {} failed ({error:#})", cluster.name))?;
                }
            }
        }
        Ok(())
    }

    /// Measures once, and again while CPU steal is high. Gives the measurement with the least of it, and how much it was.
    async fn measured(&mut self, task: &Task, cluster: &mut TestCluster<'_>) -> anyhow::Result<(Vec<Value>, f64)> {
        let mut best: Option<(Vec<Value>, f64)> = None;
        for _ in 0..=self.plan.repeats {
            let before = CpuTime::now();
            let values = measure::measure(task, cluster, &self.plan.lengths).await?;
            let stolen = stolen_since(before);
            if best.as_ref().is_none_or(|(_, least)| stolen < *least) {
                best = Some((values, stolen));
            }
            if stolen <= STOLEN_MAX || self.is_late(usize::from(task.line.is_some())) {
                break;
            }
        }
        best.context("nothing was measured")
    }

    fn keep(&mut self, task: &Task, carrier: &str, round: u32, values: Vec<Value>, stolen: f64) -> anyhow::Result<()> {
        let marked = stolen > STOLEN_MAX;
        for (place, (row, value)) in task.rows().into_iter().zip(values).enumerate() {
            if place == 0 {
                let mark = if marked { "*" } else { "" };
                let shown = report::plain_value(row.unit, value.value);
                self.screen.part(&format!("{carrier} {shown}{mark}   "));
            }
            self.findings.measures.push(Measure {
                row: row.key,
                carrier: carrier.to_owned(),
                round,
                value: value.value,
                stolen,
                marked,
                latency: value.latency,
                bulk: value.bulk,
            });
        }
        self.store.save(self.findings)
    }

    fn note(&mut self, note: String) {
        if !self.findings.about.notes.contains(&note) {
            self.findings.about.notes.push(note);
        }
    }

    /// Whether the time for loopback (0) or emulated network paths (1) is over.
    fn is_late(&self, part: usize) -> bool {
        let limit = self.plan.limits.and_then(|limits| limits.get(part).copied());
        limit.is_some_and(|limit| self.began.elapsed() > limit)
    }

    fn has(&self, task: &Task, carrier: &str, round: u32) -> bool {
        has(self.findings, task, carrier, round)
    }

    fn is_left(&self, tasks: &[Task], carriers: &[Carrier], round: u32) -> bool {
        is_left(self.findings, tasks, carriers, round)
    }
}

/// A path of each bandwidth that this machine must first show that it can emulate.
fn fast_lines(plan: &Plan) -> Vec<NetworkPath> {
    let mut lines: Vec<NetworkPath> = plan
        .lines
        .iter()
        .map(|(line, _)| *line)
        .filter(|line| line.is_fast())
        .collect();
    lines.dedup_by_key(|line| line.mbit);
    lines
}

/// Whether every row of the task has its measurement.
fn has(findings: &Findings, task: &Task, carrier: &str, round: u32) -> bool {
    task.rows().iter().all(|row| {
        let mut measures = findings.measures.iter();
        measures.any(|measure| measure.round == round && measure.carrier == carrier && measure.row == row.key)
    })
}

fn is_left(findings: &Findings, tasks: &[Task], carriers: &[Carrier], round: u32) -> bool {
    let mut missing = tasks
        .iter()
        .flat_map(|task| carriers.iter().map(move |carrier| (task, carrier.name())));
    missing.any(|(task, carrier)| !has(findings, task, &carrier, round))
}

/// Whether every round of everything in the plan was measured, but for what had to be left out.
pub(super) fn is_complete(findings: &Findings, plan: &Plan) -> bool {
    (0..plan.rounds).all(|round| {
        let mut visits = plan.tasks.iter().filter(|task| task.visiting);
        let mut on_lines = plan.lines.iter();
        visits.all(|task| has(findings, task, between::CARRIER, round))
            && !is_left(findings, &plan.tasks, &plan.carriers, round)
            && on_lines.all(|(line, tasks)| {
                emulation::is_left_out(&findings.about, *line) || !is_left(findings, tasks, &plan.line_carriers, round)
            })
    })
}
