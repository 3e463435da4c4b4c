use super::findings::Group;
use super::findings::Row;
use super::findings::Unit;
use super::network_path::NetworkPath;

/// Connections that are made at once.
pub(super) const TOGETHER: u32 = 4;

/// `net_ticktime` under full load, seconds: a tick each second.
pub(super) const TICKTIME: u32 = 4;

/// The stream beside a node that is stopped: pairs, and bytes of a message.
pub(super) const BESIDE_STALLED: (u32, u64) = (16, 100);

/// Something to measure, over one carrier at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    pub(super) what: What,
    /// On this machine's loopback if on none.
    pub(super) line: Option<NetworkPath>,
    /// Between nodes that are not ours, whose processor time is not known.
    pub(super) visiting: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Messages of so many bytes between so many pairs of processes.
    Stream { pairs: u32, bytes: u64 },
    /// Small calls, one after the other.
    Idle,
    /// A small call every 10 ms.
    Calls(Option<Bulk>),
    /// Connections, one after the other.
    SetUp,
    /// Connections of one node to several at once.
    SetUpTogether,
    /// A stream and calls, while a third node does not read what it is sent.
    Stalled,
    /// Bulk both ways with a short `net_ticktime`.
    Ticks,
}

/// Senders beside calls, each with so many messages of so many bytes unacknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bulk {
    pub(super) streams: u32,
    pub(super) bytes: u64,
    pub(super) window: u32,
}

impl Bulk {
    pub(super) const MEGABYTES: Self = Self {
        streams: 4,
        bytes: 4_000_000,
        window: 1,
    };
    pub(super) const KILOBYTES: Self = Self {
        streams: 4,
        bytes: 256_000,
        window: 1,
    };
    /// More streams than there are lanes by default.
    pub(super) const CROWD: Self = Self {
        streams: 64,
        bytes: 256_000,
        window: 1,
    };
    /// Never waits for an answer as long as a megabyte is under way.
    pub(super) const FLOW: Self = Self {
        streams: 1,
        bytes: 64_000,
        window: 16,
    };

    fn title(self) -> String {
        match self {
            Self::FLOW => "a continuous stream".to_owned(),
            Self { streams, bytes, .. } => format!("{streams} x {}", size(bytes)),
        }
    }

    fn key(self) -> String {
        match self {
            Self::FLOW => "flow".to_owned(),
            Self { streams, bytes, .. } => format!("{streams}-{bytes}"),
        }
    }
}

impl Task {
    /// The rows that it fills, always all of them.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = self.what.rows();
        rows.retain(|row| !(self.visiting && row.group == Group::Processor));
        if let Some(line) = &self.line {
            for row in &mut rows {
                row.key = format!("{}@{}", row.key, line.key());
                row.group = Group::Line;
                row.line = Some(line.title());
            }
        }
        rows
    }

    /// Whether `filter` names it: a part of a key or a title of its rows, or several, with commas between them.
    pub(super) fn is_meant(&self, filter: &str) -> bool {
        let parts: Vec<String> = parts(filter).map(str::to_lowercase).collect();
        self.rows().iter().any(|row| {
            let line = row.line.as_deref().unwrap_or_default();
            let text = format!("{} {} {line}", row.key, row.title).to_lowercase();
            parts.iter().any(|part| text.contains(part))
        })
    }
}

/// What stands between the commas of a filter.
pub(super) fn parts(filter: &str) -> impl Iterator<Item = &str> {
    filter.split(',').map(str::trim).filter(|part| !part.is_empty())
}

