//! Configuration and certificates that change while gateways run: what the change does not concern loses nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Gateway;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::until;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A change that is not asked for is noticed within this.
const NOTICED: Duration = Duration::from_secs(12);

/// Changes the configuration file of a gateway.
fn edit(gateway: &Gateway, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(gateway.config()).expect("a file");
    fs::write(gateway.config(), change(text)).expect("room");
}

fn applied(gateway: &Gateway) -> u64 {
    gateway.status()["reloads"]["applied"].as_u64().expect("a number")
}

fn state(gateway: &Gateway, peer: &str) -> Option<String> {
    let status = gateway.status();
    let peers = status["peers"].as_array().expect("peers").iter();
    let mut found = peers.filter(|one| one["name"] == peer);
    found.next().and_then(|one| one["state"].as_str()).map(str::to_owned)
}

/// Numbers from a to b and back all the time, while `change` happens.
fn beside(a: &mut Node, b: &mut Node, seconds: u32, each: u32, change: impl FnOnce()) {
    each_way(a, b, |node, _| {
        node.eval("real:watch()");
    });
    each_way(a, b, |node, other| {
        node.begin(&format!("real_reload:ordered({other}, 16, {each}, {})", seconds * 1000));
    });
    change();
    for node in [&mut *a, &mut *b] {
        let done = node.finish("the numbers", Duration::from_secs(120));
        assert_eq!(done, Ok("ok".to_owned()), "numbers of {}", node.full_name());
    }
    each_way(a, b, |node, other| {
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} lost its partner", node.full_name());
    });
}

/// What a file says at one moment: each of the settings that a reload applies changes from one to the next.
fn variant(base: &str, gateway: usize, number: usize) -> String {
    let pick = |variants: &[&str]| variants[number % variants.len()].to_owned();
    let memory = pick(&["memory = \"256MiB\"", "memory = \"300MiB\"", ""]);
    let budget = pick(&["circuit_budget = \"16MiB\"", "circuit_budget = \"32MiB\""]);
    let mut text = base.replacen(
        "[admin]",
        &format!(
            "{memory}\n{budget}\nclose_deadline = \"{}s\"\n\n[admin]",
            5 + number % 3
        ),
        1,
    );
    text.push_str(&pick(&["\nallow = [\"*@127.0.0.1\"]\n", "\nallow = [\"*@*\"]\n", "\n"]));
    text.push_str(&pick(&[
        "[accept]\nnames = []\n",
        "[accept]\nnames = [\"third*\"]\n",
        "",
    ]));
    if number % 2 == 1 {
        let port = 4000 + gateway * 100 + number % 50;
        text.push_str(&format!("[[peer]]\nname = \"ghost\"\naddress = \"127.0.0.1:{port}\"\n"));
    }
    text.push_str(&pick(&["[log]\nlevel = \"debug\"\n", "[log]\nlevel = \"info\"\n"]));
    text + &pick(&["[session]\nreplay_budget = \"32MiB\"\n", ""])
}

