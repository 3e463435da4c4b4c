//! What packages are made of: version, man pages, completions, the systemd unit and what it hears from the daemon, manifests.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says why"
)]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

// What Cargo asks for the version. Its `main` is Cargo's, and speaks to it on standard output.
#[allow(dead_code)]
#[path = "../../build.rs"]
mod build_script;

const PATIENCE: Duration = Duration::from_secs(20);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn beamway(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beamway"));
    command
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env_remove("NOTIFY_SOCKET");
    command
}

/// What a command prints; it must succeed.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn is_here(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status()
        .expect("a shell");
    if !found.success() {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found.success()
}

/// git, with nothing of the user's own settings.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments);
    for (name, value) in [
        ("HOME", "/nowhere"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "somebody"),
        ("GIT_AUTHOR_EMAIL", "somebody@example.org"),
        ("GIT_COMMITTER_NAME", "somebody"),
        ("GIT_COMMITTER_EMAIL", "somebody@example.org"),
        // Another day in UTC than where the commit is made.
        ("GIT_AUTHOR_DATE", "2026-11-30T23:30:00-0500"),
        ("GIT_COMMITTER_DATE", "2026-11-30T23:30:00-0500"),
    ] {
        command.env(name, value);
    }
    printed(&mut command).trim().to_owned()
}

#[test]
fn a_version_has_commit_and_day_of_its_own_repository_alone() {
    if !is_here("git") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("package");
    fs::create_dir(&package).unwrap();
    assert_eq!(build_script::of_repository(&package), None, "no repository");
    assert!(build_script::watched(&package).is_empty());

    git(&package, &["init", "--quiet", "--initial-branch", "main"]);
    assert_eq!(build_script::of_repository(&package), None, "no commit");
    git(&package, &["commit", "--quiet", "--allow-empty", "--message", "one"]);
    git(&package, &["commit", "--quiet", "--allow-empty", "--message", "two"]);
    let commit = git(&package, &["rev-parse", "HEAD"]);
    let expected = Some(format!("{} 2026-12-01", &commit[..9]));
    assert_eq!(build_script::of_repository(&package), expected);
    let watches = |package: &Path, file: &str| {
        build_script::watched(package)
            .iter()
            .any(|watched| watched.ends_with(file))
    };
    for file in ["HEAD", "logs/HEAD", "refs/heads/main"] {
        assert!(watches(&package, file), "{file}: {:?}", build_script::watched(&package));
    }

    // A package that was unpacked into the repository of somebody else is not of a commit of that one.
    let inner = package.join("vendor/beamway");
    fs::create_dir_all(&inner).unwrap();
    assert_eq!(build_script::of_repository(&inner), None);

    let worktree = folder.path().join("worktree");
    git(
        &package,
        &["worktree", "add", "--quiet", "-b", "other", worktree.to_str().unwrap()],
    );
    assert_eq!(build_script::of_repository(&worktree), expected);
    for file in ["worktrees/worktree/HEAD", "refs/heads/other"] {
        assert!(
            watches(&worktree, file),
            "{file}: {:?}",
            build_script::watched(&worktree)
        );
    }

    let shallow = folder.path().join("shallow");
    let origin = format!("file://{}", package.display());
    git(
        folder.path(),
        &["clone", "--quiet", "--depth", "1", &origin, shallow.to_str().unwrap()],
    );
    assert_eq!(build_script::of_repository(&shallow), expected);

    // Packed, a branch has no file of its own; a commit is noticed all the same.
    git(&package, &["pack-refs", "--all"]);
    git(&package, &["checkout", "--quiet", "--detach"]);
    assert_eq!(build_script::of_repository(&package), expected);
    assert!(watches(&package, "logs/HEAD") && watches(&package, "packed-refs"));
}

#[test]
fn a_version_is_what_the_environment_says() {
    let told = build_script::of_environment;
    assert_eq!(
        told("1a2b3c4d5e6f", Some("1764547199")).as_deref(),
        Some("1a2b3c4d5 2025-11-30")
    );
    assert_eq!(
        told("1a2b3c4d5e6f", Some("1764547200")).as_deref(),
        Some("1a2b3c4d5 2025-12-01")
    );
    assert_eq!(told("1a2b", None).as_deref(), Some("1a2b"));
    assert_eq!(told("1a2b", Some("yesterday")).as_deref(), Some("1a2b"));
    assert_eq!(told(" ", Some("0")), None);
    assert_eq!(told("one\ntwo", None), None, "it would be a line of its own to Cargo");
    for (second, day) in [
        (0, "1970-01-01"),
        (951_782_400, "2000-02-29"),
        (951_868_800, "2000-03-01"),
        (1_709_164_800, "2024-02-29"),
        (4_107_542_400, "2100-03-01"),
    ] {
        assert_eq!(build_script::day_of(second), day);
    }
}

