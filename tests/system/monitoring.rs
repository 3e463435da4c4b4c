//! Rules for Prometheus, read by the program that Prometheus comes with.

#![allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why it was skipped"
)]

use std::path::Path;
use std::process::Command;

fn promtool(arguments: &[&str], file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring").join(file);
    match Command::new("promtool").args(arguments).arg(&path).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "promtool {arguments:?} {file}: {said}{error}");
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: promtool is not installed (Debian: prometheus)");
        }
        Err(error) => panic!("promtool: {error}"),
    }
}

#[test]
fn the_alerts_are_rules() {
    promtool(&["check", "rules"], "alerts.yml");
}

/// Each alert fires when it should, and none does for a daemon that is well.
#[test]
fn the_alerts_fire_when_they_should() {
    promtool(&["test", "rules"], "alerts-test.yml");
}
