//! What a daemon takes: the figures of docs/OPERATING.md, "Size a host".

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use beamway::etf::Atom;
use tokio::runtime::Runtime;

use crate::circuits::ask_all;
use crate::circuits::start;
use crate::circuits::until_known;
use crate::harness::BEAMWAY;
use crate::harness::Certificates;
use crate::harness::Cluster;
use crate::harness::Gateway;
use crate::harness::NodeSpec;
use crate::harness::Site;

/// The program that is measured, if not the one that was built with the tests, which is hardly optimised.
const VARIABLE: &str = "BEAMWAY_SIZED";

/// Daemons beside the first two.
const PEERS: usize = 8;

/// Nodes at each of two daemons.
const NODES: usize = 32;

/// What was used is given back within this.
const SETTLED: Duration = Duration::from_secs(25);

/// How long each load lasts.
const LOAD: Duration = Duration::from_secs(5);

/// What a daemon has at one moment.
#[derive(Clone, Copy)]
struct Taken {
    bytes: u64,
    files: u64,
    /// Processor time of all threads.
    worked: Duration,
}

impl Taken {
    fn by(gateway: &mut Gateway) -> Self {
        let id = gateway.process().id();
        let bytes = gateway.process().resident();
        let files = fs::read_dir(format!("/proc/{id}/fd")).expect("an own process").count() as u64;
        let threads = fs::read_dir(format!("/proc/{id}/task")).expect("an own process");
        let worked = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok());
        let worked = worked
            .filter_map(|text| text.split(' ').next()?.parse().ok())
            .map(Duration::from_nanos);
        Self {
            bytes,
            files,
            worked: worked.sum(),
        }
    }

    /// Prints what has come since, divided by a number of things.
    fn since(self, before: Self, count: usize, what: &str) {
        let each = |now: u64, before: u64| (now as f64 - before as f64) / count as f64;
        eprintln!(
            "{what}: {:.1} KB and {:.2} descriptors each",
            each(self.bytes, before.bytes) / 1000.0,
            each(self.files, before.files)
        );
    }
}

fn program() -> PathBuf {
    env::var_os(VARIABLE).map_or_else(|| PathBuf::from(BEAMWAY), PathBuf::from)
}

fn gateway(site: &Site, peers: &[Site], folder: &Path, certificates: &Certificates) -> Gateway {
    let mut gateway = Gateway::start(site.clone(), folder, certificates, peers);
    gateway.terminate();
    gateway.set_program(&program());
    gateway.run();
    gateway
}

fn settled(gateway: &mut Gateway) -> Taken {
    thread::sleep(SETTLED);
    Taken::by(gateway)
}

/// Processor time of both daemons for so many messages.
fn report_load(what: &str, before: [Taken; 2], after: [Taken; 2], count: u64, size: usize, took: Duration) {
    let cores = [0, 1].map(|site| (after[site].worked - before[site].worked).as_secs_f64() / took.as_secs_f64());
    let rate = count as f64 / took.as_secs_f64();
    let gigabits = rate * size as f64 * 8.0 / 1e9;
    eprintln!(
        "{what}: {rate:.0} messages/s, {gigabits:.2} Gbit/s; cores of the sending and the receiving daemon {cores:.2?}; \
         for 1 Gbit/s {:.2?}, for 100,000 messages/s {:.2?}",
        cores.map(|cores| cores / gigabits),
        cores.map(|cores| cores * 1e5 / rate)
    );
}

#[test]
#[ignore = "it measures, and says nothing about right or wrong; docs/OPERATING.md has its figures"]
fn memory_and_descriptors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::init(folder.path().join("certs"));
    let sparing = |name: &str| Site::loopback(name).setting("busy_wait = \"0s\"");
    let [left, right] = ["left", "right"].map(sparing);
    let mut near = gateway(&left, &[], folder.path(), &certificates);
    let idle = settled(&mut near);
    eprintln!("idle: {:.1} MB, {} descriptors", idle.bytes as f64 / 1e6, idle.files);
    let others: Vec<Site> = (0..PEERS).map(|number| sparing(&format!("peer{number}"))).collect();
    let others = others
        .iter()
        .map(|site| gateway(site, std::slice::from_ref(&left), folder.path(), &certificates));
    let others: Vec<Gateway> = others.collect();
    settled(&mut near).since(idle, PEERS, "a peer");
    drop(others);
    let mut far = gateway(&right, std::slice::from_ref(&left), folder.path(), &certificates);
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let without = settled(&mut near);
        let mut nodes = [Vec::new(), Vec::new()];
        for number in 0..NODES {
            for (site, (name, port)) in [("near", left.epmd_port), ("far", right.epmd_port)]
                .into_iter()
                .enumerate()
            {
                let node = start(format!("{name}{number}@127.0.0.1"), port).await;
                nodes[site].push(node);
            }
        }
        let [locals, remotes] = nodes;
        let names: Vec<Atom> = remotes.iter().map(|node| node.name().clone()).collect();
        until_known(&locals[0], &names[NODES - 1]).await;
        let registered = settled(&mut near);
        registered.since(without, NODES, "a local node and a remote one");
        ask_all(&locals, &names, 100).await;
        let used = settled(&mut near);
        used.since(registered, NODES * NODES, "a circuit, after small messages");
        ask_all(&locals, &names, 300_000).await;
        settled(&mut near).since(registered, NODES * NODES, "a circuit, after large messages");
        for node in locals.iter().chain(&remotes) {
            node.stop().await;
        }
    });
    near.assert_healthy();
    far.assert_healthy();
}

/// BEAMs at two gateways, which send as fast as they can.
#[test]
#[ignore = "it measures, and says nothing about right or wrong; docs/OPERATING.md has its figures"]
fn processor_time() {
    let sites = ["left", "right"].map(|name| Site::loopback(name).setting("busy_wait = \"0s\""));
    let mut cluster = Cluster::with_diallers(sites.to_vec(), &[0, 1]);
    for site in [0, 1] {
        let gateway = cluster.gateway(site);
        gateway.terminate();
        gateway.set_program(&program());
        gateway.run();
    }
    let mut a = cluster.node(&NodeSpec::new("a", 0));
    let b = cluster.node(&NodeSpec::new("b", 1));
    a.connect(&b);
    let taken = |cluster: &mut Cluster| [0, 1].map(|site| Taken::by(cluster.gateway(site)));
    for (what, size, pairs) in [("bulk", 1_000_000, 8), ("4 KB", 4000, 16), ("small", 100, 16)] {
        let before = taken(&mut cluster);
        let began = Instant::now();
        let expression = format!("real_load:pour({}, {pairs}, {size}, {})", b.atom(), LOAD.as_millis());
        let count = a.eval_within(&expression, LOAD * 20).parse().expect("a number");
        let took = began.elapsed();
        report_load(what, before, taken(&mut cluster), count, size, took);
    }
    cluster.assert_healthy();
}