/// Peers, who may dial in, limits, the level of the log, certificates, authorities and lists of revoked ones change every second at both
/// gateways, by SIGHUP and by command.
#[test]
fn a_million_numbers_while_everything_changes() {
    const CHANGES: usize = 15;
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
    let bases: Vec<String> = (0..2)
        .map(|site| fs::read_to_string(cluster.gateway(site).config()).expect("a file"))
        .collect();
    let certs = cluster.folder().join("certs");
    let another = cluster.folder().join("another");
    fs::create_dir(&another).expect("room");
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_beamway"))
        .args(["certs", "init", "--dir"])
        .arg(&another)
        .output();
    assert!(made.expect("a program").status.success());
    let other = cluster.certificates().issue("other");
    let began = Instant::now();
    beside(&mut a, &mut b, 15, 31_250, || {
        for number in 1..=CHANGES {
            for (site, base) in bases.iter().enumerate() {
                let name = ["left", "right"][site];
                cluster.certificates().renew(name, SystemTime::now(), 30);
                let own = fs::read_to_string(certs.join("ca.pem")).expect("an authority");
                let more = fs::read_to_string(another.join("ca.pem")).expect("an authority");
                let authorities = if number % 2 == 0 { own } else { own + &more };
                fs::write(certs.join(name).join("ca.pem"), authorities).expect("room");
                let text = variant(base, site, number);
                let gateway = cluster.gateway(site);
                fs::write(gateway.config(), text).expect("room");
                match number % 3 {
                    0 => gateway.process().signal(Signal::SIGHUP),
                    _ => {
                        let reloaded = gateway.reload();
                        assert_eq!(reloaded["mistakes"], json!([]), "change {number}");
                        let changed = reloaded["changed"].as_array().expect("a list").clone();
                        assert!(changed.contains(&json!("certificates")), "{reloaded}");
                        assert!(changed.len() > 3, "{reloaded}");
                    }
                }
            }
            if number == 5 {
                revoke(
                    &cluster,
                    &other.join("cert.pem").display().to_string(),
                    &["left", "right"],
                );
            }
            let due = began + Duration::from_secs(number as u64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    });
    for site in [0, 1] {
        let applied = applied(cluster.gateway(site));
        assert!(applied >= CHANGES as u64, "{applied} reloads");
    }
    cluster.assert_healthy();
}

/// Adds a certificate to the list of those that are revoked, and gives the list to these gateways.
fn revoke(cluster: &Cluster, name: &str, gateways: &[&str]) {
    let folder = cluster.certificates().folder();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_beamway"))
        .args(["certs", "revoke", "--dir"])
        .arg(folder)
        .arg(name)
        .output()
        .expect("a program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for gateway in gateways {
        fs::copy(folder.join("crl.pem"), folder.join(gateway).join("crl.pem")).expect("room");
    }
}

/// Both gateways get a new certificate 100 times under load. Each time the trunk is replaced, so that the peer sees it.
#[test]
fn certificates_are_renewed_under_load() {
    const RENEWALS: u32 = 100;
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
    beside(&mut a, &mut b, 15, 20_000, || {
        for number in 0..RENEWALS {
            let site = (number % 2) as usize;
            let from = SystemTime::now() - Duration::from_secs(u64::from(number) + 60);
            cluster.certificates().renew(["left", "right"][site], from, 30);
            assert_eq!(
                cluster.gateway(site).reload()["changed"],
                json!(["certificates"]),
                "renewal {number}"
            );
            thread::sleep(Duration::from_millis(100));
        }
    });
    let status = cluster.gateway(0).status();
    let right = &status["peers"][0];
    let trunks = right["trunks"].as_u64().expect("a number");
    assert!(trunks > u64::from(RENEWALS / 2), "{trunks} trunks");
    let shown = right["certificate_expires_timestamp_seconds"]
        .as_f64()
        .expect("a number");
    let own = cluster.gateway(1).status();
    let own = own["certificates"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["whose"] == "own")
        .cloned();
    assert_eq!(
        own.expect("one")["expires_timestamp_seconds"].as_f64(),
        Some(shown),
        "the last certificate is seen"
    );
    cluster.assert_healthy();
}

/// The daemon of a revoked certificate is shut out within five seconds, and told why.
#[test]
fn a_revoked_peer_is_shut_out() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Bridge);
    revoke(&cluster, "right", &["left"]);
    let began = Instant::now();
    until(Duration::from_secs(10), "the end of the session", || {
        state(cluster.gateway(0), "right").as_deref() == Some("down")
    });
    let took = began.elapsed();
    // The file is noticed within four seconds; a command or a signal needs milliseconds.
    assert!(took < Duration::from_secs(5), "{took:?}");
    a.await_nodes(&[], Duration::from_secs(5));
    assert_eq!(a.eval(&format!("net_adm:ping({})", b.atom())), "pang");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(
        state(cluster.gateway(0), "right").as_deref(),
        Some("down"),
        "it is not resumed"
    );
    cluster
        .gateway(1)
        .process()
        .await_log("our certificate is revoked (the peer's crl.pem)", NOTICED);
    // Another certificate of the same name is accepted.
    cluster.certificates().renew("right", SystemTime::now(), 30);
    cluster.gateway(1).reload();
    until(NOTICED, "another session", || {
        state(cluster.gateway(0), "right").as_deref() == Some("up")
    });
    // Whoever has a revoked certificate learns it at the start.
    revoke(&cluster, "right", &["right"]);
    let reloaded = cluster.gateway(1).reload();
    assert!(
        reloaded["mistakes"][0]
            .as_str()
            .is_some_and(|text| text.contains("revoked by crl.pem")),
        "{reloaded}"
    );
    cluster.assert_healthy();
}

