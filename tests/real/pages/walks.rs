//! What readers do.

use std::fs;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::page::Block;
use super::page::find;
use super::walk::Machine;
use super::walk::Machines;
use super::walk::PATIENCE;
use super::walk::Walk;
use super::walk::await_shell;
use super::walk::type_erlang;
use crate::harness::BEAMWAY;
use crate::harness::Process;
use crate::harness::library;

const ATTACH: &str = "docs/ATTACH.md";
const ERLANG: &str = "erlang/README.md";

/// The only terminal of a block.
pub(super) fn one(terminals: Vec<Process>) -> Process {
    let [terminal] = <[Process; 1]>::try_from(terminals).unwrap_or_else(|all| panic!("{} terminals", all.len()));
    terminal
}

#[test]
fn two_nodes_on_one_machine() {
    let mut walk = Walk::of("two nodes on one machine");
    let Some(mut machines) = Machines::boot() else { return };
    let machine = &mut machines.all[0];
    machine.type_block(&walk.take(ATTACH, "cargo build"));
    machine.save("left.toml", &walk.take(ATTACH, "[gateway]\nname   = \"left\""));
    machine.save("right.toml", &walk.take(ATTACH, "[gateway]\nname   = \"right\""));
    let gateways = machine.type_block(&walk.take(ATTACH, "beamway check"));
    assert_eq!(gateways.len(), 2);
    let mut nodes = machine.type_block(&walk.take(ATTACH, "ERL_EPMD_PORT=5002"));
    nodes.iter_mut().for_each(await_shell);
    let [b, a] = &mut nodes[..] else { panic!("two nodes") };
    type_erlang(a, &walk.take(ATTACH, "net_adm:ping"));
    let elixir = walk.take(ATTACH, "ERL_EPMD_PORT=5001 elixir");
    assert_eq!(machine.run(&elixir.text).trim(), "pong");
    b.type_line("register(orders, self()), io:format(\"~s~n\", [\"taken\"]).");
    b.await_log("taken", PATIENCE);
    let block = walk.take("README.md", "beamway ping");
    let said: Vec<String> = block.text.lines().map(|line| machine.run(line)).collect();
    assert!(said[0].starts_with("pong: b@127.0.0.1 answers"), "{said:?}");
    assert_eq!(said[1], "42\n");
    b.type_line("receive Order -> io:format(\"~p~n\", [Order]) end.");
    b.await_log("{cancel,17}", PATIENCE);
    // As both pages say: nothing was open to other machines, and everything went over the gateways.
    for gateway in gateways {
        let log = gateway.log();
        assert!(!log.iter().any(|line| line.contains("unencrypted")), "{log:#?}");
        assert!(log.iter().any(|line| line.contains("a circuit has begun")), "{log:#?}");
    }
    walk.end();
}

