//! `beamway demo` as a user runs it: what it prints, what it leaves behind (nothing), and that its rows can fail.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use beamway::cli::demo::carriers::Carrier;
use beamway::cli::demo::carriers::Pair;
use beamway::cli::demo::children::Children;
use beamway::cli::demo::gateways::free_ports;
use beamway::cli::demo::nodes::Erlang;
use beamway::cli::demo::nodes::MODULE;
use beamway::cli::demo::nodes::Node;
use beamway::cli::demo::nodes::NodeSettings;
use beamway::cli::demo::nodes::start_port_mapper;
use beamway::cli::demo::rows;
use beamway::cli::demo::rows::Bulk;
use beamway::cli::demo::workspace::Workspace;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Far longer than the demo takes; a test that hangs ends.
const END_MAX: Duration = Duration::from_secs(180);

/// `beamway demo` with a folder for temporary files of its own. Whatever it starts inherits the name of that folder, by
/// which it is found again.
fn demo(temporary: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beamway"));
    command
        .arg("demo")
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Programs that run with this folder for temporary files.
fn running_in(folder: &Path) -> Vec<String> {
    let mark = format!("TMPDIR={}\0", folder.display()).into_bytes();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let environment = fs::read(path.join("environ")).ok()?;
            environment
                .windows(mark.len())
                .any(|bytes| bytes == mark)
                .then_some(())?;
            let line = fs::read(path.join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        })
        .collect()
}

fn assert_nothing_left(temporary: &TempDir) {
    // What a node starts itself (its helper for child processes) notices the end of the node a moment later.
    let deadline = Instant::now() + Duration::from_secs(5);
    while !running_in(temporary.path()).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(running_in(temporary.path()), Vec::<String>::new(), "still running");
    let files: Vec<_> = fs::read_dir(temporary.path()).unwrap().collect();
    assert!(files.is_empty(), "left behind: {files:?}");
}

/// Reads until the output has `text` in it.
fn read_until(child: &mut Child, text: &str) -> String {
    let output = child.stdout.as_mut().unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        let count = output.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "`{text}` never comes in: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    seen
}

fn wait(mut child: Child) -> (Option<i32>, String, String) {
    let deadline = Instant::now() + END_MAX;
    let mut out = child.stdout.take().unwrap();
    let mut err = child.stderr.take().unwrap();
    let out = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    });
    let err = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).unwrap();
        text
    });
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
            panic!("the demo does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    (status.code(), out.join().unwrap(), err.join().unwrap())
}

#[test]
fn the_whole_demo_verifies_every_row_and_leaves_nothing_behind() {
    let temporary = TempDir::new().unwrap();
    let (status, out, err) = wait(demo(&temporary).arg("--json").spawn().unwrap());
    assert_eq!(status, Some(0), "{err}");
    assert_nothing_left(&temporary);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"));
    assert_eq!(report["left_out"], Value::Null, "these tests need Erlang's ssl");
    for row in ["calls", "transfer", "round_trips_alone", "round_trips_beside_bulk"] {
        for carrier in ["beamway", "plain", "tls"] {
            let figures = &report["rows"][row][carrier];
            assert_eq!(figures["verified"], true, "{row} over {carrier}: {report:#}");
            assert!(
                figures["count"].as_u64().unwrap() > 0,
                "{row} over {carrier}: {report:#}"
            );
        }
    }
    for carrier in ["plain", "tls"] {
        let speed = report["ratios"][carrier]["calls"].as_f64().unwrap();
        assert!(speed > 0.0, "{report:#}");
    }
    assert_eq!(report["nodes"]["a"], serde_json::json!(["b@127.0.0.1"]));
    assert_eq!(report["nodes"]["b"], serde_json::json!(["a@127.0.0.1"]));
    for gateway in ["left", "right"] {
        let frames = report["frames_per_lane"][gateway].as_array().unwrap();
        let used = frames.iter().filter(|frames| frames.as_u64().unwrap() > 0).count();
        assert!(used > 1, "more than one lane carries something: {report:#}");
    }
    assert!(
        !err.contains(['\u{1b}', '\r', '\u{8}']),
        "control characters in a pipe: {err}"
    );
}

/// Sends a signal once the demo has printed `at`.
fn interrupted(at: &str, signal: Signal, status: i32) {
    let temporary = TempDir::new().unwrap();
    let mut child = demo(&temporary).spawn().unwrap();
    read_until(&mut child, at);
    assert!(!running_in(temporary.path()).is_empty(), "the search finds what runs");
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    let (ended, out, err) = wait(child);
    assert_eq!(ended, Some(status), "{out}{err}");
    assert_nothing_left(&temporary);
}

#[test]
fn ctrl_c_in_the_middle_leaves_nothing_behind() {
    interrupted("\ncalls", Signal::SIGINT, 130);
}