/// A session ends when the certificate of the peer has expired, if the configuration does not say otherwise.
#[test]
fn an_expired_peer_is_shut_out_unless_it_is_kept() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Bridge);
    edit(cluster.gateway(1), |text| text + "\n[session]\nend_expired = false\n");
    assert_eq!(cluster.gateway(1).reload()["changed"], json!(["session.end_expired"]));
    let left = Duration::from_secs(6);
    cluster.certificates().renew("right", SystemTime::now() + left - DAY, 1);
    cluster
        .certificates()
        .renew("left", SystemTime::now() + left / 2 - DAY, 1);
    let began = Instant::now();
    for site in [0, 1] {
        assert_eq!(cluster.gateway(site).reload()["changed"], json!(["certificates"]));
    }
    until(left / 3, "the session on another trunk", || {
        let shown = cluster.gateway(0).status()["peers"][0]["certificate_expires_timestamp_seconds"].as_f64();
        shown.is_some_and(|shown| shown < timestamp(SystemTime::now() + left))
    });
    a.eval(&format!("real_connections:chat({})", b.atom()));
    thread::sleep((left * 2 / 3).saturating_sub(began.elapsed()));
    assert_eq!(
        state(cluster.gateway(1), "left").as_deref(),
        Some("up"),
        "the right gateway keeps an expired peer"
    );
    until(left * 2, "the end of the session", || {
        state(cluster.gateway(0), "right").as_deref() == Some("down")
    });
    assert!(began.elapsed() > left - Duration::from_secs(1), "{:?}", began.elapsed());
    a.await_nodes(&[], Duration::from_secs(5));
    assert!(
        cluster
            .gateway(0)
            .process()
            .log()
            .iter()
            .any(|line| line.contains("the peer's certificate has expired")),
        "the log says why"
    );
}

fn timestamp(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64()
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_says_why() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Bridge);
    let good = fs::read_to_string(cluster.gateway(0).config()).expect("a file");
    for (bad, told) in [
        (good.replace("[admin]", "memory = \"lots\"\n[admin]"), "gateway.memory"),
        (good.replace("[[peer]]", "[[pier]]"), "unknown key"),
        (
            good.replace("name = \"left\"", "name = \"other\""),
            "cert.pem: issued for",
        ),
        ("]".to_owned(), "not TOML"),
    ] {
        edit(cluster.gateway(0), |_| bad);
        let reloaded = cluster.gateway(0).reload();
        let mistakes = reloaded["mistakes"].as_array().expect("a list").iter();
        assert!(
            mistakes.filter_map(Value::as_str).any(|text| text.contains(told)),
            "{told}: {reloaded}"
        );
        if told != "not TOML" {
            // Without a file there is no way to find the socket.
            let status = cluster.gateway(0).status();
            assert_eq!(status["reloads"]["is_last_applied"], false, "{told}");
        }
    }
    // A certificate without its key, as when only one of both was copied.
    edit(cluster.gateway(0), |_| good.clone());
    let cert = cluster.folder().join("certs/left/cert.pem");
    let before = fs::read(&cert).expect("a certificate");
    fs::copy(cluster.folder().join("certs/right/cert.pem"), &cert).expect("room");
    let reloaded = cluster.gateway(0).reload();
    assert!(
        reloaded
            .to_string()
            .contains("does not belong to the first certificate"),
        "{reloaded}"
    );
    a.eval(&format!("real_connections:chat({})", b.atom()));
    fs::write(&cert, before).expect("room");
    assert_eq!(
        cluster.gateway(0).reload(),
        json!({"changed": [], "needs_restart": [], "mistakes": []})
    );
    edit(cluster.gateway(0), |text| {
        text.replace("[admin]", "lanes = 3\nbusy_wait = \"0s\"\n[admin]")
    });
    assert_eq!(
        cluster.gateway(0).reload(),
        json!({"changed": [], "needs_restart": ["gateway.lanes", "gateway.busy_wait"], "mistakes": []})
    );
    assert!(
        cluster.gateway(0).status()["problems"]
            .to_string()
            .contains("gateway.lanes, gateway.busy_wait")
    );
    cluster.assert_healthy();
}