#[test]
fn there_is_a_man_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let main = printed(beamway(folder.path()).arg("man"));
    assert!(
        main.contains(".TH beamway 1") && main.contains("beamway\\-run(1)"),
        "{main}"
    );
    printed(beamway(folder.path()).args(["man", "--dir", "a/man"]));
    let mut pages: Vec<String> = fs::read_dir(folder.path().join("a/man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    // Those of the lab too, and none that is hidden.
    let expected = [
        "-bench",
        "-call",
        "-certs-init",
        "-certs-issue",
        "-certs-renew",
        "-certs-revoke",
        "-certs",
        "-check",
        "-completions",
        "-demo",
        "-doctor",
        "-man",
        "-ping",
        "-reload",
        "-run",
        "-send",
        "-status",
        "-top",
        "",
    ];
    assert_eq!(pages, expected.map(|name| format!("beamway{name}.1")));
    let page = fs::read_to_string(folder.path().join("a/man/beamway-run.1")).unwrap();
    assert!(
        page.contains("\\-\\-config") && !page.contains("until\\-input"),
        "{page}"
    );
    // The version alone: pages are the same whatever commit they are made from.
    assert!(
        page.contains(concat!("\"beamway ", env!("CARGO_PKG_VERSION"), "\"")),
        "{page}"
    );
    if is_here("man") {
        let said = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"])
            .arg(folder.path().join("a/man/beamway-certs-issue.1"))
            .output()
            .unwrap();
        assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    }
}

#[test]
fn shells_complete_commands_and_options() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(beamway(folder.path()).args(["completions", shell]));
        for word in ["certs", "issue", "log-level", "bench", "quick"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert!(!script.contains("linkem"), "{shell}: a hidden command");
        let file = folder.path().join(shell);
        fs::write(&file, script).unwrap();
        if is_here(shell) {
            printed(Command::new(shell).arg("-n").arg(&file));
        }
    }
    if is_here("bash") {
        let asks = ". ./bash; COMP_WORDS=(beamway certs is); COMP_CWORD=2; _beamway beamway is certs; echo \"${COMPREPLY[@]}\"";
        let answer = printed(
            Command::new("bash")
                .current_dir(folder.path())
                .args(["--norc", "-c", asks]),
        );
        assert_eq!(answer, "issue\n");
    }
}

/// A daemon that a service manager has started, which is us.
struct Service {
    // Removed last.
    folder: tempfile::TempDir,
    socket: UnixDatagram,
    daemon: Child,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Service {
    fn start(watchdog: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for arguments in ["certs init --dir certs", "certs issue --dir certs left"] {
            printed(beamway(folder.path()).args(arguments.split(' ')));
        }
        let config = "[gateway]\nname = \"left\"\nlisten = \"127.0.0.1:0\"\ncerts = \"certs/left\"\n\
                      [epmd]\nlisten = \"127.0.0.1:0\"\nhosts = [\"127.0.0.1\"]\n";
        fs::write(folder.path().join("left.toml"), config).unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = beamway(folder.path());
        command
            .args(["run", "--config", "left.toml"])
            .env("NOTIFY_SOCKET", folder.path().join("notify"))
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(limit) = watchdog {
            command.env("WATCHDOG_USEC", limit.as_micros().to_string());
        }
        let daemon = command.spawn().unwrap();
        Self { folder, socket, daemon }
    }

    /// The next message, which must come.
    fn hears(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("the daemon says something");
        String::from_utf8(buffer[..length].to_vec()).expect("UTF-8")
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.daemon.id().cast_signed()), signal).unwrap();
    }

    /// The UDP ports at which a process listens, as `/proc` has them.
    fn udp_ports(&self) -> Vec<u16> {
        let inodes: Vec<PathBuf> = fs::read_dir(format!("/proc/{}/fd", self.daemon.id()))
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .collect();
        let table = fs::read_to_string("/proc/net/udp").unwrap();
        let lines = table.lines().skip(1).filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let port = u16::from_str_radix(words[1].split_once(':')?.1, 16).ok()?;
            inodes
                .contains(&PathBuf::from(format!("socket:[{}]", words[9])))
                .then_some(port)
        });
        lines.collect()
    }
}

#[test]
fn a_service_manager_hears_ready_heartbeats_and_stopping() {
    let limit = Duration::from_millis(400);
    let mut service = Service::start(Some(limit));
    let first = service.hears();
    assert!(first.starts_with("READY=1\nSTATUS=beamway "), "{first}");
    let ports = service.udp_ports();
    assert_eq!(ports.len(), 1, "it says so when it is bound: {ports:?}");
    assert!(first.contains(&format!("127.0.0.1:{}", ports[0])), "{first}");

    // The second and the others come half a limit apart; a busy machine may delay them.
    assert_eq!(service.hears(), "WATCHDOG=1\n");
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(service.hears(), "WATCHDOG=1\n");
    }
    assert!(began.elapsed() > limit * 3 / 2, "{:?}", began.elapsed());

    // A daemon that hangs is silent, and would be killed.
    service.signal(Signal::SIGSTOP);
    service.socket.set_read_timeout(Some(limit)).unwrap();
    while service.socket.recv(&mut [0; 64]).is_ok() {}
    service.socket.set_read_timeout(Some(limit * 2)).unwrap();
    assert!(service.socket.recv(&mut [0; 64]).is_err());
    service.signal(Signal::SIGCONT);
    service.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(service.hears(), "WATCHDOG=1\n");

    service.signal(Signal::SIGTERM);
    let stopping = std::iter::repeat_with(|| service.hears())
        .find(|message| message != "WATCHDOG=1\n")
        .expect("a message");
    assert!(stopping.starts_with("STOPPING=1\nSTATUS=stopping"), "{stopping}");
    assert!(service.daemon.wait().unwrap().success());
}