#[test]
fn sigterm_at_the_start_leaves_nothing_behind() {
    interrupted("\nnodes", Signal::SIGTERM, 143);
}

#[test]
fn without_erlang_one_line_says_how_to_get_it() {
    let temporary = TempDir::new().unwrap();
    let empty = TempDir::new().unwrap();
    let (status, out, err) = wait(demo(&temporary).env("PATH", empty.path()).spawn().unwrap());
    assert_eq!(status, Some(2), "{err}");
    assert_eq!(out, "");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("apt install"), "{err}");
    assert_nothing_left(&temporary);
}

/// A pair over plain distribution whose far node runs `source`; `test` measures over it.
fn with_far_node(source: &str, test: impl AsyncFnOnce(&mut Pair)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let workspace = Workspace::create().unwrap();
        let children = Children::default();
        let near = Erlang::prepare(&workspace).await.unwrap();
        let far = Erlang::prepare_module(&workspace, "far", source).await.unwrap();
        let [epmd] = free_ports().unwrap();
        start_port_mapper(&children, &workspace, "port mapper", epmd).unwrap();
        let settings = |short: &str| NodeSettings {
            name: format!("{short}@127.0.0.1"),
            label: format!("node {short}"),
            epmd,
            arguments: Vec::new(),
        };
        let a = Node::start(&near, &children, &workspace, settings("a")).await.unwrap();
        let b = Node::start(&far, &children, &workspace, settings("b")).await.unwrap();
        let mut pair = Pair {
            carrier: Carrier::Plain,
            a,
            b,
        };
        assert!(pair.ping().await.unwrap(), "{}", children.last_words());
        test(&mut pair).await;
        drop(pair);
        children.end().await;
    });
}

const BULK: Option<Bulk> = Some(Bulk {
    streams: 2,
    bytes: 300_000,
});

#[test]
fn every_row_passes_over_an_honest_pair() {
    with_far_node(MODULE, async |pair| {
        assert!(rows::calls(pair, 100).await.unwrap().count > 64);
        assert!(rows::transfer(pair, 10).await.unwrap().megabytes_per_second > 1.0);
        let alone = rows::round_trips(pair, 100, None).await.unwrap();
        assert!(
            alone.p50_us <= alone.p90_us && alone.p99_us <= alone.max_us,
            "{alone:?}"
        );
        let beside = rows::round_trips(pair, 100, BULK).await.unwrap();
        assert!(beside.bulk_megabytes_per_second.unwrap() > 1.0, "{beside:?}");
        assert!(rows::stream(pair, 3, 100, 50).await.unwrap().messages_per_second > 100.0);
        assert!(rows::stream(pair, 3, 0, 50).await.unwrap().messages_per_second > 100.0);
    });
}

/// Other bytes, other counts: each is seen by the row that is there to see it.
#[test]
fn every_row_fails_when_something_else_arrives() {
    let cheat = [
        // A checksum over other bytes than were sent.
        (
            "erlang:md5(Message))}},\n            %%",
            "erlang:md5(<<Message/binary, 0>>))}},\n            %%",
        ),
        // A call counted twice.
        ("calls := Calls + 1", "calls := Calls + 2"),
        // Other bytes expected by the receivers of the streams.
        ("rand:seed_s(exsss, 4471)", "rand:seed_s(exsss, 4472)"),
    ];
    let source = cheat.iter().fold(MODULE.to_owned(), |source, (from, to)| {
        assert!(source.contains(from), "{from} is no longer in the module");
        source.replace(from, to)
    });
    with_far_node(&source, async |pair| {
        let faults = [
            rows::calls(pair, 50).await.map(drop),
            rows::transfer(pair, 10).await.map(drop),
            rows::round_trips(pair, 50, None).await.map(drop),
            rows::round_trips(pair, 50, BULK).await.map(drop),
            rows::stream(pair, 2, 1000, 50).await.map(drop),
        ];
        for fault in faults {
            let fault = fault.unwrap_err().to_string();
            assert!(fault.contains("did not get what was sent"), "{fault}");
        }
    });
}

/// A message that is lost on the way is missed, one that is doubled or overtaken is out of order.
#[test]
fn a_receiver_notices_loss_and_disorder() {
    let lossy = MODULE.replace(
        "receive_next(Expected, AckEvery, Count, Wrong) ->\n    receive\n",
        "receive_next(Expected, AckEvery, Count, Wrong) ->\n    receive\n        {data, _, 7, _} when Count =:= 7 ->\n            \
         receive_next(Expected, AckEvery, Count, Wrong);\n",
    );
    assert_ne!(lossy, MODULE);
    with_far_node(&lossy, async |pair| {
        let fault = rows::stream(pair, 1, 100, 50).await.unwrap_err().to_string();
        assert!(fault.contains("did not get what was sent"), "{fault}");
    });
}