#[test]
fn two_hosts() {
    let mut walk = Walk::of("two hosts");
    let Some(mut machines) = Machines::boot() else { return };
    let shared = machines.folder.path().join("shared");
    let [first, second] = &mut machines.all[..] else {
        panic!("two machines")
    };
    first.type_block(&walk.take(ATTACH, "beamway certs init"));
    let (check, mut gateways) = (walk.take(ATTACH, "beamway check --config /etc"), Vec::new());
    for (machine, host, name) in [
        (&mut *first, "host1.example", "gw1"),
        (&mut *second, "host2.example", "gw2"),
    ] {
        let copied = shared.join(host).join("etc/beamway");
        machine.run(&format!(
            "mkdir -p /etc/beamway; cp -rp {}/. /etc/beamway/",
            copied.display()
        ));
        machine.save(
            "/etc/beamway/gateway.toml",
            &walk.take(ATTACH, &format!("[gateway]\nname   = \"{name}\"")),
        );
        gateways.push(one(machine.type_block(&check)));
    }
    let mut b = one(second.type_block(&walk.take(
        ATTACH,
        "mkdir -p ebin && erlc -o ebin erlang/src/beamway_epmd.erl\nerl -name b@",
    )));
    let mut a = one(first.type_block(&walk.take(
        ATTACH,
        "mkdir -p ebin && erlc -o ebin erlang/src/beamway_epmd.erl\nerl -name a@",
    )));
    await_shell(&mut b);
    await_shell(&mut a);
    type_erlang(&mut a, &walk.take(ATTACH, "net_adm:ping('b@host2.example')"));
    type_erlang(&mut a, &walk.take(ATTACH, "{ok, _, Node} = peer"));
    for gateway in &gateways {
        gateway.await_log("a circuit has begun", PATIENCE);
        let log = gateway.log();
        assert!(!log.iter().any(|line| line.contains("unencrypted")), "{log:#?}");
    }
    // A node of C finds the far host at loopback.
    let file = walk.take(ATTACH, "127.0.0.1  host2.example");
    first.run(&format!(
        "sed -i /host2.example/d /etc/hosts; echo '{}' >> /etc/hosts",
        file.text.trim()
    ));
    let block = walk.take(ATTACH, "erl_call");
    assert_eq!(first.run(&block.text).trim(), "'b@host2.example'");
    // The command of the Erlang page has the name of the first node.
    drop(a);
    let mut again = one(first.type_block(&walk.take(ERLANG, "ERL_EPMD_PORT=4369")));
    await_shell(&mut again);
    again.type_line("io:format(\"~s~n\", [net_adm:ping('b@host2.example')]).");
    again.await_log("pong", PATIENCE);
    walk.end();
}

#[test]
fn in_the_vm() {
    let mut walk = Walk::of("in the VM");
    let Some(mut machines) = Machines::boot() else { return };
    let machine = &mut machines.all[0];
    build_for_vms(machine, &walk.take(ERLANG, "erlang/build").text);
    machine.type_block(&walk.take(ERLANG, "beamway certs init"));
    machine.save("left.toml", &walk.take(ERLANG, "# left.toml"));
    machine.save("right.toml", &walk.take(ERLANG, "# right.toml"));
    let mut nodes = machine.type_block(&walk.take(ERLANG, "erl -pa erlang/ebin -proto_dist"));
    nodes.iter_mut().for_each(await_shell);
    let [_, a] = &mut nodes[..] else { panic!("two nodes") };
    a.type_line("io:format(\"~s~n\", [net_adm:ping('b@127.0.0.1')]).");
    a.await_log("pong", PATIENCE);
    a.type_line("io:format(\"~p~n\", [[maps:get(node, C) || C <- maps:get(circuits, beamway:info())]]).");
    a.await_log("[<<\"b@127.0.0.1\">>]", PATIENCE);
    a.type_line("io:format(\"~p~n\", [beamway:names(\"127.0.0.1\")]).");
    a.await_log("['a@127.0.0.1','b@127.0.0.1']", PATIENCE);
    // Several nodes on one host.
    let mut ports = walk.take(ERLANG, "[hosts]");
    let gateway = "[gateway]\nname = \"left\"\nlisten = \"127.0.0.1:4472\"\ncerts = \"certs/left\"\n\n";
    ports.text.insert_str(0, gateway);
    machine.save("ports.toml", &ports);
    machine.run("beamway check --config ports.toml");
    // Two hosts.
    machine.type_block(&walk.take(ERLANG, "beamway certs issue --dir certs host1"));
    let file = walk.take(ERLANG, "# node.toml");
    let erl = walk.take(ERLANG, "erl -name a@host1.example");
    let [first, second] = &mut machines.all[..] else {
        panic!("two machines")
    };
    second.run(&format!(
        "rm erlang; cp -r {0}/certs {0}/erlang .",
        first.folder.display()
    ));
    first.save("node.toml", &file);
    let mut other = file.clone();
    other.text = file.text.replace("host1.example", "host2.example");
    second.save("node.toml", &other);
    let mut there = erl.clone();
    there.text = erl.text.replace("a@host1.example", "b@host2.example");
    let mut b = one(second.type_block(&there));
    let mut a = one(first.type_block(&erl));
    await_shell(&mut b);
    await_shell(&mut a);
    a.type_line("io:format(\"~s~n\", [net_adm:ping('b@host2.example')]).");
    a.await_log("pong", PATIENCE);
    // The same on the first page, with the cookie of the file.
    drop(a);
    let mut again = one(first.type_block(&walk.take("README.md", "erl -name a@host1.example")));
    await_shell(&mut again);
    again.type_line("io:format(\"~s~n\", [net_adm:ping('b@host2.example')]).");
    again.await_log("pong", PATIENCE);
    walk.end();
}

