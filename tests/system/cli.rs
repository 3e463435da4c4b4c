//! The command line as scripts see it: the real binary, its files, its exit statuses, its messages.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use std::time::SystemTime;

use beamway::internals::tls::Authority;
use tempfile::TempDir;

const CONFIG: &str = r#"
[gateway]
name   = "left"
listen = "127.0.0.1:4471"
certs  = "certs/left"
lanes  = 16

[epmd]
listen = "127.0.0.1:4369"
hosts  = ["127.0.0.1"]

[[peer]]
name    = "right"
address = "127.0.0.1:4472"
"#;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The program, run in a folder, with nothing of our own surroundings that it looks at.
fn beamway(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beamway"));
    command.current_dir(folder).env_remove("RUST_LOG");
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    beamway(folder).args(arguments).output().expect("the program runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Runs it, asserts the status, gives what it complained about.
fn fails(folder: &Path, arguments: &[&str], status: i32) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
    assert_eq!(out(&output), "", "complaints go to standard error");
    complaint(&output)
}

/// Runs it, asserts success and silence on standard error, gives what it printed.
fn works(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(
        (output.status.code(), complaint(&output).as_str()),
        (Some(0), ""),
        "{arguments:?}"
    );
    out(&output)
}

/// A folder with an authority and certificates for left and right in `certs`.
fn certified() -> TempDir {
    let folder = folder();
    works(folder.path(), &["certs", "init", "--dir", "certs"]);
    works(folder.path(), &["certs", "issue", "--dir", "certs", "left", "right"]);
    folder
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

/// Whether the tool is here; without it, what it would confirm is left out.
fn openssl_is_here() -> bool {
    Command::new("openssl").arg("version").output().is_ok()
}

fn openssl(folder: &Path, arguments: &str) -> String {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("openssl runs");
    assert!(output.status.success(), "openssl {arguments}: {output:?}");
    out(&output)
}

#[test]
fn certs_are_made_with_keys_for_their_owner_only() {
    let folder = folder();
    let root = folder.path();
    let text = works(root, &["certs", "init", "--dir", "a/b"]);
    assert!(text.contains("a/b/ca.pem") && text.contains("a/b/ca-key.pem"), "{text}");
    let text = works(root, &["certs", "issue", "--dir", "a/b", "left", "Right.Example.com"]);
    assert_eq!(text.lines().count(), 2, "{text}");
    let dir = root.join("a/b");
    for key in ["ca-key.pem", "left/key.pem", "right.example.com/key.pem"] {
        assert_eq!(mode(&dir.join(key)), 0o600, "{key}");
    }
    for certificate in ["ca.pem", "left/ca.pem", "left/cert.pem", "right.example.com/cert.pem"] {
        assert_eq!(mode(&dir.join(certificate)) & 0o600, 0o600, "{certificate}");
    }
    assert_eq!(mode(&dir.join("left")), 0o700);
    assert_eq!(
        fs::read(dir.join("ca.pem")).ok(),
        fs::read(dir.join("left/ca.pem")).ok()
    );
    let mut names: Vec<_> = fs::read_dir(&dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["ca-key.pem", "ca.pem", "left", "right.example.com"],
        "nothing unfinished is left"
    );
}

#[test]
fn another_tool_believes_the_certificates() {
    if !openssl_is_here() {
        return;
    }
    let folder = certified();
    for purpose in ["sslserver", "sslclient"] {
        let verify = format!("verify -x509_strict -purpose {purpose} -CAfile certs/left/ca.pem certs/left/cert.pem");
        assert_eq!(openssl(folder.path(), &verify), "certs/left/cert.pem: OK\n");
    }
    let text = openssl(folder.path(), "x509 -in certs/left/cert.pem -noout -text");
    for piece in [
        "DNS:left\n",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "prime256v1",
    ] {
        assert!(text.contains(piece), "{piece}: {text}");
    }
    openssl(folder.path(), "x509 -in certs/left/cert.pem -noout -checkend 7689600");
    let ca = openssl(folder.path(), "x509 -in certs/ca.pem -noout -text");
    assert!(
        ca.contains("CA:TRUE, pathlen:0") && ca.contains("Certificate Sign, CRL Sign"),
        "{ca}"
    );
}

#[test]
fn nothing_is_overwritten() {
    let folder = certified();
    let root = folder.path();
    let before = fs::read(root.join("certs/ca-key.pem")).expect("a key");
    let text = fails(root, &["certs", "init", "--dir", "certs"], 1);
    assert!(text.starts_with("beamway: certs/ca.pem already exists"), "{text}");
    fs::remove_file(root.join("certs/ca.pem")).expect("removed");
    let text = fails(root, &["certs", "init", "--dir", "certs"], 1);
    assert!(text.starts_with("beamway: certs/ca-key.pem already exists"), "{text}");
    assert_eq!(fs::read(root.join("certs/ca-key.pem")).expect("a key"), before);

    let folder = certified();
    let root = folder.path();
    let before = fs::read(root.join("certs/left/key.pem")).expect("a key");
    let text = fails(root, &["certs", "issue", "--dir", "certs", "new", "LEFT"], 1);
    assert!(
        text.contains("certs/left already exists") && text.contains("mv certs/left certs/left.old"),
        "{text}"
    );
    assert!(!root.join("certs/new").exists(), "one refused name refuses all");
    assert_eq!(fs::read(root.join("certs/left/key.pem")).expect("a key"), before);
    // What the message advises works.
    fs::rename(root.join("certs/left"), root.join("certs/left.old")).expect("moved");
    works(root, &["certs", "issue", "--dir", "certs", "left"]);
}

#[test]
fn bad_names_and_missing_authorities_are_refused() {
    let folder = certified();
    let root = folder.path();
    for name in ["../evil", "a b", "", ".", "127.0.0.1", "*.example.com", "a@host"] {
        let text = fails(root, &["certs", "issue", "--dir", "certs", "good", name], 1);
        assert!(text.contains("cannot name a daemon"), "{name}: {text}");
    }
    assert!(fails(root, &["certs", "issue", "--dir", "certs", "x", "X"], 1).contains("given twice"));
    assert!(fails(root, &["certs", "issue", "--dir", "certs", "--days", "826", "x"], 1).contains("1 to 825 days"));
    let text = fails(root, &["certs", "issue", "--dir", "nowhere", "x"], 1);
    assert!(
        text.contains("cannot read nowhere/ca.pem") && text.contains("certs init --dir nowhere"),
        "{text}"
    );
    fs::copy(root.join("certs/left/key.pem"), root.join("certs/ca-key.pem")).expect("copied");
    let text = fails(root, &["certs", "issue", "--dir", "certs", "x"], 1);
    assert!(
        text.contains("does not belong to the certificate of the authority"),
        "{text}"
    );
    assert!(!root.join("certs/x").exists() && !root.join("certs/good").exists());
}

#[test]
fn a_good_file_says_what_it_means() {
    let folder = certified();
    fs::write(folder.path().join("left.toml"), CONFIG).expect("written");
    let text = works(folder.path(), &["check", "--config", "left.toml"]);
    assert!(
        text.starts_with("left.toml: ok: left on 127.0.0.1:4471, 16 lanes, peers: right; "),
        "{text}"
    );
    let (_, memory) = text.split_once('\n').expect("a second line");
    let (_, files) = memory.split_once('\n').expect("a third line");
    assert!(
        files.starts_with("open files: at most ") && files.contains(" circuits)"),
        "{text}"
    );
    assert!(
        memory.starts_with("memory: at most 64MiB per circuit, 1GiB for all local nodes; "),
        "{text}"
    );
}

#[test]
fn what_the_policy_says_of_nodes_is_printed() {
    let folder = certified();
    let rules = "[[policy]]\nfrom = \"web@*\"\nto = \"db@*\"\naction = \"deny\"\n\
                 [[policy]]\nfrom = \"batch@*\"\nto = \"*@*\"\nrate = \"20MB/s\"\npriority = \"low\"\n";
    fs::write(folder.path().join("left.toml"), format!("{CONFIG}\n{rules}")).expect("written");
    let text = works(folder.path(), &["check", "--config", "left.toml"]);
    assert!(text.contains("policy: 2 rules"), "{text}");
    let nodes = ["check", "--config", "left.toml", "web@h1", "db@h2", "batch@h1"];
    let text = works(folder.path(), &nodes);
    for row in [
        "web@h1    db@h2     denied (1)  -           -      -",
        "db@h2     web@h1    denied (1)  -           -      -",
        "batch@h1  db@h2     allowed     20MB/s (2)  2.0MB  low (2)",
        "db@h2     batch@h1  allowed     -           -      normal",
    ] {
        assert!(text.lines().any(|line| line == row), "{row}\n{text}");
    }
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    let json = works(folder.path(), &[&nodes[..], &["--json"]].concat());
    assert!(json.contains("\"action\": \"deny\",\n    \"action_rule\": 1"), "{json}");
    let text = fails(folder.path(), &["check", "--config", "left.toml", "web"], 1);
    assert!(text.contains("\"web\" is not the name of a node"), "{text}");
}

#[test]
fn all_mistakes_are_told_at_once_certificates_included() {
    let folder = certified();
    let bad = CONFIG
        .replace("name   = \"left\"", "name = \"middle\"")
        .replace("lanes  = 16", "lanes = 0\nlane = 1")
        .replace("127.0.0.1:4472", "127.0.0.1");
    fs::write(folder.path().join("bad.toml"), bad).expect("written");
    for command in ["check", "run"] {
        let text = fails(folder.path(), &[command, "--config", "bad.toml"], 1);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(
            lines[0],
            "bad.toml: line 6: gateway.lanes = 0: not allowed; allowed: a whole number from 1 to 64"
        );
        assert!(
            lines[1].starts_with("bad.toml: line 7: gateway.lane = 1: unknown key; allowed: the keys "),
            "{text}"
        );
        assert!(
            lines[2].starts_with("bad.toml: line 15: peer[1].address = \"127.0.0.1\": "),
            "{text}"
        );
        assert!(
            lines[3].starts_with(
                "bad.toml: gateway.certs = \"certs/left\": certs/left/cert.pem: issued for `left`, not for `middle`"
            ),
            "{text}"
        );
    }
}

#[test]
fn certificates_are_looked_for_beside_the_file_then_here() {
    let folder = certified();
    let root = folder.path();
    fs::create_dir(root.join("etc")).expect("made");
    fs::write(root.join("etc/left.toml"), CONFIG).expect("written");
    let check = ["check", "--config", "etc/left.toml"];
    works(root, &check);
    // A folder beside the file comes first, even if what it holds is worse.
    fs::create_dir_all(root.join("etc/certs/left")).expect("made");
    let text = fails(root, &check, 1);
    assert_eq!(text.lines().count(), 3, "{text}");
    for (line, file) in text.lines().zip(["ca.pem", "cert.pem", "key.pem"]) {
        assert!(
            line.contains(&format!("etc/certs/left/{file} cannot be read")),
            "{line}"
        );
    }
    fs::write(root.join("etc/left.toml"), CONFIG.replace("certs/left", "none")).expect("written");
    let text = fails(root, &check, 1);
    assert!(text.contains("gateway.certs = \"none\": no folder etc/none"), "{text}");
}

#[test]
fn certificates_out_of_their_time_are_told() {
    let folder = folder();
    let root = folder.path();
    let made = SystemTime::now() - Duration::from_secs(100 * 24 * 60 * 60);
    let authority = Authority::create(made).expect("an authority");
    let issued = authority.issue("left", 90, made).expect("a certificate");
    fs::create_dir_all(root.join("certs/left")).expect("made");
    fs::write(root.join("certs/left/ca.pem"), authority.certificate_pem()).expect("written");
    fs::write(root.join("certs/left/cert.pem"), issued.certificate_pem).expect("written");
    fs::write(root.join("certs/left/key.pem"), issued.key_pem).expect("written");
    set_mode(&root.join("certs/left/key.pem"), 0o600);
    fs::write(root.join("left.toml"), CONFIG).expect("written");
    let text = fails(root, &["check", "--config", "left.toml"], 1);
    assert!(text.contains("certs/left/cert.pem: expired on "), "{text}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = certified();
    let root = folder.path();
    fs::write(root.join("left.toml"), CONFIG).expect("written");
    let key = root.join("certs/left/key.pem");
    for mode in [0o644, 0o604, 0o660] {
        set_mode(&key, mode);
        for command in ["check", "run"] {
            let text = fails(root, &[command, "--config", "left.toml"], 1);
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(
                text.contains("certs/left/key.pem can be read or changed by ") && text.contains("`chmod 600 "),
                "{command} {mode:o}: {text}"
            );
        }
    }
    set_mode(&key, 0o400);
    works(root, &["check", "--config", "left.toml"]);
    set_mode(&root.join("certs/ca-key.pem"), 0o644);
    let text = fails(root, &["certs", "issue", "--dir", "certs", "new"], 1);
    assert!(text.contains("certs/ca-key.pem can be read"), "{text}");
}

/// The command that `beamway check` prints is followed to the letter.
#[test]
fn a_certificate_that_does_not_name_the_hosts_of_nodes_is_told_with_the_remedy() {
    let folder = certified();
    let root = folder.path();
    let config = CONFIG.replace("[\"127.0.0.1\"]", "[\"127.0.0.1\", \"host1\", \"left\"]");
    fs::write(root.join("left.toml"), config).expect("written");
    let text = works(root, &["check", "--config", "left.toml"]);
    let (_, warning) = text.split_once("warning: ").expect("a warning");
    assert!(
        warning.contains("does not name these hosts of nodes: 127.0.0.1, host1;"),
        "{text}"
    );
    let (_, command) = warning.trim_end().split_once(": beamway ").expect("a command");
    assert_eq!(command, "certs issue --dir DIR --host 127.0.0.1 --host host1 left");
    fs::rename(root.join("certs/left"), root.join("certs/left.old")).expect("moved");
    let words: Vec<&str> = command
        .split(' ')
        .map(|word| if word == "DIR" { "certs" } else { word })
        .collect();
    works(root, &words);
    let text = works(root, &["check", "--config", "left.toml"]);
    assert!(!text.contains("warning"), "{text}");
    assert!(
        text.contains("dialling in: every daemon with a certificate") && text.contains("`[accept] names`"),
        "{text}"
    );
    // A name of another daemon would let this one pass for it.
    let text = fails(root, &["certs", "issue", "--dir", "certs", "--host", "right", "new"], 1);
    assert!(text.contains("`right` is the name of a daemon"), "{text}");
    for host in ["*.example.com", "a b", "host:1"] {
        fails(root, &["certs", "issue", "--dir", "certs", "--host", host, "new"], 1);
    }
    assert!(!root.join("certs/new").exists());
}

/// A root, an intermediate and a daemon's certificate, all by openssl, with a key of the given kind.
fn by_openssl(root: &Path, key: &str) {
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        root,
        &format!("req -x509 {curve} -keyout root.key -out root.pem -subj /CN=root -days 30"),
    );
    fs::write(
        root.join("ca.ext"),
        "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n",
    )
    .expect("written");
    fs::write(
        root.join("leaf.ext"),
        "subjectAltName=DNS:left\nextendedKeyUsage=serverAuth,clientAuth\n",
    )
    .expect("written");
    openssl(
        root,
        &format!("req {curve} -keyout middle.key -out middle.csr -subj /CN=middle"),
    );
    let sign = "x509 -req -days 20 -CAcreateserial";
    openssl(
        root,
        &format!("{sign} -in middle.csr -CA root.pem -CAkey root.key -extfile ca.ext -out middle.pem"),
    );
    let dir = root.join("certs/left");
    fs::create_dir_all(&dir).expect("made");
    openssl(root, key);
    openssl(root, "req -new -key certs/left/key.pem -out left.csr -subj /CN=left");
    openssl(
        root,
        &format!("{sign} -in left.csr -CA middle.pem -CAkey middle.key -extfile leaf.ext -out left.pem"),
    );
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("a file of openssl");
    fs::write(dir.join("ca.pem"), read("root.pem")).expect("written");
    fs::write(dir.join("cert.pem"), read("left.pem") + &read("middle.pem")).expect("written");
}

#[test]
fn an_authority_of_ones_own_works_with_every_kind_of_key() {
    if !openssl_is_here() {
        return;
    }
    for (key, label) in [
        ("genpkey -algorithm ed25519 -out certs/left/key.pem", "PRIVATE KEY"),
        ("genrsa -traditional -out certs/left/key.pem 2048", "RSA PRIVATE KEY"),
        (
            "ecparam -name secp384r1 -genkey -out certs/left/key.pem",
            "EC PRIVATE KEY",
        ),
    ] {
        let folder = folder();
        by_openssl(folder.path(), key);
        let text = fs::read_to_string(folder.path().join("certs/left/key.pem")).expect("a key");
        assert!(text.contains(&format!("-----BEGIN {label}-----")), "{text}");
        fs::write(folder.path().join("left.toml"), CONFIG).expect("written");
        works(folder.path(), &["check", "--config", "left.toml"]);
    }
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let folder = folder();
    let root = folder.path();
    let text = fails(root, &["check", "--config", "none.toml"], 1);
    assert!(text.starts_with("none.toml cannot be read: "), "{text}");
    // A folder, or a pipe nobody writes to, is not waited for.
    let text = fails(root, &["run", "--config", "."], 1);
    assert!(text.contains("not a file"), "{text}");
    fs::write(root.join("binary.toml"), [0xff, 0xfe]).expect("written");
    assert_eq!(
        fails(root, &["check", "--config", "binary.toml"], 1),
        "binary.toml: not UTF-8 at byte 0\n"
    );
}

#[test]
fn the_log_filter_must_be_one() {
    let folder = certified();
    fs::write(folder.path().join("left.toml"), CONFIG).expect("written");
    let output = beamway(folder.path())
        .args(["run", "--config", "left.toml"])
        .env("RUST_LOG", "beamway=loud")
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("RUST_LOG"), "{output:?}");
}

/// Registers `name` and goes again, as a node does that starts and ends (ALIVE2_REQ).
fn come_and_go(port: u16, name: &str) -> std::io::Result<()> {
    let mut request = vec![120, 0x12, 0x34, 77, 0, 0, 6, 0, 5, 0, name.len() as u8];
    request.extend_from_slice(name.as_bytes());
    request.extend_from_slice(&[0, 0]);
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&(request.len() as u16).to_be_bytes())?;
    stream.write_all(&request)?;
    stream.read_exact(&mut [0; 2])
}

