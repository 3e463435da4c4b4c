//! A reader who does what a page says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::list::LIST;
use super::page::Block;
use super::page::find;
use crate::harness::BEAMWAY;
use crate::harness::Hosts;
use crate::harness::Process;

/// Something is printed or done within this.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// Programs that stand for others: what they stand for is there already, or is no part of beamway.
const STUBS: &[(&str, &str)] = &[
    // The tests run what cargo has built.
    ("cargo", "exit 0"),
    // There is no other machine: its folder takes the files.
    (
        "scp",
        "for to; do :; done; host=${to#*@}; host=${host%%:*}; to=\"$SHARED/$host${to#*:}\"; mkdir -p \"$to\"; cp -rp \"$2\" \"$to\"",
    ),
    // A namespace has no service manager. The unit is verified, and its commands are run.
    ("systemctl", "exit 0"),
];

/// The blocks of a walk, each of which it must take.
pub(super) struct Walk {
    name: &'static str,
    left: Vec<(&'static str, &'static str)>,
}

impl Walk {
    pub(super) fn of(name: &'static str) -> Self {
        let found = LIST.iter().find(|(walk, _)| *walk == name);
        let (_, blocks) = found.unwrap_or_else(|| panic!("the list has no walk {name:?}"));
        Self {
            name,
            left: blocks.to_vec(),
        }
    }

    /// The next block of that page that begins so.
    pub(super) fn take(&mut self, page: &str, start: &str) -> Block {
        let place = self
            .left
            .iter()
            .position(|(of, begin)| *of == page && begin.starts_with(start));
        let place =
            place.unwrap_or_else(|| panic!("{:?} has no block of {page} that begins with {start:?}", self.name));
        let (page, start) = self.left.remove(place);
        find(page, start)
    }

    /// All blocks were taken.
    pub(super) fn end(self) {
        assert!(self.left.is_empty(), "{:?} did not run {:?}", self.name, self.left);
    }
}

/// The machines of a reader: network namespaces, with `/etc`, `/usr/local` and `/var/log` of their own, in which pages are followed to
/// the letter.
pub(super) struct Machines {
    pub(super) all: Vec<Machine>,
    pub(super) folder: TempDir,
    _hosts: Hosts,
}

/// One of them.
pub(super) struct Machine {
    init: Process,
    /// Where the reader works.
    pub(super) folder: PathBuf,
    stubs: PathBuf,
    shared: PathBuf,
    /// What was exported.
    exports: String,
}

impl Machines {
    /// `host1.example` and `host2.example`. Nothing if this is not root.
    pub(super) fn boot() -> Option<Self> {
        let hosts = Hosts::lay()?;
        let folder = tempfile::Builder::new()
            .prefix("beamway-pages-")
            .tempdir()
            .expect("a temporary folder");
        let stubs = folder.path().join("stubs");
        fs::create_dir(&stubs).expect("a folder");
        for (name, text) in STUBS {
            let file = stubs.join(name);
            fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("a writable folder");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("our own file");
        }
        let names = ["host1.example", "host2.example"];
        let all = names
            .iter()
            .zip(hosts.names())
            .map(|(name, namespace)| Machine::boot(name, namespace, folder.path()));
        Some(Self {
            all: all.collect(),
            folder,
            _hosts: hosts,
        })
    }
}

