//! One child process: its output is kept, and it never outlives the test.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Lines shown of each process when a test fails.
const SHOWN_LINES: usize = 60;

/// Lines kept of each process; a test that prints more loses the oldest.
const KEPT_LINES: usize = 20_000;

/// An answer of a node's console begins a line with this; anything else is its log.
pub(super) const ANSWER_MARK: &str = "@@";

/// A running child. Dropping it kills it by its own pid, and shows its output if the test is failing.
pub(crate) struct Process {
    label: String,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    answers: Receiver<String>,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts `command` with all three standard streams captured.
    pub(crate) fn spawn(label: impl Into<String>, command: &mut Command) -> Self {
        let label = label.into();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {label} ({command:?}): {error}; is it installed?"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sender, answers) = channel();
        let started = Instant::now();
        let stdout = child.stdout.take().expect("a captured stdout");
        let stderr = child.stderr.take().expect("a captured stderr");
        collect(stdout, Arc::clone(&log), sender.clone(), started);
        collect(stderr, Arc::clone(&log), sender, started);
        let stdin = child.stdin.take();
        Self {
            label,
            child,
            log,
            answers,
            stdin,
        }
    }

    /// Bytes of memory that the process holds.
    pub(crate) fn resident(&self) -> u64 {
        resident(self.id())
    }

    /// Processor time that its first thread has had.
    pub(crate) fn worked(&self) -> Duration {
        worked(&self.id().to_string())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdin(&mut self) -> &mut ChildStdin {
        self.stdin.as_mut().expect("a stdin that is still open")
    }

    /// Types a line at a program that talks with a person.
    pub(crate) fn type_line(&mut self, line: &str) {
        let written = writeln!(self.stdin(), "{line}");
        written.unwrap_or_else(|error| panic!("{} no longer listens: {error}", self.label));
    }

    /// The next line that began with [`ANSWER_MARK`], without the mark.
    pub(super) fn answer(&self, wait: Duration) -> Option<String> {
        self.answers.recv_timeout(wait).ok()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.label));
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(&mut self, wait: Duration) -> ExitStatus {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} still runs after {wait:?}, though it was told to end",
                self.label
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it ended by itself, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        self.child.wait().expect("a child of ours");
    }

    /// All it has printed so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no reader panics").clone()
    }

    /// Waits until it has printed `wanted` within one line, and gives that line.
    pub(crate) fn await_log(&self, wanted: &str, wait: Duration) -> String {
        let mut found = None;
        until(wait, &format!("{} to print {wanted:?}", self.label), || {
            found = self.log().into_iter().find(|line| line.contains(wanted));
            found.is_some()
        });
        found.expect("until returned")
    }

    fn show(&self) {
        let log = self.log();
        let skipped = log.len().saturating_sub(SHOWN_LINES);
        eprintln!("---- {} ({skipped} earlier lines not shown)", self.label);
        for line in log.iter().skip(skipped) {
            eprintln!("| {line}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            self.show();
        }
    }
}

fn collect(
    stream: impl Read + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
    answers: Sender<String>,
    started: Instant,
) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if let Some(answer) = text.strip_prefix(ANSWER_MARK) {
                // Nobody waits for it any more: the test is ending.
                let _ = answers.send(answer.to_owned());
            } else if !text.is_empty() {
                let mut log = log.lock().expect("no reader panics");
                if log.len() == KEPT_LINES {
                    log.remove(0);
                }
                log.push(format!("{:8.3} {text}", started.elapsed().as_secs_f64()));
            }
        }
    });
}

/// Asks again and again until `done`, or fails the test saying what it waited for.
pub(crate) fn until(wait: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + wait;
    while !done() {
        assert!(Instant::now() < deadline, "waited {wait:?} in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Processor time that the first thread of a process has had, or a thread: what `/proc` calls it.
pub(crate) fn worked(by: &str) -> Duration {
    let found = fs::read_to_string(format!("/proc/{by}/schedstat")).expect("a thread that runs, on Linux");
    let nanoseconds = found.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number of ns"))
}

/// Bytes of memory that a process holds.
pub(crate) fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process that runs, on Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .expect("a line VmRSS");
    let kilobytes: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number of kB");
    kilobytes << 10
}
