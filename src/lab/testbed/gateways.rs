use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::ChildStdin;

use super::certificates::GATEWAYS;
use super::children::until;
use super::hosts::Host;
use super::shared::Testbed;
use super::transport::Transport;

/// Reading a certificate and opening two sockets takes milliseconds; the rest is for a busy machine.
const START_MAX: Duration = Duration::from_secs(15);

/// What a gateway says when it serves.
const SERVES: &str = "the daemon serves";

/// How long a gateway may take to say how many frames went over each lane, once the circuit is ended.
const LANES_MAX: Duration = Duration::from_secs(3);

/// Lanes that a gateway may report; far above what a configuration allows to be useful.
const LANES_SHOWN_MAX: usize = 4096;

/// Port numbers that are free now, for TCP and for UDP alike. All are held until the last one is found, so no two are
/// equal.
///
/// # Errors
///
/// When the machine has none left.
pub fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        *port = loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free TCP port on 127.0.0.1")?;
            let number = tcp.local_addr()?.port();
            // Whoever holds this number in UDP keeps it; the next one is tried.
            if let Ok(udp) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) {
                held.push((tcp, udp));
                break number;
            }
        };
    }
    Ok(ports)
}

/// Two gateways, each the other's only peer.
pub struct Gateways {
    /// Ports of their port mappers, on the loopback of their hosts.
    pub epmd: [u16; 2],
    /// What they are called among the children.
    pub labels: [String; 2],
    lanes: [Arc<Mutex<Vec<u64>>>; 2],
    _inputs: Vec<ChildStdin>,
}

impl Gateways {
    /// Writes both configurations, starts both gateways as processes of their own and waits until they serve.
    ///
    /// # Errors
    ///
    /// When one ends or does not serve in time.
    pub async fn start(testbed: &Testbed<'_>, transport: &Transport) -> anyhow::Result<Self> {
        let [quic_left, quic_right, epmd_left, epmd_right] = free_ports()?;
        let (quic, epmd) = ([quic_left, quic_right], [epmd_left, epmd_right]);
        let labels = GATEWAYS.map(|name| label(name, transport, &testbed.hosts));
        let lanes: [Arc<Mutex<Vec<u64>>>; 2] = Default::default();
        let serving: [Arc<AtomicBool>; 2] = Default::default();
        let mut inputs = Vec::new();
        let both = labels.iter().zip(&lanes).zip(&serving);
        for ((side, host), ((label, lanes), serving)) in testbed.hosts.iter().enumerate().zip(both) {
            let text = configuration(testbed, transport, side, quic, epmd);
            let config = testbed
                .workspace
                .write(format!("{}.toml", label.replace(' ', "-")), &text)?;
            let mut command = host.command(&testbed.executable);
            command
                .arg("run")
                .arg("--config")
                .arg(config)
                .args(["--log", "json", "--log-level", "info", "--until-input-ends"])
                .env_remove("RUST_LOG");
            let (lanes, serving) = (Arc::clone(lanes), Arc::clone(serving));
            inputs.push(testbed.children.start(label, &mut command, move |line: &str| {
                if line.contains(SERVES) {
                    serving.store(true, Ordering::Relaxed);
                } else if let Some(frames) = lane_frames(line) {
                    add(&mut lanes.lock().unwrap_or_else(PoisonError::into_inner), &frames);
                }
            })?);
        }
        for (label, serving) in labels.iter().zip(&serving) {
            until(&format!("{label} serves its nodes"), START_MAX, async || {
                testbed.children.check(label)?;
                Ok(serving.load(Ordering::Relaxed).then_some(()))
            })
            .await?;
        }
        Ok(Self {
            epmd,
            labels,
            lanes,
            _inputs: inputs,
        })
    }

    /// Frames that each gateway sent over each of its lanes, from the line it logs when a circuit ends. `None` for a
    /// gateway that logged none; both are waited for, as the line comes a moment after the nodes saw the end.
    pub async fn frames_per_lane(&self) -> [Option<Vec<u64>>; 2] {
        let read = || {
            self.lanes.each_ref().map(|lanes| {
                let lanes = lanes.lock().unwrap_or_else(PoisonError::into_inner);
                (!lanes.is_empty()).then(|| lanes.clone())
            })
        };
        let both = until("frames per lane", LANES_MAX, async || {
            let lanes = read();
            Ok(lanes.iter().all(Option::is_some).then_some(lanes))
        });
        both.await.unwrap_or_else(|_| read())
    }
}

/// What a gateway is called among the children.
fn label(name: &str, transport: &Transport, [host, _]: &[Host; 2]) -> String {
    let place = if host.namespace.is_some() { " on a line" } else { "" };
    format!("gateway {name} of {}{place}", transport.name())
}

/// The file of the gateway on one side.
fn configuration(testbed: &Testbed<'_>, transport: &Transport, side: usize, quic: [u16; 2], epmd: [u16; 2]) -> String {
    let mut sides = GATEWAYS.into_iter().zip(&testbed.hosts).zip(quic.into_iter().zip(epmd));
    let mut sides: Vec<_> = sides.by_ref().collect();
    sides.rotate_left(side);
    let mut text = String::new();
    for (place, ((name, host), (quic, epmd))) in sides.into_iter().enumerate() {
        let address = host.address;
        // Writing to a string cannot fail.
        let _ = if place == 0 {
            let certs = testbed.certificates.of(name).display().to_string();
            let lanes = transport
                .lanes
                .map_or_else(String::new, |lanes| format!("lanes = {lanes}\n"));
            write!(
                text,
                "[gateway]\nname   = \"{name}\"\nlisten = \"{address}:{quic}\"\ncerts  = {certs:?}\n{lanes}\n\
                 [admin]\nsocket = false\n[epmd]\nlisten = \"127.0.0.1:{epmd}\"\nhosts  = [{host:?}]\n\n",
                host = host.name
            )
        } else {
            // The certificates name the gateways only, since the hosts of an emulated path are not known when they are made.
            let allow = format!("*@{}", host.name);
            write!(
                text,
                "[[peer]]\nname    = \"{name}\"\naddress = \"{address}:{quic}\"\nallow   = [{allow:?}]\n"
            )
        };
    }
    if let Some(congestion) = &transport.congestion {
        let _ = write!(text, "\n[transport]\ncongestion = \"{congestion}\"\n");
    }
    text
}

/// Frames per lane of a log line such as `{"fields":{"message":"lanes","frames":[3,0,7]}}`. `None` for every other line.
pub(super) fn lane_frames(line: &str) -> Option<Vec<u64>> {
    let record: Value = serde_json::from_str(line).ok()?;
    let fields = record.get("fields")?;
    if fields.get("message")?.as_str()? != "lanes" {
        return None;
    }
    let frames: Vec<u64> = serde_json::from_value(fields.get("frames")?.clone()).ok()?;
    (frames.len() <= LANES_SHOWN_MAX).then_some(frames)
}

/// Adds the frames of one more circuit, lane by lane.
pub(super) fn add(sum: &mut Vec<u64>, frames: &[u64]) {
    if sum.len() < frames.len() {
        sum.resize(frames.len(), 0);
    }
    for (sum, frames) in sum.iter_mut().zip(frames) {
        *sum = sum.saturating_add(*frames);
    }
}
