use std::net::Ipv4Addr;

use anyhow::Context as _;

use super::findings::About;
use super::measure::megabytes_per_second;
use super::protocol::Command;
use super::rig::Rig;
use crate::lab::linkem::Cable;
use crate::lab::linkem::End;
use crate::lab::linkem::LineConfig;
use crate::lab::linkem::LinkemError;
use crate::lab::testbed::carriers::Carrier;
use crate::lab::testbed::carriers::Stage;
use crate::lab::testbed::hosts::Host;
use crate::lab::testbed::protocol::StreamAnswer;

/// The two hosts: names, and addresses in a network of their own.
const HOSTS: [(&str, Ipv4Addr); 2] = [
    ("one.test", Ipv4Addr::new(10, 79, 0, 1)),
    ("two.test", Ipv4Addr::new(10, 79, 0, 2)),
];

/// The largest packet, bytes: as Ethernet has it.
const MTU: u16 = 1500;

/// How long packets may wait for the bottleneck, milliseconds.
const BUFFER_MS: u64 = 50;

/// From this rate on it is measured first whether the emulator carries it, and what it must carry of it.
const FAST_MBIT: u64 = 1000;
const CARRIES: f64 = 0.9;

/// How long that is measured, milliseconds.
const TRIAL_MS: u32 = 2000;

/// A line between two hosts, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) mbit: u64,
    pub(super) round_trip_ms: u32,
    /// Tenths of a percent of the packets.
    pub(super) loss_tenths: u32,
}

impl Line {
    pub(super) fn key(self) -> String {
        format!("{}-{}-{}", self.mbit, self.round_trip_ms, self.loss())
    }

    pub(super) fn title(self) -> String {
        let rate = match self.mbit {
            0..1000 => format!("{} Mbit/s", self.mbit),
            _ => format!("{} Gbit/s", self.mbit / 1000),
        };
        format!("{rate}, {} ms, loss {} %", self.round_trip_ms, self.loss())
    }

    fn loss(self) -> String {
        match (self.loss_tenths / 10, self.loss_tenths % 10) {
            (whole, 0) => whole.to_string(),
            (whole, tenths) => format!("{whole}.{tenths}"),
        }
    }

    pub(super) fn is_fast(self) -> bool {
        self.mbit >= FAST_MBIT
    }

    fn config(self) -> Result<LineConfig, LinkemError> {
        let bytes = self.mbit * 1_000_000 / 8 * BUFFER_MS / 1000;
        let delay_us = self.round_trip_ms * 500;
        let mut config = LineConfig::default();
        config.apply(&format!(
            "rate={}Mbit delay={delay_us}us loss={}% buffer={bytes}B",
            self.mbit,
            self.loss()
        ))?;
        Ok(config)
    }
}

/// Two network namespaces that a line joins; gone when dropped.
pub(super) struct Field<'a> {
    pub(super) stage: Stage<'a>,
    _cable: Cable,
}

impl<'a> Field<'a> {
    /// Lays the line. Everything that chance decides follows from `seed`.
    pub(super) fn lay(stage: &Stage<'a>, line: Line, seed: u64) -> anyhow::Result<Self> {
        let id = std::process::id();
        let namespaces = ["one", "two"].map(|name| format!("beamway-bench-{id}-{name}"));
        let ends = [0, 1].map(|side: usize| namespaces.get(side).zip(HOSTS.get(side)));
        let [Some((one, (_, first))), Some((two, (_, second)))] = ends else {
            anyhow::bail!("a line has two ends");
        };
        let ends = [(one, first), (two, second)].map(|(namespace, address)| End {
            namespace: namespace.clone(),
            address: format!("{address}/24"),
        });
        let config = line.config()?;
        let cable = Cable::lay(&ends, [config.clone(), config], seed, MTU).context("the line cannot be laid")?;
        let hosts = ends.map(|end| end.namespace);
        Ok(Self {
            stage: stage.on(hosts_of(stage, hosts)?),
            _cable: cable,
        })
    }
}

