//! From the outside: a program that is started, watched and interrupted.

use std::io::Read as _;
use std::process::Child;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use super::outside::assert_nothing_left;
use super::outside::beamway;
use super::outside::running_in;
use super::outside::wait;

fn demo(temporary: &TempDir) -> Command {
    beamway("demo", temporary)
}

/// The same where no program of Erlang is in the path.
fn without_erlang(temporary: &TempDir) -> Command {
    let mut command = demo(temporary);
    command.env("PATH", "");
    command
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

/// A whole run that finds figures for all carriers, and nothing else.
fn whole(temporary: &TempDir, demo: &mut Command, carriers: &[&str]) -> Value {
    let (status, out, err) = wait(demo.arg("--json").spawn().unwrap());
    assert_eq!(status, Some(0), "{err}");
    assert_nothing_left(temporary);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"));
    for row in ["calls", "transfer", "round_trips_alone", "round_trips_beside_bulk"] {
        assert_eq!(
            report["rows"][row].as_object().unwrap().len(),
            carriers.len(),
            "{report:#}"
        );
        for carrier in carriers {
            let figures = &report["rows"][row][carrier];
            assert_eq!(figures["verified"], true, "{row} over {carrier}: {report:#}");
            assert!(
                figures["count"].as_u64().unwrap() > 0,
                "{row} over {carrier}: {report:#}"
            );
        }
    }
    for carrier in carriers.iter().filter(|carrier| !carrier.starts_with("beamway")) {
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
    report
}

#[test]
fn the_whole_demo_verifies_every_row_and_leaves_nothing_behind() {
    let temporary = TempDir::new().unwrap();
    let report = whole(
        &temporary,
        &mut demo(&temporary),
        &["beamway", "plain", "tls", "beamway vm"],
    );
    assert_eq!(report["left_out"], Value::Null, "these tests need Erlang's ssl");
    assert_eq!(report["nodes_are"], "erlang");
    assert!(report["otp"].is_string(), "{report:#}");
    let tls = report["tls"].as_str().unwrap();
    assert!(tls.starts_with("ssl ") && tls.contains("SSL "), "{tls}");
}

#[test]
fn so_it_does_without_erlang_and_says_that_the_nodes_are_native() {
    let temporary = TempDir::new().unwrap();
    let report = whole(&temporary, &mut without_erlang(&temporary), &["beamway", "plain"]);
    let left_out = report["left_out"].as_str().unwrap();
    assert!(
        left_out.contains("TLS") && left_out.contains("apt install"),
        "{left_out}"
    );
    assert_eq!(report["nodes_are"], "native");
    assert_eq!(report["otp"], Value::Null);
}

/// Sends a signal once the demo has printed `at`.
fn interrupted(demo: fn(&TempDir) -> Command, at: &str, signal: Signal, status: i32) -> String {
    let temporary = TempDir::new().unwrap();
    let mut child = demo(&temporary).spawn().unwrap();
    let seen = read_until(&mut child, at);
    assert!(!running_in(temporary.path()).is_empty(), "the search finds what runs");
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    let (ended, out, err) = wait(child);
    assert_eq!(ended, Some(status), "{out}{err}");
    assert_nothing_left(&temporary);
    seen
}

#[test]
fn ctrl_c_in_the_middle_leaves_nothing_behind() {
    interrupted(demo, "\ncalls", Signal::SIGINT, 130);
}

#[test]
fn sigterm_at_the_start_leaves_nothing_behind() {
    interrupted(demo, "\nnodes", Signal::SIGTERM, 143);
}

/// Nobody can hear SIGKILL: what the demo had started sees its own input end.
#[test]
fn killed_it_leaves_no_process_behind() {
    let temporary = TempDir::new().unwrap();
    let mut child = demo(&temporary).spawn().unwrap();
    read_until(&mut child, "\ncalls");
    assert!(running_in(temporary.path()).len() > 2, "the search finds what runs");
    child.kill().unwrap();
    child.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while !running_in(temporary.path()).is_empty() {
        assert!(
            Instant::now() < until,
            "still there: {:?}",
            running_in(temporary.path())
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn ctrl_c_without_erlang_leaves_nothing_behind() {
    let seen = interrupted(without_erlang, "\ncall beside bulk", Signal::SIGINT, 130);
    assert!(seen.contains("native nodes (no Erlang found in the path)"), "{seen}");
}
