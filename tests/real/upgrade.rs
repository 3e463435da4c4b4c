//! A rolling upgrade: daemons of the protocol version before this one and present ones, in all positions, with traffic all the time.
//!
//! The former program is built by `tests/former`.

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use beamway::internals::wire::VERSION;
use beamway::internals::wire::VERSION_MIN;

use crate::harness::BEAMWAY;
use crate::harness::COOKIE;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Site;
use crate::harness::until;
use crate::netns::pair_of;

/// The former program, if not the one that `tests/former` has built.
const VARIABLE: &str = "BEAMWAY_FORMER";

/// A connection is back so soon after a daemon was restarted.
const BACK: Duration = Duration::from_secs(15);

/// As is recommended.
const LOOPBACK: &str = "-kernel inet_dist_use_interface {127,0,0,1}";

/// Warnings that are explained: the daemon that told them, or any, and a part of the line.
const EXPLAINED: [(&str, &str); 2] = [
    // Of daemons that were restarted, and of commands that have ended.
    ("", "this daemon is stopping"),
    // Present commands also ask the daemon of their own host; a former one takes that for a mistake.
    ("third", "refused \"third\": that is this daemon's own name"),
];

/// The hosts: the third is never upgraded.
const NAMES: [&str; 3] = ["left", "right", "third"];

fn former() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(".cache/former/{VERSION_MIN}/beamway"));
    let asked = env::var_os(VARIABLE).map(PathBuf::from);
    if let Some(asked) = &asked {
        assert!(asked.is_file(), "{VARIABLE}={}: there is no such file", asked.display());
    }
    let found = asked.or_else(|| built.is_file().then_some(built));
    if found.is_none() {
        eprintln!("SKIPPED: no daemon of protocol version {VERSION_MIN}; tests/former builds it from git's history");
    }
    found
}

struct Upgrade {
    former: PathBuf,
    cluster: Cluster,
    nodes: Vec<Node>,
    /// Which hosts have the present program.
    is_new: [bool; 3],
    restarts: [u64; 3],
    /// What daemons have printed that were stopped.
    logs: Vec<(&'static str, Vec<String>)>,
}

impl Upgrade {
    /// Former daemons with configuration files of their time, nodes, and traffic between all of them.
    fn begin(former: PathBuf, diallers: &[usize]) -> Self {
        let mut cluster = Cluster::with_diallers(NAMES.map(Site::loopback).to_vec(), diallers);
        for site in 0..NAMES.len() {
            let gateway = cluster.gateway(site);
            gateway.terminate();
            let text = fs::read_to_string(gateway.config()).expect("a file");
            let (before, after) = text.split_once("[admin]").expect("a section");
            let (_, after) = after.split_once("[epmd]").expect("a section");
            fs::write(gateway.config(), format!("{before}[epmd]{after}")).expect("room");
            gateway.set_program(&former);
            gateway.run();
        }
        let names = ["a", "b", "c"].into_iter().enumerate();
        let nodes = names
            .map(|(site, name)| cluster.node(&NodeSpec::new(name, site).args(LOOPBACK)))
            .collect();
        let mut upgrade = Self {
            former,
            cluster,
            nodes,
            is_new: [false; 3],
            restarts: [0; 3],
            logs: Vec::new(),
        };
        for (from, to) in upgrade.pairs() {
            let to = upgrade.nodes[to].atom();
            upgrade.nodes[from].eval(&format!("real_upgrade:start({to})"));
        }
        upgrade.check("with former daemons alone");
        upgrade
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let all = (0..self.nodes.len()).flat_map(|from| (0..self.nodes.len()).map(move |to| (from, to)));
        all.filter(|(from, to)| from != to).collect()
    }

    /// Stops a daemon gracefully, and starts the other program with the same file.
    fn replace(&mut self, site: usize, is_new: bool) {
        let gateway = self.cluster.gateway(site);
        let program = if is_new { Path::new(BEAMWAY) } else { &self.former };
        self.logs.push((NAMES[site], gateway.stop()));
        gateway.set_program(program);
        gateway.run();
        self.is_new[site] = is_new;
        self.restarts[site] += 1;
    }

