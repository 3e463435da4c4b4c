//! `beamway doctor`: each thing that can be wrong is made wrong, and the remedy is told.

use std::fs;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Value;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Hosts;
use crate::harness::NodeSpec;
use crate::harness::Site;
use crate::harness::until;

/// What the doctor finds at the first site: check, level, and text with remedy.
fn examine(cluster: &mut Cluster, options: &[&str]) -> Vec<(String, String, String)> {
    examine_at(cluster, 0, options)
}

/// The same at any site.
fn examine_at(cluster: &mut Cluster, site: usize, options: &[&str]) -> Vec<(String, String, String)> {
    let mut command = cluster.command(site, crate::harness::BEAMWAY);
    command
        .args(["doctor", "--json", "--config"])
        .arg(cluster.gateway(site).config());
    let output = command.args(options).output().expect("a program");
    let error = String::from_utf8_lossy(&output.stderr);
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"));
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| {
            let told = format!("{} -> {}", text(finding, "text"), text(finding, "remedy"));
            (text(finding, "check"), text(finding, "level"), told)
        })
        .collect();
    let fails = found.iter().any(|(_, level, _)| level == "failure");
    assert_eq!(output.status.success(), !fails, "{found:#?}");
    found
}

fn assert_found(found: &[(String, String, String)], check: &str, level: &str, told: &str) {
    let is_there = found
        .iter()
        .any(|(of, as_, text)| of == check && as_ == level && text.contains(told));
    assert!(is_there, "{check} {level} {told:?} in {found:#?}");
}

#[test]
fn a_healthy_pair_has_no_failures_and_cookies_that_differ_are_one() {
    let mut cluster = Cluster::new(Carrier::Bridge, 2);
    let mut a = cluster.node(&NodeSpec::new("a", 0).args("-kernel inet_dist_use_interface {127,0,0,1}"));
    let b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    let found = examine(&mut cluster, &["--cookie", crate::harness::COOKIE]);
    for (check, told) in [
        ("configuration", "has no mistakes"),
        ("certificate", "is valid for 89 days"),
        ("daemon", "left runs"),
        ("port mapper", "the daemon answers"),
        ("nodes", "1 registered"),
        ("cookies", "a@127.0.0.1 has this cookie"),
        ("peers", "right answers at"),
        ("path MTU", "datagrams of 16"),
        ("protocol", "right speaks version"),
    ] {
        assert_found(&found, check, "ok", told);
    }
    assert!(found.iter().all(|(_, level, _)| level != "failure"), "{found:#?}");
    a.eval(&format!("real_connections:chat({})", b.atom()));
    let found = examine(&mut cluster, &["--cookie", "another"]);
    assert_found(
        &found,
        "cookies",
        "failure",
        "a@127.0.0.1 has another cookie -> start all nodes",
    );
    // A node that listens on all addresses.
    let _open = cluster.node(&NodeSpec::new("open", 0));
    let found = examine(&mut cluster, &["--cookie", crate::harness::COOKIE]);
    assert_found(&found, "nodes", "warning", "open accepts unencrypted distribution");
    cluster.assert_healthy();
}

#[test]
fn what_is_wrong_is_found_with_a_remedy() {
    let mut cluster = Cluster::new(Carrier::Bridge, 2);
    let config = cluster.gateway(0).config().to_owned();
    let good = fs::read_to_string(&config).expect("a file");
    let edit = |text: &str| fs::write(&config, text).expect("room");
    edit(&good.replace("[epmd]", "[epmmd]"));
    assert_found(&examine(&mut cluster, &[]), "configuration", "failure", "unknown key");
    // A huge buffer, another congestion control: the daemon that runs has the one before, which is not told.
    edit(&(good.clone() + "\n[transport]\nudp_receive_buffer = \"1GiB\"\n"));
    assert_found(
        &examine(&mut cluster, &[]),
        "UDP buffers",
        "warning",
        "net.core.rmem_max=1073741824",
    );
    edit(&good.replace("hosts = [\"127.0.0.1\"]", "hosts = [\"127.0.0.1\", \"elsewhere\"]"));
    assert_found(
        &examine(&mut cluster, &[]),
        "names",
        "warning",
        "does not name these hosts of nodes: elsewhere",
    );
    // Nobody at the address of the peer, another name there, a name that has no address.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let there = cluster.site(1).quic.to_string();
    let address = silent.local_addr().expect("an address").to_string();
    edit(&good.replace(&there, &address));
    assert_found(&examine(&mut cluster, &[]), "UDP", "failure", "no answer from UDP");
    edit(&good.replace("name = \"right\"", "name = \"wrong\""));
    assert_found(&examine(&mut cluster, &[]), "names", "failure", "is not for the name");
    edit(&good.replace(&there, "nowhere.invalid:4471"));
    assert_found(&examine(&mut cluster, &[]), "DNS", "failure", "cannot resolve");
    edit(&good);
    // Certificates that end soon, and one of the peer that has ended.
    cluster.certificates().renew("left", SystemTime::now(), 3);
    assert_found(
        &examine(&mut cluster, &[]),
        "certificate",
        "failure",
        "expires in 2 days -> beamway certs renew",
    );
    cluster.certificates().renew("left", SystemTime::now(), 20);
    assert_found(
        &examine(&mut cluster, &[]),
        "certificate",
        "warning",
        "expires in 19 days",
    );
    // Without the daemon: another port mapper, and a key that others can read.
    cluster.gateway(0).terminate();
    let found = examine(&mut cluster, &[]);
    assert_found(&found, "daemon", "warning", "it does not run");
    assert_found(&found, "port mapper", "ok", "is free");
    let port = cluster.epmd_port(0);
    let _other = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    assert_found(
        &examine(&mut cluster, &[]),
        "port mapper",
        "failure",
        "another port mapper answers",
    );
    let key = cluster.folder().join("certs/left/key.pem");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("an own file");
    assert_found(&examine(&mut cluster, &[]), "configuration", "failure", "chmod 600");
}

/// What the daemon itself knows is told, too.
#[test]
fn problems_of_the_running_daemon_are_told() {
    let left = Site::loopback("left");
    let mut cluster = Cluster::of(Carrier::Bridge, vec![left, Site::loopback("right")]);
    let config = cluster.gateway(0).config().to_owned();
    let good = fs::read_to_string(&config).expect("a file");
    fs::write(&config, good.replace("[admin]", "lanes = 2\n[admin]")).expect("room");
    cluster.gateway(0).reload();
    assert_found(
        &examine(&mut cluster, &[]),
        "daemon",
        "warning",
        "without effect before a restart: gateway.lanes",
    );
}

/// What is sent arrives nowhere in one direction only. Each host tells what it can know.
#[test]
fn the_direction_that_is_blocked_is_told() {
    let Some(hosts) = Hosts::lay() else { return };
    hosts.lose();
    let mut cluster = Cluster::of(Carrier::Bridge, hosts.sites());
    let told = |found: Vec<(String, String, String)>| {
        let told = found.into_iter().find(|(check, _, _)| check == "UDP");
        told.map_or_else(String::new, |(_, _, told)| told)
    };
    // A handshake that was begun is given up after five seconds.
    until(
        Duration::from_secs(40),
        "the host that does not get out to be told so",
        || told(examine_at(&mut cluster, 0, &[])).contains("its packets arrive here"),
    );
    let other = told(examine_at(&mut cluster, 1, &[]));
    assert!(other.contains("nothing from there has arrived here"), "{other}");
    cluster.assert_healthy();
}
