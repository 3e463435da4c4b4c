//! One real `erl`, told what to do line by line.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::erlang::ebin;
use super::otp;
use super::process::Process;
use super::process::until;

/// The cookie of every node that is not told otherwise.
pub(crate) const COOKIE: &str = "beamway-tests";

/// A command that takes longer than this has failed.
pub(crate) const COMMAND_TIME: Duration = Duration::from_secs(30);

/// A node's start, on a machine that is busy with other tests.
const START_TIME: Duration = Duration::from_secs(30);

/// How a node is to be started.
#[derive(Clone)]
pub(crate) struct NodeSpec {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) cookie: String,
    pub(super) args: Vec<String>,
    pub(super) site: usize,
    pub(super) elixir: Option<String>,
    /// Whether the file of a node with the carrier inside lists its peers.
    pub(super) lists_peers: bool,
}

impl NodeSpec {
    /// `name@127.0.0.1` at the site of that index.
    pub(crate) fn new(name: &str, site: usize) -> Self {
        Self {
            name: name.to_owned(),
            host: "127.0.0.1".to_owned(),
            cookie: COOKIE.to_owned(),
            args: Vec::new(),
            site,
            elixir: None,
            lists_peers: true,
        }
    }

    /// A node with the carrier inside whose file lists no peers.
    pub(crate) fn without_peers(mut self) -> Self {
        self.lists_peers = false;
        self
    }

    /// An Elixir node that runs this file of `elixir/`.
    pub(crate) fn elixir(mut self, file: &str) -> Self {
        self.elixir = Some(file.to_owned());
        self
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn cookie(mut self, cookie: &str) -> Self {
        cookie.clone_into(&mut self.cookie);
        self
    }

    /// More words for the command line of `erl`, separated by blanks.
    pub(crate) fn args(mut self, args: &str) -> Self {
        self.args.extend(args.split_whitespace().map(str::to_owned));
        self
    }
}

impl NodeSpec {
    /// One more word, which may hold blanks.
    pub(super) fn argument(mut self, path: &Path) -> Self {
        self.args.push(path.display().to_string());
        self
    }
}

/// Where a node finds its port mapper and its home.
pub(super) struct Surroundings<'a> {
    pub(super) epmd_port: u16,
    pub(super) home: &'a Path,
    pub(super) namespace: Option<&'a str>,
}

/// `program`, inside the network namespace if there is one. `ip netns exec` becomes the program, so its pid is the child's.
pub(super) fn command_in(namespace: Option<&str>, program: &str) -> Command {
    match namespace {
        None => Command::new(program),
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace, program]);
            command
        }
    }
}

/// The environment of everything Erlang: nothing of the person who runs the tests leaks in.
pub(super) fn erlang_environment(command: &mut Command, epmd_port: u16, home: &Path) {
    command
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("HOME", home)
        .env("ERL_CRASH_DUMP_SECONDS", "0")
        .env_remove("ERL_FLAGS")
        .env_remove("ERL_AFLAGS")
        .env_remove("ERL_ZFLAGS")
        .env_remove("ERL_LIBS");
}

/// No busy waiting: many virtual machines share few cores.
const SPARING: [&str; 9] = [
    "-noinput",
    "+S",
    "2:2",
    "+sbwt",
    "none",
    "+sbwtdcpu",
    "none",
    "+sbwtdio",
    "none",
];

fn erl(spec: &NodeSpec, surroundings: &Surroundings<'_>, full_name: &str) -> Command {
    let mut command = command_in(surroundings.namespace, "erl");
    command
        .args(SPARING)
        .args(["-name", full_name, "-setcookie", &spec.cookie, "-start_epmd", "false"])
        .arg("-pa")
        .arg(ebin(spec.site))
        .args(&spec.args)
        .args(["-s", "real", "start"]);
    command
}

fn elixir(spec: &NodeSpec, surroundings: &Surroundings<'_>, full_name: &str, file: &str) -> Command {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/real/elixir")
        .join(file);
    let mut words = SPARING.to_vec();
    words.extend(spec.args.iter().map(String::as_str));
    words.extend(["-start_epmd", "false", "-s", "real", "start"]);
    let mut command = command_in(surroundings.namespace, "elixir");
    command
        .args(["--name", full_name, "--cookie", &spec.cookie])
        .args(["--erl", &words.join(" ")])
        .arg("-pa")
        .arg(ebin(spec.site))
        .args(["--no-halt", "-r"])
        .arg(file);
    command
}

/// A running node. Dropping it kills it.
pub(crate) struct Node {
    process: Process,
    full_name: String,
    site: usize,
}

impl Node {
    pub(super) fn start(spec: &NodeSpec, surroundings: &Surroundings<'_>) -> Self {
        let full_name = format!("{}@{}", spec.name, spec.host);
        let mut command = match &spec.elixir {
            None => erl(spec, surroundings, &full_name),
            Some(file) => elixir(spec, surroundings, &full_name, file),
        };
        erlang_environment(&mut command, surroundings.epmd_port, surroundings.home);
        otp::choose(&mut command, spec.site);
        let process = Process::spawn(format!("node {full_name}"), &mut command);
        let node = Self {
            process,
            full_name,
            site: spec.site,
        };
        node.take("to start", START_TIME)
            .unwrap_or_else(|error| panic!("{error}"));
        node
    }