/// systemd waits for the end of a reload, whatever came of it.
#[test]
fn a_service_manager_hears_of_a_reload() {
    let service = Service::start(None);
    assert!(service.hears().starts_with("READY=1\n"));
    let file = service.folder.path().join("left.toml");
    let good = fs::read_to_string(&file).unwrap();
    for (text, told) in [
        (good.clone(), "was read again"),
        ("]".to_owned(), "has mistakes"),
        (good, "was read again"),
    ] {
        fs::write(&file, text).unwrap();
        service.signal(Signal::SIGHUP);
        let reloading = service.hears();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        let ready = service.hears();
        assert!(ready.starts_with("READY=1\n") && ready.contains(told), "{ready}");
    }
}

#[test]
fn a_service_manager_that_wants_no_heartbeats_gets_none() {
    let service = Service::start(None);
    assert!(service.hears().starts_with("READY=1\n"));
    service.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    assert!(service.socket.recv(&mut [0; 64]).is_err());
    assert!(service.folder.path().join("notify").exists());
}

#[test]
fn systemd_understands_the_unit() {
    let unit = fs::read_to_string(root().join("packaging/systemd/beamway.service")).unwrap();
    // The files of the package are where the unit looks for them.
    assert!(unit.contains("ExecStart=/usr/bin/beamway run --config /etc/beamway/gateway.toml\n"));
    if !is_here("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("beamway.service");
    fs::write(&file, unit.replace("/usr/bin/beamway", env!("CARGO_BIN_EXE_beamway"))).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&file)
        .output()
        .unwrap();
    // It speaks of other units of this machine, too.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("beamway.service"), "{said}");
    let table = printed(
        Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=15"])
            .arg(&file),
    );
    assert!(table.contains("exposure level"), "{table}");
}

/// The text below `key: |` in a manifest.
fn embedded(manifest: &str, key: &str) -> String {
    let opening = format!("{key}: |");
    let mut lines = manifest.lines().skip_while(|line| line.trim() != opening);
    let indent = lines
        .next()
        .unwrap_or_else(|| panic!("no {key}"))
        .find(key)
        .expect("it has it")
        + 2;
    lines
        .take_while(|line| line.is_empty() || line.len() - line.trim_start().len() >= indent)
        .map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n")
        .collect()
}

/// The files of gateways and nodes within the manifests are as the daemon wants them.
#[test]
fn manifests_hold_configurations_that_hold() {
    let folder = tempfile::tempdir().unwrap();
    let host = "orders-0.orders.default.svc.cluster.local";
    for arguments in ["certs init --dir certs", &format!("certs issue --dir certs {host}")] {
        printed(beamway(folder.path()).args(arguments.split(' ')));
    }
    for (manifest, key) in [
        ("sidecar.yaml", "gateway.toml"),
        ("daemonset.yaml", "gateway.toml"),
        ("in-the-vm.yaml", "node.toml"),
    ] {
        let text = fs::read_to_string(root().join("packaging/kubernetes").join(manifest)).unwrap();
        let config = embedded(&text, key);
        let certs = folder.path().join("certs").join(host);
        let config = config
            .replace("@HOST@", host)
            .replace("/etc/beamway/certs", certs.to_str().unwrap());
        fs::write(folder.path().join(key), &config).unwrap();
        let said = printed(beamway(folder.path()).args(["check", "--config", key]));
        assert!(said.contains(&format!("{host} on 0.0.0.0:4471")), "{manifest}: {said}");
        // The names of a node inside a VM are those of its own, not of this machine.
        assert!(key == "node.toml" || !said.contains("warning"), "{manifest}: {said}");
    }
}

/// So is the one of the Debian package, but for the folder of its certificates.
#[test]
fn the_example_of_the_package_holds() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        "certs init --dir certs",
        "certs issue --dir certs --host host1.example gw1",
    ] {
        printed(beamway(folder.path()).args(arguments.split(' ')));
    }
    let example = fs::read_to_string(root().join("packaging/debian/gateway.toml.example")).unwrap();
    fs::write(
        folder.path().join("gateway.toml"),
        example.replace("\"/etc/beamway\"", "\"certs/gw1\""),
    )
    .unwrap();
    let said = printed(beamway(folder.path()).args(["check", "--config", "gateway.toml"]));
    assert!(
        said.contains("gw1 on 0.0.0.0:4471") && !said.contains("warning"),
        "{said}"
    );
}
