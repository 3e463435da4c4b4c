//! The page in a browser, `beamway top` on a terminal and without one, and what Prometheus thinks of the metrics.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;
use serde_json::json;

use crate::admin::exchange;
use crate::admin::get;
use crate::admin::watched;
use crate::harness::BEAMWAY;
use crate::harness::NodeSpec;
use crate::harness::Process;
use crate::harness::free_tcp_port;
use crate::harness::until;

const PATIENCE: Duration = Duration::from_secs(20);

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

#[test]
fn the_page_is_answered_with_types_and_a_policy() {
    let (mut cluster, address) = watched();
    let socket = cluster.folder().join("left.sock");
    for (path, kind, begin) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        ("/style.css", "text/css; charset=utf-8", ":root"),
        ("/page.js", "text/javascript; charset=utf-8", "//"),
    ] {
        let request = format!("GET {path}");
        let (head, body) = get(address, &request);
        let (head_of_socket, body_of_socket) = exchange(UnixStream::connect(&socket).expect("a daemon"), &request);
        assert!(body == body_of_socket && body.starts_with(begin), "{path}: {body}");
        for head in [head, head_of_socket] {
            for line in [
                "HTTP/1.1 200 OK",
                &format!("content-type: {kind}"),
                "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                 img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                "referrer-policy: no-referrer",
                "x-content-type-options: nosniff",
                "cache-control: no-store",
            ] {
                assert!(head.lines().any(|of_head| of_head == line), "{path}: {line} in\n{head}");
            }
        }
    }
    assert!(get(address, "POST /").0.starts_with("HTTP/1.1 405"));
    assert!(get(address, "HEAD /page.js").1.is_empty());
    cluster.assert_healthy();
}

/// Chromium without a window, told what to do over the protocol of its driver. Dropping it ends both.
struct Browser {
    driver: SocketAddr,
    session: String,
    // Dropped after the session has ended, and with it the browser.
    _driver: Process,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start() -> Self {
        let profile = tempfile::tempdir().expect("room");
        let localhost = [127, 0, 0, 1].into();
        let driver = SocketAddr::new(localhost, free_tcp_port(&[localhost]));
        let mut command = Command::new("chromedriver");
        let process = Process::spawn("chromedriver", command.arg(format!("--port={}", driver.port())));
        until(PATIENCE, "chromedriver to listen", || {
            TcpStream::connect(driver).is_ok()
        });
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = call(driver, "POST", "/session", Some(&wanted));
        Self {
            driver,
            session: format!("/session/{}", session["sessionId"].as_str().expect("a session")),
            _driver: process,
            _profile: profile,
        }
    }

    fn call(&self, path: &str, body: &Value) -> Value {
        call(self.driver, "POST", &format!("{}{path}", self.session), Some(body))
    }

    fn run(&self, script: &str) -> Value {
        self.call("/execute/sync", &json!({"script": script, "args": []}))
    }

