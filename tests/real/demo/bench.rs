//! `beamway bench`: every row over every carrier, once; what it counts; how it goes on after an interruption.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use beamway::etf::Atom;
use beamway::lab::bench::MODULES;
use beamway::lab::bench::findings::Findings;
use beamway::lab::bench::findings::Group;
use beamway::lab::bench::findings::Measure;
use beamway::lab::testbed::carriers::Carrier;
use beamway::lab::testbed::children::until;
use beamway::lab::testbed::erlang::Erlang;
use beamway::lab::testbed::erlang::Programs;
use beamway::lab::testbed::gateways::Gateways;
use beamway::lab::testbed::hosts::Host;
use beamway::lab::testbed::node_settings::NodeSettings;
use beamway::lab::testbed::nodes::Kind;
use beamway::lab::testbed::nodes::Node;
use beamway::lab::testbed::pairs::Side;
use beamway::lab::testbed::pairs::Starter;
use beamway::lab::testbed::port_mapper;
use beamway::lab::testbed::shared::Testbed;
use beamway::lab::testbed::transport::Transport;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;

use super::children::on_children;
use super::outside::assert_nothing_left;
use super::outside::beamway;
use super::outside::beamway_at;
use super::outside::running_in;
use super::outside::wait;
use crate::harness::BEAMWAY;
use crate::harness::library;

/// A run to its end, with findings on standard output.
fn bench(arguments: &[&str]) -> (Findings, String) {
    let temporary = TempDir::new().unwrap();
    let child = beamway("bench", &temporary)
        .args(arguments)
        .arg("--json")
        .spawn()
        .unwrap();
    let (status, out, err) = wait(child);
    assert_eq!(status, Some(0), "{err}");
    assert_nothing_left(&temporary);
    let findings = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"));
    (findings, err)
}

fn saved(folder: &Path) -> Findings {
    serde_json::from_str(&fs::read_to_string(folder.join("findings.json")).unwrap()).unwrap()
}

/// How many measures there are of each row over this carrier, none of them empty.
fn assert_measured(findings: &Findings, carrier: &str, lines: bool, rounds: usize) {
    for row in findings.rows.iter().filter(|row| (row.group == Group::Line) == lines) {
        let ours = |measure: &&Measure| measure.row == row.key && measure.carrier == carrier;
        let measures: Vec<&Measure> = findings.measures.iter().filter(ours).collect();
        assert_eq!(
            measures.len(),
            rounds,
            "{} over {carrier}: {:?}",
            row.key,
            findings.about.notes
        );
        // A few milliseconds of processor time may go unseen.
        let least = if row.group == Group::Processor {
            0.0
        } else {
            f64::MIN_POSITIVE
        };
        for measure in measures {
            assert!(measure.value.is_finite() && measure.value >= least, "{measure:?}");
            assert!((0.0..=1.0).contains(&measure.stolen), "{measure:?}");
            if let Some(latency) = &measure.latency {
                assert!(
                    latency.samples > 0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max,
                    "{measure:?}"
                );
                assert_eq!(latency.p999, None, "{measure:?}");
            }
        }
    }
}

fn assert_all_measured(findings: &Findings, carriers: &[&str]) {
    for carrier in carriers {
        assert_measured(findings, carrier, false, 1);
        if nix::unistd::geteuid().is_root() && Path::new("/dev/net/tun").exists() {
            assert_measured(findings, carrier, true, 1);
            assert!(findings.about.complete, "{:?}", findings.about);
        }
    }
}

#[test]
fn everything_is_measured_over_plain_distribution_and_gateways() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let (findings, _) = bench(&["--tiny", "--over", "plain,beamway-16", "--out", out.to_str().unwrap()]);
    assert_all_measured(&findings, &["plain", "beamway 16"]);
    let groups = [
        Group::SetUp,
        Group::Throughput,
        Group::RoundTrip,
        Group::Stalled,
        Group::Ticks,
        Group::Processor,
    ];
    for group in groups {
        assert!(findings.rows.iter().any(|row| row.group == group), "{group:?}");
    }
    let beside = findings
        .measures
        .iter()
        .find(|measure| measure.row == "calls-4-256000")
        .unwrap();
    assert!(beside.bulk.unwrap() > 0.0 && beside.latency.is_some(), "{beside:?}");
    assert_eq!(saved(&out), findings);
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(
        page.contains("<svg") && page.contains("beamway 16"),
        "a page with plots"
    );
}

/// What the carriers do differently is how nodes are started and connected: one row tells.
#[test]
fn tls_and_the_carrier_inside_are_measured() {
    let (findings, _) = bench(&["--tiny", "--rows", "calls-4-256000", "--over", "tls,beamway-vm"]);
    assert_all_measured(&findings, &["TLS", "beamway VM"]);
}