    /// Messages flow between all nodes, in order, and no connection ended but those of daemons that were restarted.
    fn check(&mut self, stage: &str) {
        for (from, to) in self.pairs() {
            let count = format!("real_upgrade:received({})", self.nodes[from].atom());
            let node = &mut self.nodes[to];
            let read = |node: &mut Node| node.eval(&count).parse::<u64>().expect("a number");
            let before = read(node);
            until(BACK, &format!("messages to {}, {stage}", node.full_name()), || {
                read(node) > before + 200
            });
        }
        for (from, to) in self.pairs() {
            let asked = format!(
                "begin {{[], Outages}} = real_upgrade:report({}), {{length(Outages), lists:max([0 | Outages])}} end",
                self.nodes[from].atom()
            );
            let (outages, longest) = pair_of(&self.nodes[to].eval(&asked));
            let wanted = self.restarts[from] + self.restarts[to];
            let what = format!("from {} at {stage}", self.nodes[from].full_name());
            assert_eq!(outages, wanted, "{}: outages {what}", self.nodes[to].full_name());
            assert!(
                longest < BACK.as_millis() as u64,
                "{longest} ms without messages {what}"
            );
            if from == 0 {
                eprintln!(
                    "{stage}: {} to {}: {outages} outages, the longest {longest} ms",
                    NAMES[from], NAMES[to]
                );
            }
        }
        self.check_versions(stage);
        self.check_commands(stage);
    }

    /// What present daemons say when a session begins.
    fn check_versions(&mut self, stage: &str) {
        for (site, other) in self.pairs() {
            if !self.is_new[site] {
                continue;
            }
            let (min, max) = if self.is_new[other] {
                (VERSION_MIN, VERSION)
            } else {
                (VERSION_MIN, VERSION_MIN)
            };
            let log = self.cluster.gateway(site).process().log();
            let told = format!("peer={}", NAMES[other]);
            let last = log
                .iter()
                .rfind(|line| line.contains(&told) && line.contains("a session begins"))
                .unwrap_or_else(|| panic!("{stage}: {} says nothing of {told}", NAMES[site]));
            let both = format!("versions {min} to {max} of the protocol, this daemon {VERSION_MIN} to {VERSION}");
            assert!(last.contains(&both), "{stage}: {last}");
        }
    }

    /// Commands of both programs, with the file of the third host, at the daemons of the others.
    fn check_commands(&mut self, stage: &str) {
        let file = self.cluster.gateway(2).config().to_owned();
        for program in [Path::new(BEAMWAY), &self.former] {
            for node in &self.nodes[..2] {
                let said = run(program, &file, &["ping", "--cookie", COOKIE, node.full_name()], stage);
                assert!(said.contains(node.full_name()), "{said}");
                let call = ["call", "--cookie", COOKIE, node.full_name(), "erlang", "node", "[]"];
                assert_eq!(run(program, &file, &call, stage).trim(), node.atom());
            }
        }
        run(Path::new(BEAMWAY), &file, &["check"], stage);
    }

    /// Nothing was logged that a restart does not explain.
    fn end(mut self) {
        for (site, name) in NAMES.into_iter().enumerate() {
            self.logs.push((name, self.cluster.gateway(site).stop()));
        }
        let mut unexplained = Vec::new();
        for (name, log) in &self.logs {
            let is_told = |line: &str| {
                EXPLAINED
                    .iter()
                    .any(|(of, part)| name.starts_with(of) && line.contains(part))
            };
            let severe = log
                .iter()
                .filter(|line| [" WARN ", " ERROR ", "panicked"].iter().any(|word| line.contains(word)));
            unexplained.extend(
                severe
                    .filter(|line| !is_told(line))
                    .map(|line| format!("{name}: {line}")),
            );
        }
        assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    }
}

fn run(program: &Path, file: &Path, words: &[&str], stage: &str) -> String {
    let mut command = Command::new(program);
    command
        .args([words[0], "--config"])
        .arg(file)
        .args(&words[1..])
        .env_remove("RUST_LOG");
    let output = command.output().expect("a program");
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stage}: {command:?}: {said}{complained}");
    said.into_owned()
}

/// One host, then the other, and back: of the two, the daemon of this index dials.
fn upgrade(dialler: usize) {
    let Some(former) = former() else { return };
    let mut upgrade = Upgrade::begin(former, &[dialler, 2]);
    for (stage, site, is_new) in [
        ("left is new", 0, true),
        ("left and right are new", 1, true),
        ("left is back", 0, false),
        ("both are back", 1, false),
    ] {
        upgrade.replace(site, is_new);
        upgrade.check(stage);
    }
    upgrade.end();
}

#[test]
fn host_by_host_and_back_where_the_lower_name_dials() {
    upgrade(0);
}

#[test]
fn host_by_host_and_back_where_the_higher_name_dials() {
    upgrade(1);
}