impl Machine {
    fn boot(name: &str, namespace: &str, root: &Path) -> Self {
        let folder = root.join(name);
        let (disk, home) = (folder.join("disk"), folder.join("home"));
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        for made in [&disk, &home, &folder.join("target/release")] {
            fs::create_dir_all(made).expect("a folder");
        }
        symlink(repository.join("erlang"), folder.join("erlang")).expect("a link");
        symlink(BEAMWAY, folder.join("target/release/beamway")).expect("a link");
        let cookie = home.join(".erlang.cookie");
        fs::write(&cookie, "secret").expect("a file");
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).expect("our own file");
        let script = format!(
            "set -e; mount --make-rprivate /; mount -t tmpfs none {disk}
             for d in etc usr/local var/log; do
                 mkdir -p {disk}/$d/u {disk}/$d/w
                 mount -t overlay overlay -o lowerdir=/$d,upperdir={disk}/$d/u,workdir={disk}/$d/w /$d
             done
             printf '127.0.0.1 localhost\\n10.77.0.1 host1.example\\n10.77.0.2 host2.example\\n' > /etc/hosts
             ln -s {BEAMWAY} /usr/local/bin/beamway; hostname {name}; echo booted; exec sleep 100000",
            disk = disk.display()
        );
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, "unshare", "-m", "-u", "sh", "-c", &script]);
        let init = Process::spawn(name, &mut command);
        init.await_log("booted", PATIENCE);
        Self {
            init,
            stubs: root.join("stubs"),
            shared: root.join("shared"),
            exports: String::new(),
            folder,
        }
    }

    fn command(&self, text: &str) -> Command {
        let path = std::env::var("PATH").expect("a path");
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.init.id().to_string(), "-m", "-u", "-n"])
            .arg(format!("--wd={}", self.folder.display()))
            .args(["sh", "-ec", &format!("{}{text}", self.exports)])
            .env("HOME", self.folder.join("home"))
            .env("SHARED", &self.shared)
            .env(
                "PATH",
                format!("{}:/usr/local/bin:{path}:/usr/sbin", self.stubs.display()),
            )
            .env_remove("ERL_EPMD_PORT")
            .env_remove("RUST_LOG");
        command
    }

    /// Runs a command to its end. Gives what it printed.
    pub(super) fn run(&self, text: &str) -> String {
        let output = self.command(text).output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}: {said}");
        said
    }

    /// Runs a command in a terminal of its own.
    pub(super) fn open(&self, text: &str) -> Process {
        Process::spawn(text, &mut self.command(&format!("exec env {text}")))
    }

    /// Types a block, command by command. Gives the terminals of those that stay.
    pub(super) fn type_block(&mut self, block: &Block) -> Vec<Process> {
        let mut terminals = Vec::new();
        for command in commands(&block.text) {
            if stays(&command) {
                let terminal = self.open(&command);
                ready(&terminal, &command);
                terminals.push(terminal);
            } else if command.starts_with("export ") {
                self.exports.push_str(&format!("{command}\n"));
            } else {
                self.run(&command);
            }
        }
        terminals
    }

    /// Saves a block as a file.
    pub(super) fn save(&self, file: &str, block: &Block) {
        let copy = self.folder.join("saved");
        fs::write(&copy, &block.text).expect("a writable folder");
        self.run(&format!("mkdir -p \"$(dirname {file})\"; cp {} {file}", copy.display()));
    }
}

/// The commands of a block, each in one line and without its comment.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// Whether a command does not end by itself: a gateway, or a shell of Erlang.
fn stays(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    command.contains("beamway run") || words.contains(&"erl")
}

fn ready(terminal: &Process, command: &str) {
    if command.contains("beamway run") && !command.contains(">>") {
        terminal.await_log(" lanes, ", PATIENCE);
    }
}

/// Waits until a shell of Erlang answers.
pub(super) fn await_shell(terminal: &mut Process) {
    terminal.type_line("io:format(\"~s~n\", [\"ready\"]).");
    terminal.await_log("ready", PATIENCE);
}

/// Types the lines of a block into a shell of Erlang, and waits for what their comments say.
pub(super) fn type_erlang(terminal: &mut Process, block: &Block) {
    for line in block.text.lines() {
        let before = terminal.log().len();
        terminal.type_line(line);
        let Some((_, expected)) = line.split_once(" % ") else {
            continue;
        };
        let until = std::time::Instant::now() + PATIENCE;
        while !terminal
            .log()
            .iter()
            .skip(before)
            .any(|printed| printed.contains(expected.trim()))
        {
            assert!(std::time::Instant::now() < until, "{line}: {:#?}", terminal.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