/// Peers come, move and go; nodes that a peer may not speak for any more are disconnected, and no others.
#[test]
fn peers_and_what_they_may_are_changed() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Bridge);
    let c = cluster.node(&NodeSpec::new("c", 1));
    a.connect(&c);
    let good = fs::read_to_string(cluster.gateway(0).config()).expect("a file");
    edit(cluster.gateway(0), |text| text + "\nallow = [\"c@*\"]\n");
    assert_eq!(cluster.gateway(0).reload()["changed"], json!(["peer"]));
    a.await_nodes(&[c.full_name()], Duration::from_secs(5));
    assert_eq!(a.eval(&format!("net_adm:ping({})", b.atom())), "pang");
    a.eval(&format!("real_connections:chat({})", c.atom()));
    // Without the peer there is no session, as nobody else may dial in.
    let without = good.split("[[peer]]").next().expect("a beginning").to_owned();
    edit(cluster.gateway(0), |_| without.clone() + "[accept]\nnames = []\n");
    assert_eq!(cluster.gateway(0).reload()["changed"], json!(["peer", "accept.names"]));
    a.await_nodes(&[], Duration::from_secs(5));
    until(Duration::from_secs(5), "no peer", || {
        state(cluster.gateway(0), "right").is_none()
    });
    // It may dial in: it does.
    edit(cluster.gateway(0), |_| {
        without.clone() + "[accept]\nnames = [\"ri*\"]\n"
    });
    cluster.gateway(0).reload();
    until(NOTICED, "the peer that dials in", || {
        state(cluster.gateway(0), "right").as_deref() == Some("up")
    });
    // A peer at an address where nobody is, then at the right one.
    edit(cluster.gateway(1), |text| {
        text.split("[[peer]]").next().expect("a beginning").to_owned() + "[accept]\nnames = [\"left\"]\n"
    });
    cluster.gateway(1).reload();
    let wrong = good.replace(&cluster.site(1).quic.to_string(), "127.0.0.1:9");
    edit(cluster.gateway(0), |_| wrong);
    cluster.gateway(0).reload();
    cluster.gateway(1).terminate();
    cluster.gateway(1).run();
    until(NOTICED, "the peer to be unreachable", || {
        let status = cluster.gateway(0).status();
        status["peers"][0]["error"]
            .as_str()
            .is_some_and(|error| error.contains("127.0.0.1:9"))
    });
    edit(cluster.gateway(0), |_| good);
    cluster.gateway(0).reload();
    until(NOTICED, "the peer at its address", || {
        state(cluster.gateway(0), "right").as_deref() == Some("up")
    });
    cluster.assert_healthy();
}

/// Nobody asks: a file that is written, and a folder of certificates behind a link that moves, as Kubernetes does it.
#[test]
fn files_that_change_are_noticed() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Bridge);
    edit(cluster.gateway(0), |text| {
        text.replace("[admin]", "memory = \"200MiB\"\n[admin]")
    });
    until(NOTICED, "the file to be read", || {
        cluster.gateway(0).status()["memory"]["limit"] == 200 << 20
    });
    let folder = cluster.folder().join("certs/left");
    let (first, second) = (cluster.folder().join("..first"), cluster.folder().join("..second"));
    fs::rename(&folder, &first).expect("the same file system");
    symlink(&first, &folder).expect("a link");
    fs::create_dir(&second).expect("room");
    for (own, theirs) in [("ca.pem", "ca.crt"), ("cert.pem", "tls.crt"), ("key.pem", "tls.key")] {
        fs::copy(first.join(own), second.join(own)).expect("room");
        let _ = theirs;
    }
    let before = applied(cluster.gateway(0));
    let old = fs::read(first.join("cert.pem")).expect("a certificate");
    cluster.certificates().renew("left", SystemTime::now(), 20);
    // What was renewed is now in the first folder; it moves to one with the names of cert-manager.
    for (own, theirs) in [("ca.pem", "ca.crt"), ("cert.pem", "tls.crt"), ("key.pem", "tls.key")] {
        fs::remove_file(second.join(own)).expect("a file");
        fs::copy(first.join(own), second.join(theirs)).expect("room");
    }
    fs::write(first.join("cert.pem"), old).expect("room");
    let next = cluster.folder().join("next");
    symlink(&second, &next).expect("a link");
    fs::rename(&next, &folder).expect("the same folder");
    until(NOTICED, "the certificate to be read", || {
        applied(cluster.gateway(0)) > before
    });
    let expires = cluster.gateway(0).status()["certificates"][0]["expires_timestamp_seconds"].as_f64();
    let days = (expires.expect("a number") - timestamp(SystemTime::now())) / DAY.as_secs_f64();
    assert!((19.0..21.0).contains(&days), "{days} days");
    a.eval(&format!("real_connections:chat({})", b.atom()));
    cluster.assert_healthy();
}
