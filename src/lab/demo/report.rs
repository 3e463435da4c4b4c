use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use super::rows::Bulk;
use super::rows::CALLERS;
use super::rows::Calls;
use super::rows::RoundTrips;
use super::rows::Transfer;
use crate::lab::testbed::carriers::Carrier;
use crate::lab::testbed::certificates::GATEWAYS;

const LABEL_COLUMNS: usize = 33;
const VALUE_COLUMNS: usize = 12;
const RATIO_COLUMNS: usize = 18;

/// Two figures closer than this are called equal: a run on a busy machine does not tell them apart.
const SAME: f64 = 1.05;

/// Lanes printed on one line.
const LANES_PER_LINE: usize = 16;

/// All rows of one carrier.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What they were measured over.
    pub carrier: Carrier,
    /// Calls by many callers.
    pub calls: Calls,
    /// The big message.
    pub transfer: Transfer,
    /// Round trips alone.
    pub alone: RoundTrips,
    /// Round trips beside bulk.
    pub beside: RoundTrips,
}

/// Everything that a run found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Version of Erlang/OTP; `None` if the nodes are native ones.
    pub otp: Option<String>,
    /// Versions of what TLS distribution is made of, where it was measured.
    pub tls: Option<String>,
    /// The rows, beamway first.
    pub figures: Vec<Figures>,
    /// Why a column is missing, in a sentence.
    pub left_out: Option<String>,
    /// `nodes()` of a and of b over beamway.
    pub nodes: Option<[Vec<String>; 2]>,
    /// Frames that the two gateways sent over each lane.
    pub frames_per_lane: [Option<Vec<u64>>; 2],
    /// How long the run took.
    pub seconds: f64,
}

/// A line of the table.
struct Line {
    label: String,
    unit: Unit,
    value: fn(&Figures) -> f64,
}

#[derive(Clone, Copy)]
enum Unit {
    CallsPerSecond,
    MegabytesPerSecond,
    Microseconds,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::CallsPerSecond => format!("{} /s", thousands(value)),
            Self::MegabytesPerSecond => format!("{} MB/s", thousands(value)),
            Self::Microseconds => microseconds(value),
        }
    }

    /// How many times faster `ours` is than `theirs`; below 1 it is slower.
    fn speed(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::CallsPerSecond | Self::MegabytesPerSecond => ours / theirs,
            Self::Microseconds => theirs / ours,
        }
    }
}

fn lines() -> Vec<Line> {
    let line = |label: &str, unit, value| Line {
        label: label.to_owned(),
        unit,
        value,
    };
    vec![
        line(
            &format!("gen_server calls, {CALLERS} callers"),
            Unit::CallsPerSecond,
            |f| f.calls.per_second,
        ),
        line("one message of 64 MB", Unit::MegabytesPerSecond, |f| {
            f.transfer.megabytes_per_second
        }),
        line("a call, nothing beside it    p50", Unit::Microseconds, |f| {
            count(f.alone.p50_us)
        }),
        line("                             p90", Unit::Microseconds, |f| {
            count(f.alone.p90_us)
        }),
        line("                             p99", Unit::Microseconds, |f| {
            count(f.alone.p99_us)
        }),
        line("                             max", Unit::Microseconds, |f| {
            count(f.alone.max_us)
        }),
        line("a call beside 4 transfers    p50", Unit::Microseconds, |f| {
            count(f.beside.p50_us)
        }),
        line("                             p90", Unit::Microseconds, |f| {
            count(f.beside.p90_us)
        }),
        line("                             p99", Unit::Microseconds, |f| {
            count(f.beside.p99_us)
        }),
        line("                             max", Unit::Microseconds, |f| {
            count(f.beside.max_us)
        }),
        line("what the 4 transfers moved", Unit::MegabytesPerSecond, |f| {
            f.beside.bulk_megabytes_per_second.unwrap_or_default()
        }),
    ]
}