/// Whoever has the source and Cargo need not know that there is a library. `cargo` of this test leaves the one that is built already.
#[test]
fn the_library_for_vms_is_built_if_it_is_missing() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    for made in ["target/debug", "erlang/native", "bin"] {
        fs::create_dir_all(place(made)).unwrap();
    }
    let program = place("target/debug/beamway");
    fs::copy(BEAMWAY, &program).unwrap();
    fs::write(place("erlang/native/Cargo.toml"), "").unwrap();
    let text = format!(
        "#!/bin/sh\necho \"$@\" > {asked}\ncp {library} {target}/debug/\n",
        asked = place("asked").display(),
        library = library().display(),
        target = place("target").display()
    );
    fs::write(place("bin/cargo"), text).unwrap();
    fs::set_permissions(place("bin/cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", place("bin").display(), std::env::var("PATH").unwrap());
    let measure = |over: &str| {
        let temporary = TempDir::new().unwrap();
        let mut command = beamway_at(&program, "bench", &temporary);
        command.args(["--tiny", "--rounds", "1", "--rows", "idle", "--json", "--over", over]);
        // No other library is found from here.
        command.current_dir(&folder).env("PATH", &path);
        let (status, out, err) = wait(command.spawn().unwrap());
        assert_eq!(status, Some(0), "{err}");
        (serde_json::from_str::<Findings>(&out).unwrap(), err)
    };
    let (findings, _) = measure("plain");
    assert!(findings.about.notes.is_empty(), "{:?}", findings.about.notes);
    assert!(!place("asked").exists(), "nobody wants it");
    let (findings, said) = measure("beamway-vm");
    assert_measured(&findings, "beamway VM", false, 1);
    assert!(said.contains("Cargo builds the carrier inside the VM"), "{said}");
    let asked = fs::read_to_string(place("asked")).unwrap();
    assert!(
        asked.starts_with("build --locked -p beamway_nif --target-dir "),
        "{asked}"
    );
    assert!(!asked.contains("--release"), "{asked}");
}