/// Where nodes and gateways run, in these namespaces.
fn hosts_of(stage: &Stage<'_>, [one, two]: [String; 2]) -> anyhow::Result<[Host; 2]> {
    let mut resolver = "{lookup, [file]}.\n".to_owned();
    for (name, address) in HOSTS {
        let [a, b, c, d] = address.octets();
        resolver.push_str(&format!("{{host, {{{a},{b},{c},{d}}}, [{name:?}]}}.\n"));
    }
    let resolver = stage.workspace.write("hosts.inetrc", &resolver)?;
    let [first, second] = HOSTS;
    Ok([(one, first), (two, second)].map(|(namespace, (name, address))| Host {
        namespace: Some(namespace),
        address,
        name: name.to_owned(),
        tls_name: name.to_owned(),
        resolver: Some(resolver.clone()),
    }))
}

/// Makes what nodes on lines need beside what nodes of this machine have.
pub(super) async fn prepare(stage: &Stage<'_>) -> anyhow::Result<()> {
    for (name, _) in HOSTS {
        stage.certificates.add(&stage.executable, name).await?;
    }
    Ok(())
}

/// Why lines cannot be laid here, if so.
pub(super) fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("lines are left out: network namespaces need root".to_owned());
    }
    let tun = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    tun.err()
        .map(|error| format!("lines are left out: no TUN device, which a line is made of: {error}"))
}

/// What a note says of a rate that is left out.
fn left_out(mbit: u64) -> String {
    format!("lines of {mbit} Mbit/s are left out")
}

/// Whether that was found out.
pub(super) fn is_left_out(about: &About, line: Line) -> bool {
    about.notes.iter().any(|note| note.starts_with(&left_out(line.mbit)))
}

/// Why lines of this rate are left out, if so: one TCP connection without distribution does not fill such a line, since the
/// emulator or this machine does not keep up.
pub(super) async fn trial(stage: &Stage<'_>, Line { mbit, .. }: Line) -> anyhow::Result<Option<String>> {
    let line = Line {
        mbit,
        round_trip_ms: 1,
        loss_tenths: 0,
    };
    let field = Field::lay(stage, line, 0)?;
    let moved = async {
        let mut rig = Rig::start(&field.stage, &Carrier::Plain).await?;
        let [_, (_, address)] = HOSTS;
        let address = crate::etf::Atom::new(&address.to_string())?;
        let command = Command::Tcp(rig.pair.b.atom()?, address, TRIAL_MS);
        let answer: StreamAnswer = rig.pair.measure(&command).await?;
        anyhow::Ok(megabytes_per_second(answer.bytes, answer.us))
    };
    let moved = moved.await;
    stage.children.end().await;
    let (moved, wanted) = (moved?, CARRIES * mbit as f64 / 8.0);
    Ok((moved < wanted).then(|| {
        let rate = left_out(mbit);
        format!("{rate}: the emulator alone carried {moved:.0} MB/s here, {wanted:.0} are wanted")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_it_is() {
        let line = Line {
            mbit: 100,
            round_trip_ms: 1,
            loss_tenths: 5,
        };
        assert_eq!(line.title(), "100 Mbit/s, 1 ms, loss 0.5 %");
        assert_eq!(line.key(), "100-1-0.5");
        let config = line.config().unwrap();
        assert_eq!((config.rate, config.buffer), (Some(100_000_000), 625_000));
        assert_eq!(config.delay, std::time::Duration::from_micros(500));
        let line = Line {
            mbit: 1000,
            round_trip_ms: 80,
            loss_tenths: 20,
        };
        assert_eq!(line.title(), "1 Gbit/s, 80 ms, loss 2 %");
        assert!((line.config().unwrap().loss - 0.02).abs() < 1e-9);
    }
}