/// The lines of which programs get the ratio, with their keys.
fn ratios() -> Vec<Line> {
    let line = |key: &str, unit, value| Line {
        label: key.to_owned(),
        unit,
        value,
    };
    vec![
        line("calls", Unit::CallsPerSecond, |f| f.calls.per_second),
        line("transfer", Unit::MegabytesPerSecond, |f| {
            f.transfer.megabytes_per_second
        }),
        line("round_trip_alone_p50", Unit::Microseconds, |f| count(f.alone.p50_us)),
        line("round_trip_alone_p99", Unit::Microseconds, |f| count(f.alone.p99_us)),
        line("round_trip_beside_bulk_p50", Unit::Microseconds, |f| {
            count(f.beside.p50_us)
        }),
        line("round_trip_beside_bulk_p99", Unit::Microseconds, |f| {
            count(f.beside.p99_us)
        }),
    ]
}

impl Report {
    /// The table, for a person who sees such figures for the first time.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = String::new();
        let ours = self.of(&Carrier::Inside).or_else(|| self.of(&Carrier::beamway()));
        let others = || self.figures.iter().filter(|figures| !is_ours(&figures.carrier));
        let against = match ours {
            Some(figures) if figures.carrier == Carrier::Inside => "VM against",
            _ => "against",
        };
        let between = if self.otp.is_some() { "" } else { "between native nodes" };
        let mut head = format!("{between:<LABEL_COLUMNS$}");
        for figures in &self.figures {
            let _ = write!(head, "{:>VALUE_COLUMNS$}", figures.carrier.name());
        }
        for figures in others().filter(|_| ours.is_some()) {
            let against = format!("{against} {}", figures.carrier.name());
            let _ = write!(head, "{against:>RATIO_COLUMNS$}");
        }
        let _ = writeln!(table, "{head}");
        for Line { label, unit, value } in lines() {
            let _ = write!(table, "{label:<LABEL_COLUMNS$}");
            for figures in &self.figures {
                let _ = write!(table, "{:>VALUE_COLUMNS$}", unit.show(value(figures)));
            }
            for (ours, theirs) in ours
                .into_iter()
                .flat_map(|ours| others().map(move |theirs| (ours, theirs)))
            {
                let speed = unit.speed(value(ours), value(theirs));
                let _ = write!(table, "{:>RATIO_COLUMNS$}", comparison(speed));
            }
            table.push('\n');
        }
        table.push_str(&self.notes());
        table
    }

    fn notes(&self) -> String {
        let Bulk { streams, bytes } = Bulk::DEMO;
        let carriers = match self.otp {
            Some(_) => "one TCP connection in the clear, as Erlang comes. TLS: the same with `-proto_dist inet_tls`.",
            None => {
                "one TCP connection in the clear. All nodes are native nodes: Rust programs that speak distribution\n\
                 in the BEAMs' place, since no Erlang was found in the path. To the gateways they are nodes like any other."
            }
        };
        let ours = match self.of(&Carrier::Inside) {
            Some(_) => {
                "beamway: through two gateways. beamway VM: the carrier inside both VMs (`-proto_dist beamway`).\n"
            }
            None => "",
        };
        let mut notes = format!(
            "\n{ours}plain: {carriers}\n\
             p50: half of the calls took no longer; p99: 99 in 100. Beside {streams} transfers: {streams} messages of \
             {} MB are in flight all the time.\n\
             1 MB = 1,000,000 bytes. Every call, message and byte was verified where it arrived.\n",
            bytes / 1_000_000
        );
        if let Some(otp) = &self.otp {
            let tls = self.tls.as_deref().unwrap_or("none");
            let _ = writeln!(
                notes,
                "Erlang/OTP {otp}; TLS: {tls}. Releases differ: `--erl PATH` takes another one."
            );
        }
        if let Some(left_out) = &self.left_out {
            let _ = writeln!(notes, "{left_out}");
        }
        for ((name, peer), frames) in GATEWAYS.into_iter().zip(["right", "left"]).zip(&self.frames_per_lane) {
            let Some(frames) = frames else { continue };
            let _ = writeln!(notes, "\nframes per lane, {name} to {peer}:");
            for line in frames.chunks(LANES_PER_LINE) {
                for frames in line {
                    let _ = write!(notes, " {frames:>7}");
                }
                notes.push('\n');
            }
        }
        notes
    }

    /// All figures, for programs. Times in microseconds, rates in calls and in 10^6 bytes per second; a ratio above 1
    /// means that beamway was that many times faster.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows = |pick: fn(&Figures) -> Value| -> Value {
            self.figures
                .iter()
                .map(|figures| (figures.carrier.name().to_lowercase(), pick(figures)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let [left, right] = &self.frames_per_lane;
        json!({
            "beamway": env!("CARGO_PKG_VERSION"),
            "nodes_are": if self.otp.is_some() { "erlang" } else { "native" },
            "otp": self.otp,
            "tls": self.tls,
            "seconds": self.seconds,
            "left_out": self.left_out,
            "nodes": self.nodes.as_ref().map(|[a, b]| json!({ "a": a, "b": b })),
            "rows": {
                "calls": rows(|figures| json!(figures.calls)),
                "transfer": rows(|figures| json!(figures.transfer)),
                "round_trips_alone": rows(|figures| json!(figures.alone)),
                "round_trips_beside_bulk": rows(|figures| json!(figures.beside)),
            },
            "ratios": self.ratios(&Carrier::beamway()),
            "ratios_vm": self.ratios(&Carrier::Inside),
            "frames_per_lane": { "left": left, "right": right },
        })
    }

    /// What was measured over a carrier.
    fn of(&self, carrier: &Carrier) -> Option<&Figures> {
        self.figures.iter().find(|figures| figures.carrier == *carrier)
    }

    /// How many times faster one of ours is than each of the others.
    fn ratios(&self, of: &Carrier) -> Value {
        let Some(ours) = self.of(of) else {
            return Value::Null;
        };
        let against = |theirs: &Figures| -> Value {
            ratios()
                .into_iter()
                .map(|Line { label, unit, value }| (label, json!(unit.speed(value(ours), value(theirs)))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        self.figures
            .iter()
            .filter(|figures| !is_ours(&figures.carrier))
            .map(|theirs| (theirs.carrier.name().to_lowercase(), against(theirs)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// Gateways, and the carrier inside the VM.
const fn is_ours(carrier: &Carrier) -> bool {
    matches!(carrier, Carrier::Beamway(_) | Carrier::Inside)
}

/// A rate, as it stands in a line of progress.
pub(super) fn calls_per_second(value: f64) -> String {
    Unit::CallsPerSecond.show(value)
}

/// See [`calls_per_second`].
pub(super) fn megabytes_per_second(value: f64) -> String {
    Unit::MegabytesPerSecond.show(value)
}

/// A time in microseconds, in the unit that needs the fewest digits.
#[must_use]
pub fn microseconds(value: f64) -> String {
    if value < 1000.0 {
        format!("{value:.0} us")
    } else if value < 10_000.0 {
        format!("{:.1} ms", value / 1e3)
    } else {
        format!("{} ms", thousands(value / 1e3))
    }
}

/// A whole number with a comma after each thousand.
#[must_use]
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many times faster, in words: a ratio alone does not say which way is better.
pub(super) fn comparison(speed: f64) -> String {
    let times = |factor: f64| {
        if factor < 9.95 {
            format!("{factor:.1}x")
        } else {
            format!("{factor:.0}x")
        }
    };
    if !speed.is_finite() || speed <= 0.0 {
        "-".to_owned()
    } else if speed >= SAME {
        format!("{} faster", times(speed))
    } else if speed * SAME <= 1.0 {
        format!("{} slower", times(1.0 / speed))
    } else {
        "equal".to_owned()
    }
}

/// Counts here stay far below 2^53, so nothing is lost.
pub(super) fn count(value: u64) -> f64 {
    value as f64
}