/// Figures are worth nothing without the versions of what they compare, which differ much.
#[test]
fn another_erlang_is_taken_by_its_path() {
    let folder = TempDir::new().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for program in ["erl", "erlc"] {
        let mut folders = std::env::split_paths(&path).map(|folder| folder.join(program));
        let real = folders.find(|file| file.is_file()).expect("Erlang in the path");
        let ours = folder.path().join(program);
        let text = format!(
            "#!/bin/sh\n: > {}/{program}-was-used\nexec {} \"$@\"\n",
            folder.path().display(),
            real.display()
        );
        fs::write(&ours, text).unwrap();
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let erl = folder.path().join("erl");
    let short = ["--tiny", "--rounds", "1", "--rows", "idle", "--over", "plain"];
    let (findings, _) = bench(&[&short[..], &["--erl", erl.to_str().unwrap()]].concat());
    for program in ["erl", "erlc"] {
        assert!(
            folder.path().join(format!("{program}-was-used")).exists(),
            "another {program} ran"
        );
    }
    let about = &findings.about;
    assert!(
        about.otp.split('.').count() >= 2,
        "a version and not a release: {}",
        about.otp
    );
    let tls = about.tls.as_deref().expect("these tests need Erlang's ssl");
    assert!(tls.starts_with("ssl ") && tls.contains("SSL "), "{tls}");
    for command in ["demo", "bench"] {
        let temporary = TempDir::new().unwrap();
        let mut command = beamway(command, &temporary);
        let (status, _, err) = wait(command.args(["--erl", "/nowhere/erl"]).spawn().unwrap());
        assert_eq!(status, Some(1), "{err}");
        assert!(err.contains("there is no program /nowhere/erl"), "{err}");
    }
}

/// What was measured before the interruption is kept as it is; the rest follows.
#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let temporary = TempDir::new().unwrap();
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    let arguments = [
        "--tiny",
        "--rounds",
        "4",
        "--over",
        "plain,tuned",
        "--rows",
        "idle,messages-100-16",
        "--out",
        out,
    ];
    let mut child = beamway("bench", &temporary).args(arguments).spawn().unwrap();
    // A line of progress is ended when the next one begins.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let begun = lines
        .find(|line| line.as_ref().unwrap().starts_with("2 "))
        .unwrap()
        .unwrap();
    assert!(begun.contains("plain") && begun.contains("tuned"), "{begun}");
    assert!(!running_in(temporary.path()).is_empty(), "the search finds what runs");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(
        lines.map_while(Result::ok).last().as_deref(),
        Some("interrupted: everything was stopped and removed")
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_nothing_left(&temporary);
    let before = saved(folder.path());
    assert!(
        !before.about.complete && (6..22).contains(&before.measures.len()),
        "{}",
        before.measures.len()
    );
    let (after, _) = bench(&arguments);
    assert!(after.about.complete);
    assert_eq!(after.about.started, before.about.started);
    assert_eq!(after.measures[..before.measures.len()], before.measures);
    assert_measured(&after, "plain", false, 4);
    assert_measured(&after, "tuned", false, 4);
    let (again, said) = bench(&arguments);
    assert_eq!(again, after, "a run that is complete measures nothing");
    assert!(!said.contains("nodes"), "{said}");
    let other = beamway("bench", &temporary)
        .args(arguments)
        .args(["--rounds", "5"])
        .spawn()
        .unwrap();
    assert_eq!(wait(other).0, Some(2), "an argument given twice");
    let other = beamway("bench", &temporary)
        .args(["--tiny", "--out", out])
        .spawn()
        .unwrap();
    let (status, _, err) = wait(other);
    assert!(status == Some(1) && err.contains("other settings"), "{err}");
}

/// OTP's carrier under another name: what anybody could have written.
const MINE: &str = "-module(mine_dist).
-export([listen/1, listen/2, accept/1, accept_connection/5, setup/5, close/1, select/1, address/0, is_node_name/1]).
listen(Name) -> inet_tcp_dist:listen(Name).
listen(Name, Host) -> inet_tcp_dist:listen(Name, Host).
accept(Listen) -> inet_tcp_dist:accept(Listen).
accept_connection(A, B, C, D, E) -> inet_tcp_dist:accept_connection(A, B, C, D, E).
setup(A, B, C, D, E) -> inet_tcp_dist:setup(A, B, C, D, E).
close(Socket) -> inet_tcp_dist:close(Socket).
select(Node) -> inet_tcp_dist:select(Node).
address() -> inet_tcp_dist:address().
is_node_name(Node) -> inet_tcp_dist:is_node_name(Node).
";

#[test]
fn a_carrier_is_taken_from_a_folder() {
    let folder = TempDir::new().unwrap();
    let ebin = folder.path().display().to_string();
    let arguments = ["--tiny", "--rows", "messages-100-16", "--over", "plain", "--carrier"];
    let with = |carrier: &str| {
        [arguments.as_slice(), &[carrier]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    // As long as nothing is in the folder, nodes with it do not start: so what runs later is what lies there.
    let temporary = TempDir::new().unwrap();
    let absent = beamway("bench", &temporary)
        .args(with(&format!("ours={ebin}:mine")))
        .spawn()
        .unwrap();
    let (status, _, err) = wait(absent);
    assert!(status == Some(1) && err.contains("over ours ended"), "{err}");
    assert_nothing_left(&temporary);
    let source = folder.path().join("mine_dist.erl");
    fs::write(&source, MINE).unwrap();
    let compile = std::process::Command::new("erlc")
        .arg("-o")
        .arg(folder.path())
        .arg(&source)
        .status();
    assert!(compile.unwrap().success());
    let arguments = with(&format!("ours={ebin}:mine"));
    let (findings, _) = bench(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_measured(&findings, "plain", false, 1);
    assert_measured(&findings, "ours", false, 1);
}

/// What a node of the bench is told, as far as the tests below need it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Stream(Atom, u32, u64, u32),
    Idle(Atom, u32, Vec<f64>),
    Calls(Atom, u32, Option<(u32, u64, u32)>, u32, Vec<f64>),
    Ticks(Atom, u32),
}

/// What an honest node says of a far one that runs the modules with these mistakes.
fn verdicts(mistakes: &[(&str, &str)]) -> Vec<Value> {
    let mistaken = MODULES.map(|(name, source)| {
        let damaged = mistakes
            .iter()
            .fold(source.to_owned(), |source, (from, to)| source.replace(from, to));
        (name, damaged)
    });
    for (mistake, _) in mistakes {
        assert!(
            MODULES.iter().any(|(_, source)| source.contains(mistake)),
            "{mistake} is in no module"
        );
    }
    let mistaken = mistaken.each_ref().map(|(name, source)| (*name, source.as_str()));
    on_children(async |workspace, children| {
        let epmd = port_mapper::start().await.unwrap();
        let start = async |short: &str, modules: &[(&str, &str)]| {
            let kind = Kind::Beam(
                Erlang::prepare(Programs::default(), workspace, short, modules)
                    .await
                    .unwrap(),
            );
            let settings = NodeSettings {
                name: format!("{short}@127.0.0.1"),
                label: short.to_owned(),
                epmd,
                arguments: Vec::new(),
                host: Host::loopback(),
            };
            Node::start(&kind, children, workspace, settings).await.unwrap()
        };
        let mut near = start("near", &MODULES).await;
        let _far = start("far", &mistaken).await;
        let far = || Atom::new("far@127.0.0.1").unwrap();
        let bulk = Some((2, 50_000, 1));
        let asked = [
            Ask::Stream(far(), 2, 100, 30),
            Ask::Idle(far(), 30, vec![0.5]),
            Ask::Calls(far(), 50, bulk, 0, vec![0.5]),
            Ask::Ticks(far(), 100),
        ];
        let mut verdicts = Vec::new();
        for ask in asked {
            let answer: Value = near.ask(&ask).await.unwrap();
            verdicts.push(answer["verified"].clone());
        }
        verdicts
    })
}

#[test]
fn what_arrives_otherwise_than_it_was_sent_is_noticed() {
    assert_eq!(verdicts(&[]), [true, true, true, true]);
    let other_bytes = [("-define(SEED, 4471)", "-define(SEED, 4472)")];
    assert_eq!(verdicts(&other_bytes), [false, true, false, false]);
    let counted_twice = [("calls := Calls + 1", "calls := Calls + 2")];
    assert_eq!(verdicts(&counted_twice), [true, false, false, true]);
    let beat_missed = [(
        "{beat, Count} ->",
        "{beat, 0} when Count =:= 0 -> listen(0, Last, Silence);\n        {beat, Count} ->",
    )];
    assert_eq!(verdicts(&beat_missed), [true, true, true, false]);
}

/// A node that nobody has prepared for measurements. It says whether it runs modules of ours.
const BYSTANDER: &str = "-module(bystander).
-export([main/0]).
main() ->
    io:put_chars(\"beamway_testbed {\\\"ready\\\":true}\\n\"),
    answer().
answer() ->
    case io:get_line(\"\") of
        eof -> halt();
        _ ->
            Ours = [M || M <- [beamway_testbed, beamway_bench], code:is_loaded(M) =/= false orelse whereis(M) =/= undefined],
            io:format(\"beamway_testbed {\\\"ours\\\":~b}~n\", [length(Ours)]),
            answer()
    end.
";

async fn ours(node: &mut Node) -> Option<u64> {
    let answer: Value = node.ask(&()).await.unwrap();
    answer["ours"].as_u64()
}

/// Soon after the visitor has gone, in good order or not.
async fn assert_clean(nodes: &mut [Node]) {
    for node in nodes {
        let clean = until("the modules are gone", Duration::from_secs(10), async || {
            Ok((ours(node).await == Some(0)).then_some(()))
        });
        clean.await.unwrap();
    }
}

#[test]
fn nodes_that_run_already_are_measured_and_left_as_they_were() {
    let temporary = TempDir::new().unwrap();
    on_children(async |workspace, children| {
        let modules = [("bystander", BYSTANDER)];
        let testbed = Testbed::prepare(
            workspace,
            children,
            env!("CARGO_BIN_EXE_beamway").into(),
            Programs::find(None).unwrap(),
            &modules,
        )
        .await
        .unwrap();
        let gateways = Gateways::start(&testbed, &Transport::default()).await.unwrap();
        let starter = Starter::new(&testbed, Carrier::beamway(), Some(&gateways))
            .await
            .unwrap();
        let mut nodes = [
            starter.node("a", Side::Near).await.unwrap(),
            starter.node("b", Side::Far).await.unwrap(),
        ];
        let visit = |arguments: &[&str]| {
            let config = workspace.path().join("gateway-left-of-beamway.toml");
            let mut command = beamway("bench", &temporary);
            command.args(["--tiny", "--between", "a@127.0.0.1", "b@127.0.0.1", "--config"]);
            command
                .arg(config)
                .args(arguments)
                .env("HOME", workspace.path())
                .spawn()
                .unwrap()
        };
        let (status, out, err) = wait(visit(&["--json"]));
        assert_eq!(status, Some(0), "{err}");
        let findings: Findings = serde_json::from_str(&out).unwrap();
        assert!(
            findings.rows.len() > 10 && findings.about.complete,
            "{:?}",
            findings.about
        );
        assert_measured(&findings, "as they are", false, 1);
        assert!(findings.rows.iter().all(|row| row.group != Group::Processor));
        for node in &mut nodes {
            assert_eq!(ours(node).await, Some(0), "gone when the command is");
        }
        let mut killed = visit(&["--rounds", "1000", "--rows", "idle"]);
        let mut lines = BufReader::new(killed.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("2 ")));
        assert_eq!(ours(&mut nodes[1]).await, Some(2), "it is in the middle of it");
        let (status, _, err) = wait(visit(&["--rows", "idle"]));
        assert!(
            status == Some(1) && err.contains("somebody measures there already"),
            "{err}"
        );
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_clean(&mut nodes).await;
    });
}
