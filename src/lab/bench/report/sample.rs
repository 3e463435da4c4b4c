//! Made-up findings of a plausible run, for tests and for those who look at the report while they change it.

use crate::lab::bench::findings::About;
use crate::lab::bench::findings::Findings;
use crate::lab::bench::findings::Group;
use crate::lab::bench::findings::Latency;
use crate::lab::bench::findings::Measure;
use crate::lab::bench::findings::Row;
use crate::lab::bench::findings::Unit;
pub(super) use crate::lab::bench::rows::row;

/// Carriers of a full run.
pub(super) const ALL: [&str; 9] = [
    "beamway 1",
    "beamway 4",
    "beamway 16",
    "beamway 16 cubic",
    "beamway 64",
    "plain",
    "tuned",
    "TLS",
    "quic_dist",
];

/// Round trips of this many calls.
pub(super) const SAMPLES: u64 = 12_000;

/// Every row over every carrier.
pub(super) fn findings(carriers: &[&str], rounds: u32, rows: Vec<Row>) -> Findings {
    let mut measures = Vec::new();
    for round in 0..rounds {
        for (which, row) in rows.iter().enumerate() {
            for (place, carrier) in carriers.iter().enumerate() {
                measures.push(measure(row, carrier, round, &mut Dice::new(round, which, place)));
            }
        }
    }
    Findings {
        about: about(rounds),
        rows,
        measures,
    }
}

pub(super) fn about(rounds: u32) -> About {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    About {
        beamway: "0.1.0".to_owned(),
        started: "2026-11-21T14:30:00Z".to_owned(),
        machine: "AMD EPYC 7B13".to_owned(),
        cores: 2,
        memory_bytes: 8_342_863_872,
        kernel: "Linux 6.1.0-42-cloud-amd64".to_owned(),
        otp: "25.2.3".to_owned(),
        tls: Some("ssl 10.8.7, OpenSSL 3.0.20 7 Apr 2026".to_owned()),
        settings: vec![
            setting("Rounds", &rounds.to_string()),
            setting("Length of a measurement", "4 s"),
            setting("Seed of the lines", "7"),
            setting("Command", "beamway bench --full --out report"),
        ],
        rounds_wanted: rounds,
        complete: true,
        notes: vec!["1 Gbit/s is left out: the emulator alone carries 740 Mbit/s on this machine.".to_owned()],
    }
}

/// The rows of a full run, or nearly.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("set-up", "a connection", Group::SetUp, Unit::Microseconds),
        row(
            "set-up-together",
            "connections, 4 at once",
            Group::SetUp,
            Unit::PerSecond,
        ),
        row("idle", "one call after the other", Group::RoundTrip, Unit::Microseconds),
        row("calls", "a call every 10 ms", Group::RoundTrip, Unit::Microseconds),
        row(
            "calls-4-4000000",
            "a call every 10 ms beside 4 x 4 MB",
            Group::RoundTrip,
            Unit::Microseconds,
        ),
        row(
            "stalled-messages",
            "100 B, 16 pairs, beside a flood to a stopped node",
            Group::Stalled,
            Unit::MessagesPerSecond,
        ),
        row(
            "stalled-calls",
            "a call every 10 ms beside a flood to a stopped node",
            Group::Stalled,
            Unit::Microseconds,
        ),
        row(
            "ticks",
            "longest silence under full load, net_ticktime 4 s",
            Group::Ticks,
            Unit::Microseconds,
        ),
    ];
    for pairs in [1, 16, 256] {
        for (size, bytes) in [("0 B", 0), ("100 B", 100), ("4 KB", 4000), ("1 MB", 1_000_000)] {
            let title = format!("{size}, {pairs} {}", if pairs == 1 { "pair" } else { "pairs" });
            let unit = if bytes < 1000 {
                Unit::MessagesPerSecond
            } else {
                Unit::MegabytesPerSecond
            };
            rows.push(row(&format!("stream-{bytes}-{pairs}"), &title, Group::Throughput, unit));
            rows.push(row(
                &format!("processor-{bytes}-{pairs}"),
                &title,
                Group::Processor,
                Unit::MicrosecondsPerMessage,
            ));
        }
    }
    for (rate, delay) in [(100, 1), (100, 20), (100, 80), (1000, 20)] {
        for loss in ["0", "0.1", "0.5", "2"] {
            rows.push(Row {
                line: Some(format!("{rate} Mbit/s, {delay} ms, loss {loss} %").replace("1000 M", "1 G")),
                ..row(
                    &format!("calls-4-256000@{rate}-{delay}-{loss}"),
                    "a call every 10 ms beside 4 x 256 KB",
                    Group::Line,
                    Unit::Microseconds,
                )
            });
        }
    }
    rows
}

