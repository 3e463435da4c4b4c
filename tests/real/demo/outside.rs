//! A program that is started, watched and interrupted from the outside.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

/// Far longer than any of them takes; a test that hangs ends.
const END_MAX: Duration = Duration::from_secs(280);

/// A command of `beamway` with a folder for temporary files of its own. Whatever it starts inherits the name of that folder,
/// by which it is found again.
pub(crate) fn beamway(name: &str, temporary: &TempDir) -> Command {
    beamway_at(Path::new(env!("CARGO_BIN_EXE_beamway")), name, temporary)
}

/// The same with a copy of the program.
pub(crate) fn beamway_at(program: &Path, name: &str, temporary: &TempDir) -> Command {
    let mut command = Command::new(program);
    command
        .arg(name)
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Programs that run with this folder for temporary files.
pub(crate) fn running_in(folder: &Path) -> Vec<String> {
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

pub(crate) fn assert_nothing_left(temporary: &TempDir) {
    // What a node starts itself (its helper for child processes) notices the end of the node a moment later.
    let deadline = Instant::now() + Duration::from_secs(5);
    while !running_in(temporary.path()).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(running_in(temporary.path()), Vec::<String>::new(), "still running");
    let files: Vec<_> = fs::read_dir(temporary.path()).unwrap().collect();
    assert!(files.is_empty(), "left behind: {files:?}");
}

pub(crate) fn wait(mut child: Child) -> (Option<i32>, String, String) {
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
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    (status.code(), out.join().unwrap(), err.join().unwrap())
}