impl What {
    fn rows(self) -> Vec<Row> {
        match self {
            Self::Stream { pairs, bytes } => stream_rows(pairs, bytes),
            Self::Idle => vec![row(
                "idle",
                "one call after the other",
                Group::RoundTrip,
                Unit::Microseconds,
            )],
            Self::Calls(None) => vec![row("calls", "a call every 10 ms", Group::RoundTrip, Unit::Microseconds)],
            Self::Calls(Some(bulk)) => vec![row(
                &format!("calls-{}", bulk.key()),
                &format!("a call every 10 ms beside {}", bulk.title()),
                Group::RoundTrip,
                Unit::Microseconds,
            )],
            Self::SetUp => vec![row("set-up", "a connection", Group::SetUp, Unit::Microseconds)],
            Self::SetUpTogether => vec![row(
                "set-up-together",
                &format!("connections, {TOGETHER} at once"),
                Group::SetUp,
                Unit::PerSecond,
            )],
            Self::Stalled => stalled_rows(),
            Self::Ticks => vec![row(
                "ticks",
                &format!("longest silence under full load, net_ticktime {TICKTIME} s"),
                Group::Ticks,
                Unit::Microseconds,
            )],
        }
    }
}

/// A row that is not of a line.
pub(super) fn row(key: &str, title: &str, group: Group, unit: Unit) -> Row {
    Row {
        key: key.to_owned(),
        title: title.to_owned(),
        group,
        unit,
        line: None,
    }
}

fn stream_rows(pairs: u32, bytes: u64) -> Vec<Row> {
    let title = match pairs {
        1 => format!("{}, 1 pair", size(bytes)),
        _ => format!("{}, {pairs} pairs", size(bytes)),
    };
    let (word, unit) = match bytes {
        0..1000 => ("messages", Unit::MessagesPerSecond),
        _ => ("bytes", Unit::MegabytesPerSecond),
    };
    vec![
        row(&format!("{word}-{bytes}-{pairs}"), &title, Group::Throughput, unit),
        row(
            &format!("processor-{bytes}-{pairs}"),
            &title,
            Group::Processor,
            Unit::MicrosecondsPerMessage,
        ),
    ]
}

fn stalled_rows() -> Vec<Row> {
    let (pairs, bytes) = BESIDE_STALLED;
    let beside = "beside a flood to a stopped node";
    vec![
        row(
            "stalled-messages",
            &format!("{}, {pairs} pairs, {beside}", size(bytes)),
            Group::Stalled,
            Unit::MessagesPerSecond,
        ),
        row(
            "stalled-calls",
            &format!("a call every 10 ms {beside}"),
            Group::Stalled,
            Unit::Microseconds,
        ),
    ]
}

/// A number of bytes for people: powers of two as OTP's benchmark has them, else decimal.
fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) && !bytes.is_multiple_of(1000) => format!("{} KiB", bytes >> 10),
        1000..1_000_000 => format!("{} KB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_or_powers_of_two() {
        let sizes = [
            0,
            64,
            1024,
            4000,
            4096,
            16_384,
            64_000,
            65_536,
            256_000,
            1_000_000,
            1 << 20,
            16_000_000,
        ];
        let texts = [
            "0 B", "64 B", "1 KiB", "4 KB", "4 KiB", "16 KiB", "64 KB", "64 KiB", "256 KB", "1 MB", "1 MiB", "16 MB",
        ];
        assert_eq!(sizes.map(size), texts);
    }

    #[test]
    fn a_filter_means_keys_titles_and_lines() {
        let stream = Task {
            what: What::Stream { pairs: 16, bytes: 100 },
            line: None,
            visiting: false,
        };
        assert!(stream.is_meant("messages-100") && stream.is_meant("16 pairs") && stream.is_meant("ticks, 100 b"));
        assert!(!stream.is_meant("ticks") && !stream.is_meant("1 MB"));
        let line = NetworkPath {
            mbit: 100,
            round_trip_ms: 20,
            loss_tenths: 5,
        };
        let calls = Task {
            what: What::Calls(Some(Bulk::KILOBYTES)),
            line: Some(line),
            visiting: false,
        };
        assert!(calls.is_meant("loss 0.5 %") && calls.is_meant("4 x 256 KB") && !calls.is_meant("loss 2 %"));
        assert_eq!(calls.rows()[0].key, "calls-4-256000@100-20-0.5");
    }
}