    fn text(&self) -> String {
        self.run("return document.body.innerText")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn await_text(&self, wanted: &[&str]) {
        until(PATIENCE, &format!("the page to show {wanted:?}"), || {
            let text = self.text();
            wanted.iter().all(|one| text.contains(one))
        });
    }

    /// What the console got since the last call: mistakes, and breaches of the policy.
    fn console(&self) -> Vec<String> {
        let lines = self.call("/se/log", &json!({"type": "browser"}));
        let lines = lines.as_array().expect("a list").iter();
        lines.map(|line| line["message"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if TcpStream::connect(self.driver).is_ok() {
            let _ = exchange_json(self.driver, "DELETE", &self.session, None);
        }
    }
}

fn call(driver: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Value {
    let answer = exchange_json(driver, method, path, body).expect("an answer of the driver");
    let mut value: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{path}: {answer}"));
    assert!(value["value"]["error"].is_null(), "{path}: {answer}");
    value["value"].take()
}

/// The driver keeps connections open, so the length tells where the answer ends.
fn exchange_json(driver: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(driver)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {driver}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if length.is_some_and(|length: usize| body.len() >= length) {
                return Ok(body.to_owned());
            }
        }
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
}

#[test]
fn a_browser_shows_the_page_without_complaints() {
    if !is_here("chromium") || !is_here("chromedriver") {
        return;
    }
    let (mut cluster, address) = watched();
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    let browser = Browser::start();
    browser.call("/url", &json!({"url": format!("http://{address}/")}));
    browser.await_text(&[
        "live",
        "right",
        "No problems.",
        a.full_name(),
        b.full_name(),
        "this daemon",
        "B/s",
    ]);
    let drawn = browser.run("return document.querySelector('#topology svg').textContent");
    let drawn = drawn.as_str().expect("a drawing");
    for name in ["left", "right", "up", a.full_name(), b.full_name()] {
        assert!(drawn.contains(name), "{name} in {drawn}");
    }
    // Sorted by the click, and one circuit below the head.
    let sorted = "document.querySelector('#circuits button[data-key=remote]').click(); \
                  return document.querySelector('#circuits th[aria-sort]').textContent \
                  + document.querySelectorAll('#circuits tbody tr').length";
    assert_eq!(browser.run(sorted), "Node there1");
    browser.run("const f = document.getElementById('filter'); f.value = 'nobody'; f.dispatchEvent(new Event('input'))");
    browser.await_text(&["None of 1 circuits matches “nobody”."]);
    let phone = json!({"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": true});
    let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": phone});
    browser.call("/goog/cdp/execute", &command);
    let width = browser.run("return document.documentElement.scrollWidth");
    assert!(
        width.as_u64().is_some_and(|width| width <= 320),
        "{width} columns on a phone"
    );
    assert_eq!(browser.console(), Vec::<String>::new());

    cluster.gateway(1).terminate();
    browser.await_text(&["right cannot be reached"]);
    cluster.gateway(0).kill();
    browser.await_text(&["Asking again every two seconds."]);
    cluster.gateway(0).run();
    browser.await_text(&["live"]);
    until(PATIENCE, "the alarm to go", || !browser.text().contains("Asking again"));
    // Questions to a daemon that was away are told by the browser itself. And the check can fail: an inner script is refused, and said so.
    let told = browser.console();
    assert!(
        told.iter()
            .all(|line| line.contains("/status") && line.contains("net::ERR_")),
        "{told:?}"
    );
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.forbidden = 1'; document.body.append(s)",
    );
    assert!(browser.run("return window.forbidden").is_null());
    let told = browser.console();
    assert!(
        told.iter().any(|line| line.contains("Content Security Policy")),
        "{told:?}"
    );
    cluster.gateway(1).run();
}

/// promtool reads the older text form, in which comments have the whole name of a counter.
#[test]
fn promtool_has_no_complaint_about_the_metrics() {
    if !is_here("promtool") {
        return;
    }
    let (mut cluster, address) = watched();
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    let (_, text) = get(address, "GET /metrics");
    let counters: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let older = |line: &str| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(&name) => {
                format!("# {kind} {name}_total {rest}\n")
            }
            (Some("#"), Some("EOF"), ..) => String::new(),
            _ => format!("{line}\n"),
        }
    };
    let text: String = text.lines().map(older).collect();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program");
    let mut input = promtool.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("a reader");
    drop(input);
    let output = promtool.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
    cluster.assert_healthy();
}