/// What the reader builds stays on the machine, and Cargo has left the library there.
pub(super) fn build_for_vms(machine: &Machine, build: &str) {
    machine.run(&format!(
        "cp -rL erlang own; rm erlang; mv own erlang; rm -rf erlang/ebin erlang/priv; ln -s {} target/release/libbeamway_nif.so",
        library().display()
    ));
    machine.run(build);
}

#[test]
fn at_boot() {
    let mut walk = Walk::of("at boot");
    let Some(mut machines) = Machines::boot() else { return };
    let machine = &mut machines.all[0];
    machine.run("beamway certs init --dir certs; beamway certs issue --dir certs --host host1.example gw1");
    machine.run("mkdir -p /etc/beamway; cp -rp certs/gw1/. /etc/beamway/");
    // The user of the service may have no way into the folder of the build.
    machine.run(&format!("cp --remove-destination {BEAMWAY} /usr/local/bin/beamway"));
    machine.save(
        "/etc/beamway/gateway.toml",
        &find(ATTACH, "[gateway]\nname   = \"gw1\""),
    );
    let unit = walk.take(ATTACH, "[Unit]");
    machine.save("/etc/systemd/system/beamway.service", &unit);
    machine.type_block(&walk.take(ATTACH, "useradd"));
    serve_as(machine, &unit);
    // A log that is truncated in place goes on at its beginning.
    assert!(
        walk.take(ATTACH, "/var/log/beamway.log {")
            .text
            .contains("copytruncate")
    );
    let gateway = one(machine.type_block(&walk.take(ATTACH, "beamway run --config /etc/beamway/gateway.toml >>")));
    await_logged(machine, "a peer cannot be reached");
    machine.run(": > /var/log/beamway.log");
    gateway.signal(Signal::SIGTERM);
    let log = await_logged(machine, "stopping");
    assert!(!log.contains('\0'), "no hole where the text was: {log:?}");
    walk.end();
}

/// Does what the service manager does with a unit.
fn serve_as(machine: &Machine, unit: &Block) {
    if machine.run("command -v systemd-analyze || true").is_empty() {
        eprintln!("SKIPPED: the unit is not verified, since systemd-analyze is not installed");
    } else {
        let said = machine.run("systemd-analyze verify --man=no /etc/systemd/system/beamway.service 2>&1");
        assert!(!said.contains("beamway.service"), "{said}");
    }
    let of_unit = |key: &str| {
        let lines = unit.text.lines();
        let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let value = values.next();
        value.unwrap_or_else(|| panic!("the unit has no {key}"))
    };
    // The key is readable by this user alone, who can do what the unit has it do.
    let as_user = format!("setpriv --reuid={0} --regid={0} --clear-groups", of_unit("User"));
    machine.run(&format!("{as_user} {}", of_unit("ExecStartPre")));
    let mut service = machine.open(&format!("{as_user} {}", of_unit("ExecStart")));
    service.await_log(" lanes, ", PATIENCE);
    service.signal(Signal::SIGTERM);
    assert!(service.wait(PATIENCE).success());
}

