use std::collections::VecDeque;
use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::Command;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

/// How many of the last lines of a child are kept, to be shown when something goes wrong.
const TAIL_LINES_MAX: usize = 12;

/// A line of a child is cut here: enough for any log line, and no child can fill the memory.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// How long a child may take to end by itself once it was asked to. A gateway ends its circuits meanwhile.
const ENDING_MAX: Duration = Duration::from_secs(4);

/// All child processes of a run, so that one call ends them whatever became of the code that started them.
#[derive(Clone, Default)]
pub struct Children {
    running: Arc<Mutex<Vec<Running>>>,
}

struct Running {
    name: String,
    child: Child,
    tail: Arc<Mutex<VecDeque<String>>>,
}

impl Children {
    /// Starts a child in a process group of its own (so that Ctrl-C reaches only us, and we end it in good order) and
    /// hands every line it prints, on either output, to `on_line`. Returns its standard input: a node halts when that is
    /// dropped.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub fn start(
        &self,
        name: &str,
        command: &mut Command,
        on_line: impl Fn(&str) + Clone + Send + 'static,
    ) -> anyhow::Result<ChildStdin> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let tail = Arc::default();
        if let Some(output) = child.stdout.take() {
            tokio::spawn(read_lines(output, Arc::clone(&tail), on_line.clone()));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(read_lines(output, Arc::clone(&tail), on_line));
        }
        let input = child.stdin.take().context("a child without standard input")?;
        let name = name.to_owned();
        lock(&self.running).push(Running { name, child, tail });
        Ok(input)
    }

    /// Fails when the child of this name is no longer running.
    ///
    /// # Errors
    ///
    /// Says with what status it ended.
    pub fn check(&self, name: &str) -> anyhow::Result<()> {
        for running in lock(&self.running).iter_mut().filter(|running| running.name == name) {
            if let Some(status) = running.child.try_wait()? {
                anyhow::bail!("{name} ended early ({status})");
            }
        }
        Ok(())
    }

    /// The last lines of every child, for a person who must find out what went wrong.
    #[must_use]
    pub fn last_words(&self) -> String {
        let mut words = String::new();
        for running in lock(&self.running).iter() {
            for line in lock(&running.tail).iter() {
                // Writing to a string cannot fail.
                let _ = writeln!(words, "  [{}] {line}", running.name);
            }
        }
        words
    }

    /// The process of this name, while it runs.
    #[must_use]
    pub fn process(&self, name: &str) -> Option<u32> {
        let running = lock(&self.running);
        let child = running.iter().find(|running| running.name == name)?;
        child.child.id()
    }

    /// Sends a signal to the child of this name.
    pub fn signal(&self, name: &str, signal: Signal) {
        for running in lock(&self.running).iter().filter(|running| running.name == name) {
            if let Some(id) = pid(&running.child) {
                // It may have ended meanwhile, which is seen elsewhere.
                let _ = kill(id, signal);
            }
        }
    }

    /// Ends all children, the last started first, and waits until they are gone. Each is asked first (SIGTERM), and
    /// killed when that does not help within [`ENDING_MAX`]. Takes no longer than that, however many there are.
    pub async fn end(&self) {
        self.end_those(|_| true).await;
    }

    /// As [`Children::end`], of those with such a name.
    pub async fn end_those(&self, meant: impl Fn(&str) -> bool) {
        let mut ending = {
            let mut running = lock(&self.running);
            let all = std::mem::take(&mut *running).into_iter();
            let (ending, others): (Vec<_>, Vec<_>) = all.partition(|running| meant(&running.name));
            *running = others;
            ending
        };
        for running in ending.iter().rev() {
            if let Some(id) = pid(&running.child) {
                // It may have ended meanwhile, which is as good.
                let _ = kill(id, Signal::SIGTERM);
            }
        }
        let deadline = Instant::now() + ENDING_MAX;
        for running in ending.iter_mut().rev() {
            let left = deadline.saturating_duration_since(Instant::now());
            if timeout(left, running.child.wait()).await.is_ok() {
                continue;
            }
            if let Some(id) = pid(&running.child) {
                let _ = killpg(id, Signal::SIGKILL);
            }
            let _ = running.child.wait().await;
        }
    }
}

/// Process and group id of a child that was not yet waited for.
fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

/// A thread that panicked with the lock held leaves a list of children that is still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_lines(output: impl AsyncRead + Unpin, tail: Arc<Mutex<VecDeque<String>>>, on_line: impl Fn(&str)) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut output).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        on_line(text);
        let mut tail = lock(&tail);
        if tail.len() == TAIL_LINES_MAX {
            tail.pop_front();
        }
        tail.push_back(text.to_owned());
    }
}

/// Asks again every 50 ms until `attempt` has an answer.
///
/// # Errors
///
/// Those of `attempt`, and `what` when there is no answer in time.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = attempt().await? {
            return Ok(answer);
        }
        anyhow::ensure!(Instant::now() < deadline, "{what}: not within {} s", limit.as_secs());
        sleep(Duration::from_millis(50)).await;
    }
}