    /// The node's name as an Erlang atom: `'a@127.0.0.1'`.
    pub(crate) fn atom(&self) -> String {
        format!("'{}'", self.full_name)
    }

    pub(crate) fn full_name(&self) -> &str {
        &self.full_name
    }

    pub(crate) fn short_name(&self) -> &str {
        self.full_name.split('@').next().expect("split gives at least one part")
    }

    /// The index of its site.
    pub(crate) fn site(&self) -> usize {
        self.site
    }

    /// Sends an expression without waiting for its value; [`finish`](Self::finish) takes that.
    pub(crate) fn begin(&mut self, expression: &str) {
        let line = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = if line.ends_with('.') { "" } else { "." };
        let written = writeln!(self.process.stdin(), "{line}{end}");
        written.unwrap_or_else(|error| panic!("{} no longer listens ({error}) to {line}", self.full_name));
    }

    /// The value of the expression begun last.
    ///
    /// # Errors
    ///
    /// The exception that it raised, as text.
    pub(crate) fn finish(&mut self, what: &str, wait: Duration) -> Result<String, String> {
        self.take(what, wait)
    }

    fn take(&self, what: &str, wait: Duration) -> Result<String, String> {
        let name = &self.full_name;
        let answer = self
            .process
            .answer(wait)
            .ok_or_else(|| format!("{name} gave no answer within {wait:?} to: {what}"))?;
        match answer.split_once(' ') {
            Some(("ok", value)) => Ok(value.to_owned()),
            Some(("error", reason)) => Err(format!("{name}: {what}\n  failed: {reason}")),
            _ => Err(format!(
                "{name}: {what}\n  answered {answer:?}, which is neither ok nor error"
            )),
        }
    }

    /// Evaluates within `wait`, and fails the test on an exception.
    pub(crate) fn eval_within(&mut self, expression: &str, wait: Duration) -> String {
        self.begin(expression);
        let result = self.take(expression, wait);
        result.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Evaluates, and fails the test on an exception.
    pub(crate) fn eval(&mut self, expression: &str) -> String {
        self.eval_within(expression, COMMAND_TIME)
    }

    /// Evaluates until the value is `wanted`, which may take `wait`.
    pub(crate) fn await_value(&mut self, expression: &str, wanted: &str, wait: Duration) {
        let what = format!("{} to see {expression} = {wanted}", self.full_name);
        let mut last = String::new();
        let began = std::time::Instant::now();
        loop {
            let value = self.eval(expression);
            if value == wanted {
                return;
            }
            if value != last {
                last = value;
            }
            assert!(
                began.elapsed() < wait,
                "waited {wait:?} in vain for {what}; it is {last}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the port mapper knows `other`, so that a first signal can connect.
    pub(crate) fn await_known(&mut self, other: &Self) {
        let (name, host) = (
            other.short_name().to_owned(),
            other.full_name.split('@').nth(1).expect("a host").to_owned(),
        );
        self.await_value(
            &format!("real:known(\"{name}\", \"{host}\")"),
            "true",
            Duration::from_secs(20),
        );
    }

    /// Connects to `other`, waiting until that works.
    pub(crate) fn connect(&mut self, other: &Self) {
        self.await_known(other);
        let expression = format!("net_adm:ping({})", other.atom());
        self.await_value(&expression, "pong", Duration::from_secs(20));
    }

    /// `nodes()`, sorted.
    pub(crate) fn nodes(&mut self) -> String {
        self.eval("lists:sort(nodes())")
    }

    /// Kills the virtual machine, as if its power was cut.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    pub(crate) const fn process(&self) -> &Process {
        &self.process
    }

    /// Bytes of memory that it holds.
    pub(crate) fn resident(&self) -> u64 {
        self.process.resident()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn await_log(&self, wanted: &str, wait: Duration) -> String {
        self.process.await_log(wanted, wait)
    }

    pub(crate) fn assert_alive(&mut self) {
        let ended = self.process.ended();
        assert!(ended.is_none(), "{} ended: {ended:?}", self.full_name);
    }

    /// Waits until `nodes()` is exactly the names of `others`.
    pub(crate) fn await_nodes(&mut self, others: &[&str], wait: Duration) {
        let mut wanted: Vec<String> = others.iter().map(|name| format!("'{name}'")).collect();
        wanted.sort();
        self.await_value("lists:sort(nodes())", &format!("[{}]", wanted.join(",")), wait);
    }

    /// Waits until the node's own console sees `condition` hold.
    pub(crate) fn until(&mut self, condition: &str, wait: Duration) {
        let what = format!("{} to see {condition}", self.full_name);
        until(wait, &what, || self.eval(condition) == "true");
    }
}