/// Waits until the log file has this text. Gives all of it.
fn await_logged(machine: &Machine, text: &str) -> String {
    let began = Instant::now();
    loop {
        // The shell of the gateway creates it.
        let log = machine.run("cat /var/log/beamway.log || true");
        if log.contains(text) {
            return log;
        }
        assert!(began.elapsed() < PATIENCE, "{text:?} is not in {log:?}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn files() {
    let mut walk = Walk::of("files");
    let Some(mut machines) = Machines::boot() else { return };
    let machine = &mut machines.all[0];
    machine.run("beamway certs init --dir certs; beamway certs issue --dir certs left one");
    machine.save("whole.toml", &walk.take("docs/CONFIGURATION.md", "[gateway]"));
    machine.save("one.toml", &walk.take("docs/APPLICATIONS.md", "# on one.test"));
    let gateway = "[gateway]\nname = \"left\"\nlisten = \"127.0.0.1:0\"\ncerts = \"certs/left\"\n\n";
    for (file, start) in [("a.toml", "# on the host of a\n"), ("b.toml", "# on the host of b,")] {
        let mut block = walk.take(ATTACH, start);
        block.text.insert_str(0, gateway);
        machine.save(file, &block);
    }
    for file in ["whole", "one", "a", "b"] {
        machine.run(&format!("beamway check --config {file}.toml"));
    }
    // From OTP 27.2 on the parameter counts; before, it is ignored.
    machine.save("sys.config", &walk.take(ATTACH, "[{kernel, [{epmd_module"));
    machine.run("mkdir -p ebin && erlc -o ebin erlang/src/beamway_epmd.erl");
    let asked = machine.run(
        "erl -noinput -config sys -pa ebin -eval 'io:format(\"~s ~s~n\", [erlang:system_info(otp_release), net_kernel:epmd_module()]), halt().'",
    );
    let (release, module) = asked.trim().split_once(' ').expect("two words");
    let expected = if release.parse::<u32>().is_ok_and(|release| release >= 27) {
        "beamway_epmd"
    } else {
        "erl_epmd"
    };
    assert_eq!(module, expected, "OTP {release}");
    walk.end();
}

#[test]
fn certificates() {
    const CERTS: &str = "certs/README.md";
    let mut walk = Walk::of("certificates");
    let Some(mut machines) = Machines::boot() else { return };
    let machine = &mut machines.all[0];
    machine.type_block(&walk.take(CERTS, "beamway certs init"));
    for line in walk.take(CERTS, "certs/ca.pem").text.lines() {
        let file = line.split_whitespace().next().expect("a file");
        assert!(
            file.starts_with("certs/right") || machine.folder.join(file).is_file(),
            "no {file}"
        );
    }
    let mut block = walk.take(CERTS, "[gateway]");
    block
        .text
        .push_str("listen = \"127.0.0.1:0\"\n\n[epmd]\nhosts = [\"host1.example\"]\n");
    machine.save("left.toml", &block);
    let before = machine.run("beamway check --config left.toml");
    assert!(!before.contains("does not name"), "{before}");
    let key = fs::read(machine.folder.join("certs/left/key.pem")).expect("a key");
    machine.type_block(&walk.take(CERTS, "beamway certs renew"));
    let after = machine.run("beamway check --config left.toml");
    assert!(!after.contains("does not name"), "{after}");
    assert_ne!(fs::read(machine.folder.join("certs/left/key.pem")).expect("a key"), key);
    machine.run("beamway certs issue --dir certs right");
    machine.type_block(&walk.take(CERTS, "beamway certs revoke"));
    machine.run("cp certs/crl.pem certs/left; beamway check --config left.toml");
    walk.end();
}

/// Two ways to find peers, beside the one that is listed.
fn ways_to_find_peers(walk: &mut Walk, machine: &Machine) {
    for (block, told) in [
        (
            "[[discover]]\ndns = ",
            "finding peers: dns beamway.example.com port 4471",
        ),
        ("[[discover]]\ndns      = ", "what peers tell"),
    ] {
        let way = walk.take("docs/OPERATING.md", block);
        machine.run(&format!(
            "{{ cat left.toml; cat <<'END'\n{}\nEND\n}} > found.toml",
            way.text
        ));
        let checked = machine.run("beamway check --config found.toml");
        assert!(checked.contains(told), "{checked}");
    }
}

/// Two gateways on one machine, which are watched, changed, and told that one of them is shut out.
#[test]
fn operating() {
    const OPERATING: &str = "docs/OPERATING.md";
    let mut walk = Walk::of("operating");
    let Some(mut machines) = Machines::boot() else { return };
    let machine = &mut machines.all[0];
    machine.run("beamway certs init --dir certs; beamway certs issue --dir certs --host 127.0.0.1 left right");
    let text = |name: &str, port: u16, epmd: u16, peer: &str, other: u16| {
        format!(
            "[gateway]\nname = \"{name}\"\nlisten = \"127.0.0.1:{port}\"\ncerts = \"certs/{name}\"\n[epmd]\nlisten = \"127.0.0.1:{epmd}\"\n\
             hosts = [\"127.0.0.1\"]\n[[peer]]\nname = \"{peer}\"\naddress = \"127.0.0.1:{other}\"\n"
        )
    };
    let mut left = walk.take(OPERATING, "[admin]");
    left.text.push_str(&text("left", 4471, 5001, "right", 4472));
    machine.save("left.toml", &left);
    fs::write(
        machine.folder.join("right.toml"),
        text("right", 4472, 5002, "left", 4471),
    )
    .expect("room");
    let run = |name: &str| {
        let terminal = machine.open(&format!("beamway run --config {name}.toml"));
        terminal.await_log(" lanes, ", PATIENCE);
        terminal
    };
    let terminals = ["left", "right"].map(run);
    let line = |block: &Block| block.text.trim().to_owned();
    let status = line(&walk.take(OPERATING, "beamway status"));
    await_said(machine, &status, "right  up");
    let doctor = machine.run(&line(&walk.take(OPERATING, "beamway doctor")));
    assert!(
        doctor.contains("right answers at 127.0.0.1:4472") && doctor.contains("0 failures"),
        "{doctor}"
    );
    ways_to_find_peers(&mut walk, machine);
    let rules = walk.take("docs/CONFIGURATION.md", "[[policy]]");
    machine.run(&format!("cat >> left.toml <<'END'\n{}\nEND", rules.text));
    let matrix = machine.run(&line(&walk.take(OPERATING, "beamway check")));
    for row in [
        "web-1@host1  db@host2     denied (2)",
        "batch@host1  db@host2     allowed      20MB/s (3)  2.0MB  low (3)",
    ] {
        assert!(matrix.contains(row), "{matrix}");
    }
    let before = machine.run(&line(&walk.take("docs/UPGRADING.md", "beamway --version")));
    assert!(
        before.contains("beamway 0.") && before.contains("0 failures"),
        "{before}"
    );
    machine.run(&line(&walk.take(OPERATING, "beamway certs renew")));
    let reload = line(&walk.take(OPERATING, "beamway reload"));
    let reloaded = machine.run(&reload);
    assert!(
        reloaded.contains("changed: ") && reloaded.contains("certificates"),
        "{reloaded}"
    );
    await_said(machine, &status, "right  up");
    machine.run(&line(&walk.take(OPERATING, "beamway certs revoke")));
    machine.run(&format!("cp certs/crl.pem certs/left; {reload}"));
    await_said(machine, &status, "! peer right cannot be reached");
    terminals[1].await_log("our certificate is revoked", PATIENCE);
    walk.end();
}

/// Repeats a command until it prints this.
fn await_said(machine: &Machine, command: &str, text: &str) {
    let began = Instant::now();
    loop {
        let said = machine.run(command);
        if said.contains(text) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{command} does not say {text:?}: {said}");
        sleep(Duration::from_millis(100));
    }
}

/// The dependency has the features that it asks for, and none of the program's dependencies.
#[test]
fn a_program_of_ones_own() {
    let mut walk = Walk::of("a program of one's own");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("program");
    fs::create_dir_all(program.join("src")).expect("a folder");
    std::os::unix::fs::symlink(root, folder.path().join("beamway")).expect("a link");
    let package = "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n";
    let text = package.to_owned() + &walk.take("docs/NODES.md", "[dependencies]").text;
    fs::write(program.join("Cargo.toml"), text).expect("a writable folder");
    fs::write(program.join("src/main.rs"), "fn main() {}\n").expect("a writable folder");
    fs::copy(root.join("Cargo.lock"), program.join("Cargo.lock")).expect("a copy");
    let mut tree = std::process::Command::new(env!("CARGO"));
    tree.current_dir(&program)
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"]);
    let output = tree.output().expect("cargo");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("beamway v") && said.contains("tokio v"), "{said}");
    assert!(!said.contains("clap v"), "{said}");
    walk.end();
}