/// The same numbers in each run.
struct Dice(u64);

impl Dice {
    fn new(round: u32, row: usize, carrier: usize) -> Self {
        Self((u64::from(round) << 40) ^ ((row as u64) << 20) ^ carrier as u64 ^ 0x5DEE_CE66)
    }

    /// From 0 to 1 (splitmix64).
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How fast a carrier is, about.
fn speed(carrier: &str) -> f64 {
    match carrier {
        "plain" => 1.0,
        "tuned" => 1.2,
        "TLS" => 0.35,
        "beamway 1" => 0.5,
        "beamway 4" => 0.62,
        "beamway 16" => 0.71,
        "beamway 16 cubic" => 1.6,
        "beamway 64" => 0.66,
        _ => 0.05,
    }
}

fn measure(row: &Row, carrier: &str, round: u32, dice: &mut Dice) -> Measure {
    let speed = speed(carrier) * (0.9 + 0.2 * dice.roll());
    let bytes = row
        .key
        .split('-')
        .find_map(|part| part.parse::<f64>().ok())
        .unwrap_or(100.0);
    let mut latency = None;
    let value = match (row.unit, row.group) {
        (Unit::MessagesPerSecond, _) => 560_000.0 * speed,
        (Unit::MegabytesPerSecond, _) => 900.0 * speed * (bytes / 4000.0).powf(0.2),
        (Unit::PerSecond, _) => 74.0 * speed,
        (Unit::MicrosecondsPerMessage, _) => 3.4 / speed * (1.0 + bytes / 9000.0),
        (Unit::Microseconds, Group::SetUp) => 5200.0 / speed,
        (Unit::Microseconds, Group::Ticks) => 1_020_000.0 / speed.sqrt(),
        (Unit::Microseconds, group) => {
            let base = match group {
                Group::Line => line_base(row),
                _ if row.title.contains("beside") => 5000.0,
                _ => 90.0,
            };
            let spread = dice.roll();
            let round_trips = round_trips(base / speed, if group == Group::Line { 0.8 } else { 1.0 + spread });
            latency.insert(round_trips).p50
        }
    };
    let stolen = 0.03 * dice.roll().powi(6);
    Measure {
        row: row.key.clone(),
        carrier: carrier.to_owned(),
        round,
        value,
        stolen,
        marked: stolen > 0.02,
        latency,
        bulk: row
            .title
            .contains(" x ")
            .then(|| 11.0 * speed.min(1.0) * (0.9 + 0.1 * dice.roll())),
    }
}

fn line_base(row: &Row) -> f64 {
    let line = row.line.as_deref().unwrap_or_default();
    let delay = if line.contains("20 ms") {
        20_000.0
    } else if line.contains("80 ms") {
        80_000.0
    } else {
        1500.0
    };
    if line.contains("loss 2 %") { delay * 1.7 } else { delay }
}

/// Long tails, as queues have them.
fn round_trips(base: f64, tail: f64) -> Latency {
    let at = |quantile: f64| {
        let decades = -(1.0 - quantile.min(1.0 - 1.0 / SAMPLES as f64)).log10();
        base * (0.8 + 0.65 * quantile + tail * 0.16 * decades.powf(2.2))
    };
    let even = (0..=18).map(|step| f64::from(step) / 20.0);
    let dense =
        (1..=4).flat_map(|decade| (1..=9).map(move |step| 1.0 - f64::from(10 - step) / 10_f64.powi(decade + 1)));
    let curve = even
        .chain(dense)
        .chain([1.0])
        .map(|quantile| (quantile, at(quantile)))
        .collect();
    Latency {
        samples: SAMPLES,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: Some(at(0.999)),
        max: at(1.0),
        curve,
    }
}
