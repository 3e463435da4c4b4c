use std::net::Ipv4Addr;

use anyhow::Context as _;

use super::cluster::TestCluster;
use super::findings::About;
use super::network_path::NetworkPath;
use super::protocol::Command;
use crate::lab::linkem::Cable;
use crate::lab::linkem::End;
use crate::lab::testbed::carriers::Carrier;
use crate::lab::testbed::hosts::Host;
use crate::lab::testbed::protocol::StreamAnswer;
use crate::lab::testbed::rates::megabytes_per_second;
use crate::lab::testbed::shared::Testbed;

/// The two hosts: names, and addresses in a network of their own.
const HOSTS: [(&str, Ipv4Addr); 2] = [
    ("one.test", Ipv4Addr::new(10, 79, 0, 1)),
    ("two.test", Ipv4Addr::new(10, 79, 0, 2)),
];

/// The largest packet, bytes: as Ethernet has it.
const MTU: u16 = 1500;

/// The share of a fast path that the emulator must carry.
const CARRIES: f64 = 0.9;

/// How long that is measured, milliseconds.
const TRIAL_MS: u32 = 2000;

/// Two network namespaces joined by an emulated network path; removed when dropped.
pub(super) struct EmulatedPath<'a> {
    pub(super) testbed: Testbed<'a>,
    _cable: Cable,
}

impl<'a> EmulatedPath<'a> {
    /// Sets it up. All random decisions follow from `seed`.
    pub(super) fn set_up(testbed: &Testbed<'a>, line: NetworkPath, seed: u64) -> anyhow::Result<Self> {
        let id = std::process::id();
        let namespaces = ["one", "two"].map(|name| format!("beamway-bench-{id}-{name}"));
        let ends = [0, 1].map(|side: usize| namespaces.get(side).zip(HOSTS.get(side)));
        let [Some((one, (_, first))), Some((two, (_, second)))] = ends else {
            anyhow::bail!("a network path has two ends");
        };
        let ends = [(one, first), (two, second)].map(|(namespace, address)| End {
            namespace: namespace.clone(),
            address: format!("{address}/24"),
        });
        let config = line.config()?;
        let cable = Cable::set_up(&ends, [config.clone(), config], seed, MTU)
            .context("the emulated network path cannot be set up")?;
        let hosts = ends.map(|end| end.namespace);
        Ok(Self {
            testbed: testbed.on(hosts_of(testbed, hosts)?),
            _cable: cable,
        })
    }
}

/// Where nodes and gateways run, in these namespaces.
fn hosts_of(testbed: &Testbed<'_>, [one, two]: [String; 2]) -> anyhow::Result<[Host; 2]> {
    let mut resolver = "{lookup, [file]}.\n".to_owned();
    for (name, address) in HOSTS {
        let [a, b, c, d] = address.octets();
        resolver.push_str(&format!("{{host, {{{a},{b},{c},{d}}}, [{name:?}]}}.\n"));
    }
    let resolver = testbed.workspace.write("hosts.inetrc", &resolver)?;
    let [first, second] = HOSTS;
    Ok([(one, first), (two, second)].map(|(namespace, (name, address))| Host {
        namespace: Some(namespace),
        address,
        name: name.to_owned(),
        tls_name: name.to_owned(),
        resolver: Some(resolver.clone()),
    }))
}

/// Makes the certificates of the two hosts.
pub(super) async fn prepare(testbed: &Testbed<'_>) -> anyhow::Result<()> {
    for (name, _) in HOSTS {
        testbed.certificates.add(&testbed.executable, name).await?;
    }
    Ok(())
}

/// Why network paths cannot be emulated here, if so.
pub(super) fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("emulated network paths are left out: network namespaces need root".to_owned());
    }
    let tun = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    tun.err().map(|error| {
        format!("emulated network paths are left out: they need TUN devices, and this kernel provides none: {error}")
    })
}

/// The beginning of the note on a bandwidth that is left out.
fn left_out(mbit: u64) -> String {
    format!("network paths of {mbit} Mbit/s are left out")
}

/// Whether that was found out.
pub(super) fn is_left_out(about: &About, line: NetworkPath) -> bool {
    about.notes.iter().any(|note| note.starts_with(&left_out(line.mbit)))
}

/// Why paths of this bandwidth are left out, if so: one TCP connection without distribution does not fill such a path, since
/// the emulator or this machine is too slow.
pub(super) async fn trial(
    testbed: &Testbed<'_>,
    NetworkPath { mbit, .. }: NetworkPath,
) -> anyhow::Result<Option<String>> {
    let line = NetworkPath {
        mbit,
        round_trip_ms: 1,
        loss_tenths: 0,
    };
    let emulated = EmulatedPath::set_up(testbed, line, 0)?;
    let moved = async {
        let mut cluster = TestCluster::start(&emulated.testbed, &Carrier::Plain).await?;
        let [_, (_, address)] = HOSTS;
        let address = crate::etf::Atom::new(&address.to_string())?;
        let command = Command::Tcp(cluster.pair.b.atom()?, address, TRIAL_MS);
        let answer: StreamAnswer = cluster.pair.measure(&command).await?;
        anyhow::Ok(megabytes_per_second(answer.bytes, answer.us))
    };
    let moved = moved.await;
    testbed.children.end().await;
    let (moved, wanted) = (moved?, CARRIES * mbit as f64 / 8.0);
    Ok((moved < wanted).then(|| {
        let rate = left_out(mbit);
        format!("{rate}: the emulator carried only {moved:.0} MB/s on this machine; {wanted:.0} MB/s are needed")
    }))
}
