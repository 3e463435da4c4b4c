//! Who may dial in, who may speak for which nodes, and what is told when that does not fit.

use std::path::Path;
use std::time::Duration;

use crate::harness::Carrier;
use crate::harness::Certificates;
use crate::harness::Cluster;
use crate::harness::Gateway;
use crate::harness::Hosts;
use crate::harness::NodeSpec;
use crate::harness::Site;

/// Daemons meet, and nodes are announced, within this.
const TOLD: Duration = Duration::from_secs(20);

/// The certificate of the second host does not name the host part of its node.
#[test]
fn a_daemon_speaks_for_the_hosts_of_its_certificate_alone() {
    let mut sites = ["left", "right"].map(Site::loopback);
    sites[1].certified = Some(Vec::new());
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    cluster
        .gateway(0)
        .process()
        .await_log("issue one with `--host 127.0.0.1`, or set `allow`", TOLD);
    assert_eq!(a.eval(&format!("net_adm:ping({})", b.atom())), "pang");
    // The other way its own daemon lets it connect, and the first host refuses it.
    b.await_known(&a);
    assert_eq!(b.eval(&format!("net_adm:ping({})", a.atom())), "pang");
    cluster.gateway(0).process().await_log(
        "peer right may not speak for node b@127.0.0.1: its certificate is for the hosts `right`",
        TOLD,
    );
    cluster
        .gateway(1)
        .process()
        .await_log("does not name these hosts of nodes: 127.0.0.1", TOLD);
    cluster.assert_healthy();
}

/// A gateway that has these others as peers.
fn gateway(site: &Site, peers: &[Site], folder: &Path, certificates: &Certificates) -> Gateway {
    Gateway::start(site.clone(), folder, certificates, peers)
}

#[test]
fn a_mistyped_name_of_a_peer_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::init(folder.path().join("certs"));
    let [left, right] = ["left", "right"].map(Site::loopback);
    let mistyped = Site {
        name: "rihgt".to_owned(),
        ..right.clone()
    };
    let mut right = gateway(&right, std::slice::from_ref(&left), folder.path(), &certificates);
    let mut left = gateway(&left, &[mistyped], folder.path(), &certificates);
    let told = "the certificate at this address is not for the name \"rihgt\", but for `right`";
    left.process().await_log(told, TOLD);
    let hint = "the daemon at the address of this [[peer]] has another name in its certificate";
    left.process().await_log(hint, TOLD);
    let told = "our certificate is not for the name \"rihgt\", but for `right`";
    right.process().await_log(told, TOLD);
    left.assert_healthy();
    right.assert_healthy();
}

#[test]
fn who_is_no_peer_may_dial_in_only_if_the_list_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::init(folder.path().join("certs"));
    let [left, right] = ["left", "right"].map(Site::loopback);
    let closed = left.clone().setting("[accept]\nnames = [\"db-*\"]");
    let mut dialler = gateway(&right, &[left], folder.path(), &certificates);
    let mut closed = gateway(&closed, &[], folder.path(), &certificates);
    let told = "refused \"right\": it is no [[peer]] here, and no pattern of `[accept] names` fits";
    closed.process().await_log(told, TOLD);
    dialler.process().await_log("no pattern of `[accept] names` fits", TOLD);
    closed.assert_healthy();
    dialler.assert_healthy();
}

/// By default a host announces its addresses, also one that it gets later, but not those that mean another host elsewhere.
#[test]
fn what_a_host_announces_by_default() {
    let Some(hosts) = Hosts::lay() else { return };
    let mut sites = hosts.sites();
    sites[0].hosts = Vec::new();
    sites[0].certified = Some(["10.77.0.1", "10.99.0.9", "127.0.0.1"].map(str::to_owned).to_vec());
    let mut cluster = Cluster::of(Carrier::Bridge, sites);
    let spec =
        |name: &str, site: usize, host: &str| NodeSpec::new(name, site).host(host).args("-epmd_module beamway_epmd");
    let mut b = cluster.node(&spec("b", 1, "two.test"));
    let first = cluster.node(&spec("first", 0, "10.77.0.1"));
    let mut loc = cluster.node(&spec("loc", 0, "127.0.0.1"));
    b.connect(&first);
    assert_eq!(
        b.eval(&format!("net_adm:ping({})", loc.atom())),
        "pang",
        "it is another host's"
    );
    assert_eq!(
        loc.eval(&format!("net_adm:ping({})", first.atom())),
        "pong",
        "it is this host's"
    );
    hosts.add_address(0, "10.99.0.9");
    let later = cluster.node(&spec("later", 0, "10.99.0.9"));
    b.connect(&later);
    cluster
        .gateway(0)
        .process()
        .await_log("this host has more addresses now", TOLD);
    cluster.assert_healthy();
}