/// A full disk, a stopped collector: lines are lost, signals are not held up.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    /// Each writes two lines of about 100 bytes; a pipe holds 64 KiB.
    const NODES: u32 = 2000;
    let folder = certified();
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let config = CONFIG
        .replace("127.0.0.1:4471", "127.0.0.1:0")
        .replace("127.0.0.1:4369", &format!("127.0.0.1:{port}"));
    fs::write(folder.path().join("left.toml"), config).expect("written");
    let mut daemon = beamway(folder.path())
        .args(["run", "--config", "left.toml"])
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut banner = String::new();
    let mut stdout = BufReader::new(daemon.stdout.take().expect("captured"));
    stdout.read_line(&mut banner).expect("a banner");
    let served = (0..NODES).try_for_each(|number| come_and_go(port, &format!("n{number}")));
    daemon.kill().expect("it runs");
    let output = daemon.wait_with_output().expect("it has ended");
    served.unwrap_or_else(|error| {
        panic!(
            "{error}; the log begins {:.300}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    assert!(
        output.stderr.len() > 60_000,
        "the pipe was full: {} bytes",
        output.stderr.len()
    );
}

/// All that the daemon prints as JSON, on standard output and then on standard error, from its start to its end.
fn logged_as_json(root: &Path, config: &str) -> (Option<i32>, Vec<serde_json::Value>) {
    fs::write(root.join("left.toml"), config).expect("written");
    let arguments = ["run", "--config", "left.toml", "--log", "json", "--until-input-ends"];
    let output = beamway(root)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = out(&output) + &complaint(&output);
    let lines = text.lines().map(|line| {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{parsed:?}: {line}");
        let parsed = parsed.expect("JSON");
        for key in ["timestamp", "level", "fields", "target"] {
            assert!(parsed.get(key).is_some(), "{line}");
        }
        parsed
    });
    (output.status.code(), lines.collect())
}

/// From the first line to the last, also when the daemon cannot serve; and what is a list is one.
#[test]
fn a_log_in_json_has_nothing_but_json() {
    let folder = certified();
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port");
    let config = CONFIG
        .replace("127.0.0.1:4471", "127.0.0.1:0")
        .replace("127.0.0.1:4369", &port.to_string());
    let (status, lines) = logged_as_json(folder.path(), &config);
    assert_eq!(status, Some(0), "{lines:?}");
    let serves = lines
        .iter()
        .find(|line| line["fields"]["message"] == "the daemon serves");
    let fields = &serves.unwrap_or_else(|| panic!("{lines:?}"))["fields"];
    assert_eq!(fields["hosts"], serde_json::json!(["127.0.0.1"]));
    assert_eq!(fields["port_mapper"], serde_json::json!([port.to_string()]));
    assert_eq!(fields["peers"], serde_json::json!(["right at 127.0.0.1:4472"]));
    assert_eq!(fields["lanes"], 16);
    // Another program has the port.
    let _taken = TcpListener::bind(port).expect("free again");
    let (status, lines) = logged_as_json(folder.path(), &config);
    assert_eq!(status, Some(1), "{lines:?}");
    let last = lines.last().expect("a line");
    assert!(
        last["level"] == "ERROR"
            && last["fields"]["error"]
                .as_str()
                .is_some_and(|text| text.contains("port mapper"))
    );
    // The file itself is wrong.
    let (status, lines) = logged_as_json(folder.path(), "[gateway]\n");
    assert_eq!(status, Some(1));
    assert!(
        lines.iter().all(|line| line["level"] == "ERROR") && lines.len() > 1,
        "{lines:?}"
    );
}

#[test]
fn wrong_usage_is_status_2() {
    let folder = folder();
    for arguments in [
        &[][..],
        &["fly"],
        &["run"],
        &["check"],
        &["certs"],
        &["certs", "issue", "--dir", "x"],
        &["run", "--config", "x", "--log", "xml"],
        &["run", "--config", "x", "--log-level", "loud"],
    ] {
        let text = fails(folder.path(), arguments, 2);
        assert!(
            text.contains("Usage") || text.contains("error"),
            "{arguments:?}: {text}"
        );
    }
    let text = fails(folder.path(), &["run", "--config", "x", "--log-level", "loud"], 2);
    assert!(text.contains("off, error, warn, info, debug or trace"), "{text}");
    // A build for others adds the commit and its day; see `packaging`.
    let version = works(folder.path(), &["--version"]);
    let alone = concat!("beamway ", env!("CARGO_PKG_VERSION"));
    let commit = version.strip_prefix(alone).map(str::trim_end);
    assert!(
        commit.is_some_and(|commit| commit.is_empty() || commit.starts_with(" (") && commit.ends_with(')')),
        "{version}"
    );
}

#[test]
fn the_line_with_faults_is_a_hidden_tool_that_says_what_it_needs() {
    let folder = folder();
    let help = works(folder.path(), &["--help"]);
    assert!(!help.contains("linkem"), "{help}");
    let ends = ["linkem", "--left", "beamway-cli-l", "--right", "beamway-cli-r"];
    let text = fails(folder.path(), &[&ends[..], &["--line", "loss=5"]].concat(), 1);
    assert!(text.starts_with("beamway: loss=5: allowed: a percentage"), "{text}");
    if !nix::unistd::geteuid().is_root() {
        let text = fails(folder.path(), &ends, 2);
        assert!(text.contains("run this as root"), "{text}");
    }
}

#[test]
fn a_simulation_is_one_line_and_one_seed_is_one_trace() {
    let folder = folder();
    let arguments = ["sim", "--seed", "1", "--json"];
    let (one, other) = (run(folder.path(), &arguments), run(folder.path(), &arguments));
    assert!(one.status.success(), "{}", complaint(&one));
    assert_eq!(out(&one).lines().count(), 1);
    assert_eq!(out(&one), out(&other));
    let figures: serde_json::Value = serde_json::from_str(&out(&one)).expect("JSON");
    assert_eq!((&figures["seeds"], &figures["lost"]), (&1.into(), &0.into()));
    let traced = out(&run(folder.path(), &["sim", "--seed", "1"]));
    assert!(traced.contains("0: a session with 1 begins"), "{traced}");
    let last = traced.lines().last().expect("a line of figures");
    assert!(
        last.contains("lost 0, duplicated 0, reordered 0") && last.ends_with("0 failed"),
        "{last}"
    );
    let help = out(&run(folder.path(), &["--help"]));
    assert!(!help.contains("sim"), "it is for those who change the code: {help}");
}