#[test]
fn top_prints_snapshots_into_a_pipe() {
    let (mut cluster, _) = watched();
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    a.eval(&format!(
        "spawn(fun F() -> {{nobody, {}}} ! <<0:80000>>, timer:sleep(10), F() end)",
        b.atom()
    ));
    let mut top = |arguments: &[&str]| {
        let mut command = cluster.gateway(0).command("top");
        command
            .args(arguments)
            .env_remove("COLUMNS")
            .output()
            .expect("a program")
    };
    let output = top(&["--count", "2", "--json"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(output.status.success() && lines.len() == 2, "{text}");
    for line in &lines {
        let sent = line["circuits"][0]["sent_bytes_per_second"].as_f64().expect("a rate");
        assert!(
            (100_000.0..2_000_000.0).contains(&sent),
            "{sent} B/s of a megabyte: {line}"
        );
        assert_eq!(
            (&line["name"], &line["peers"][0]["name"]),
            (&json!("left"), &json!("right"))
        );
        assert!(
            line["interval_seconds"]
                .as_f64()
                .is_some_and(|seconds| (0.5..3.0).contains(&seconds)),
            "{line}"
        );
    }
    let output = top(&["--count", "1", "--sort", "name"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80) && !text.contains('\u{1b}'),
        "{text}"
    );
    assert!(
        text.contains("right") && text.contains(b.full_name()) && text.contains("kB/s"),
        "{text}"
    );
    cluster.gateway(0).kill();
    let mut command = cluster.gateway(0).command("top");
    let output = command.args(["--count", "1"]).output().expect("a program");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        output.status.code() == Some(1) && text.starts_with("! no answer"),
        "{text}"
    );
    cluster.gateway(0).run();
}

/// A pseudo-terminal of `script`, with a shell in it that runs `beamway top` and then says what became of the terminal.
struct Screen {
    process: Process,
    file: std::path::PathBuf,
    folder: tempfile::TempDir,
}

impl Screen {
    fn start(config: &Path) -> Self {
        let folder = tempfile::tempdir().expect("room");
        let file = folder.path().join("screen");
        let run = format!(
            "stty cols 80 rows 24; tty > tty; stty -g > before; sh -c 'echo $$ > pid; exec {BEAMWAY} top --config {}'; \
             echo $? > status; stty -g > after",
            config.display()
        );
        let mut command = Command::new("script");
        command.args(["-qefc", &run]).arg(&file).current_dir(folder.path());
        command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
        Self {
            process: Process::spawn("top", &mut command),
            file,
            folder,
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Everything that was written, with its control sequences.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.file).unwrap_or_default()).into_owned()
    }

    /// Waits until what is written from here on has this text.
    fn await_text(&self, wanted: &str) {
        let begin = self.shown().len();
        until(PATIENCE, &format!("the screen to show {wanted}"), || {
            self.shown().get(begin..).is_some_and(|new| new.contains(wanted))
        });
    }

    fn press(&mut self, keys: &str) {
        write!(self.process.stdin(), "{keys}").expect("a reader");
    }

    /// Waits for the end: status 0, the other screen left, the cursor shown, and every setting as before.
    fn assert_restored(&mut self) {
        until(PATIENCE, "top to end", || !self.read("after").is_empty());
        assert_eq!(self.read("status").trim(), "0");
        assert_eq!(self.read("before"), self.read("after"));
        let shown = self.shown();
        for sequence in ["\u{1b}[?1049h", "\u{1b}[?1049l", "\u{1b}[?25h"] {
            assert!(shown.contains(sequence), "{sequence:?}");
        }
        assert!(shown.rfind("\u{1b}[?1049l") > shown.rfind("\u{1b}[?1049h"));
    }
}

#[test]
fn top_lives_on_a_terminal_and_gives_it_back() {
    if !is_here("script") || !is_here("stty") {
        return;
    }
    let (mut cluster, _) = watched();
    let config = cluster.gateway(0).config().to_owned();
    let mut screen = Screen::start(&config);
    screen.await_text("q quit");
    screen.await_text("0B/s");
    screen.press("n");
    screen.await_text("by name");
    screen.press("t");
    screen.await_text("by round trip");
    // A smaller window: the kernel tells the program, which draws anew.
    let resized = Command::new("stty")
        .args(["-F", screen.read("tty").trim(), "cols", "40", "rows", "12"])
        .status();
    assert!(resized.expect("a program").success());
    screen.await_text("q quit  sort: n name  s sent  r receive…");
    cluster.gateway(0).kill();
    screen.await_text("no answer for");
    cluster.gateway(0).run();
    screen.await_text("sent 0B/s");
    screen.press("q");
    screen.assert_restored();

    for (keys, signal) in [("\u{3}", None), ("", Some(Signal::SIGTERM))] {
        let mut screen = Screen::start(&config);
        screen.await_text("q quit");
        screen.press(keys);
        if let Some(signal) = signal {
            let pid = Pid::from_raw(screen.read("pid").trim().parse().expect("a number"));
            kill(pid, signal).expect("a program that runs");
        }
        screen.assert_restored();
    }
    cluster.assert_healthy();
}
