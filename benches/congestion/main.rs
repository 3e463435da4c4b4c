//! Bulk and small calls over a line with a bottleneck: what each congestion control makes of it.
//!
//! `cargo bench --bench congestion -- --loss 0,1 --rtt 20,80` lays lines by the tool behind `beamway linkem` (root) and sends
//! over each, in one direction, several streams that never end and a small call every 10 ms: by QUIC alone, without nodes and
//! sessions, and beside it by one TCP connection of the kernel's. Of the figures of several rounds the median counts. What
//! arrives is compared byte for byte and counted. `--beside` adds somebody who shares the line: a TCP connection of its own with Cubic, if
//! nothing else is said.

mod cell;
mod kernel;
mod quic;
mod report;

use std::fs::OpenOptions;
use std::io;
use std::io::Write as _;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use beamway::internals::congestion::Algorithm;
use clap::Parser;

use cell::Carrier;
use cell::Cell;
use cell::Setting;

#[derive(Clone, Parser)]
#[command(name = "congestion", about = "Bulk and small calls over lines with a bottleneck")]
struct Arguments {
    /// What carries: cubic, newreno, bbr and so on over QUIC; tcp-cubic, tcp-bbr of the kernel; none (with --beside).
    #[arg(long, value_delimiter = ',', default_value = "cubic,newreno,bbr,tcp-cubic,tcp-bbr")]
    over: Vec<Carrier>,
    /// Lost packets, percent, by chance, in both directions.
    #[arg(long, value_delimiter = ',', default_value = "0,0.5")]
    loss: Vec<f64>,
    /// Round trips of the empty line, milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "20")]
    rtt: Vec<u64>,
    /// Rates of the bottleneck, Mbit/s.
    #[arg(long, value_delimiter = ',', default_value = "100")]
    rate: Vec<u64>,
    /// Buffers of the bottleneck, in milliseconds of its rate.
    #[arg(long, value_delimiter = ',', default_value = "50")]
    buffer: Vec<u64>,
    /// Streams that never end.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    streams: u8,
    /// Bytes that each stream may have outstanding, kB; by default enough for the line and its buffer.
    #[arg(long)]
    outstanding: Option<u32>,
    /// Bulk goes both ways over QUIC, and is counted together.
    #[arg(long)]
    both_ways: bool,
    /// Who shares the line: TCP with Cubic, or `--beside=tcp-bbr`, `--beside=model` …
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "tcp-cubic")]
    beside: Option<Carrier>,
    /// Bytes of the largest packet on the line.
    #[arg(long, default_value_t = 1500)]
    mtu: u16,
    /// Length of a measurement, seconds.
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// What is left out at the start of each, seconds.
    #[arg(long, default_value_t = 2.0)]
    warmup: f64,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// The first seed of chance; each round takes the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the figures of every round as JSON.
    #[arg(long)]
    json: bool,
    /// One short measurement over QUIC: does everything still run?
    #[arg(long)]
    test: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// Part of the name of the benchmarks to run, as all benchmarks take it.
    filter: Option<String>,
}

impl FromStr for Carrier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tcp-cubic" => Ok(Self::Tcp("cubic")),
            "tcp-bbr" => Ok(Self::Tcp("bbr")),
            "none" => Ok(Self::None),
            _ => Algorithm::from_str(text)
                .map(Self::Quic)
                .map_err(|names| format!("tcp-cubic, tcp-bbr, none, {names}")),
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = Arguments::parse();
    let wanted = |filter: &str| "congestion".contains(filter);
    if !arguments.filter.as_deref().is_none_or(wanted) {
        return Ok(ExitCode::SUCCESS);
    }
    let is_trial = arguments.test || !arguments.bench;
    if is_trial {
        arguments.over = vec![Carrier::Quic(Algorithm::default())];
        (arguments.loss, arguments.rtt) = (vec![0.5], vec![20]);
        (arguments.warmup, arguments.seconds, arguments.rounds) = (0.2, 0.5, 1);
    }
    if let Some(reason) = impossible() {
        writeln!(io::stderr(), "congestion: SKIPPED: {reason}")?;
        return Ok(ExitCode::from(if is_trial { 0 } else { 2 }));
    }
    let mut cells = Vec::new();
    for round in 0..arguments.rounds {
        for setting in settings(&arguments) {
            for carrier in &arguments.over {
                let cell = Cell::measure(*carrier, setting, arguments.seed + u64::from(round))?;
                writeln!(io::stderr(), "{}", report::line(&cell))?;
                cells.push(cell);
            }
        }
    }
    let text = if arguments.json {
        report::json(&cells)
    } else {
        report::table(&cells)
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// Every line that was asked for.
fn settings(arguments: &Arguments) -> Vec<Setting> {
    let mut settings = Vec::new();
    for rate in &arguments.rate {
        for rtt in &arguments.rtt {
            for buffer in &arguments.buffer {
                for loss in &arguments.loss {
                    settings.push(Setting {
                        rate: *rate * 1_000_000,
                        rtt: Duration::from_millis(*rtt),
                        buffer: Duration::from_millis(*buffer),
                        loss: *loss / 100.0,
                        streams: arguments.streams,
                        outstanding: arguments.outstanding.map(|kilobytes| kilobytes * 1000),
                        both_ways: arguments.both_ways,
                        beside: arguments.beside,
                        mtu: arguments.mtu,
                        warmup: Duration::from_secs_f64(arguments.warmup),
                        time: Duration::from_secs_f64(arguments.seconds),
                    });
                }
            }
        }
    }
    settings
}

/// Why no line can be laid here.
fn impossible() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("only root can make devices in network namespaces".to_owned());
    }
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    device
        .err()
        .map(|error| format!("this kernel gives no TUN devices, which a line is made of: {error}"))
}
