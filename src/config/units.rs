use std::time::Duration;

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

const TIMES: &[(&str, u64)] = &[
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("min", 60_000_000),
    ("h", 3_600_000_000),
];

/// A size in bytes from text such as `"64MiB"`: a whole number and a unit, with optional blanks between them. `None` for
/// anything else, and if it does not fit 64 bits.
pub(super) fn size(text: &str) -> Option<u64> {
    scaled(text, SIZES)
}

/// A time from text such as `"15s"`: a whole number and a unit (us, ms, s, m or min, h). `None` for anything else.
pub(super) fn time(text: &str) -> Option<Duration> {
    scaled(text, TIMES).map(Duration::from_micros)
}

/// The text for a size, in the largest binary unit that divides it.
pub(super) fn size_text(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    units
        .iter()
        .find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale))
        .map_or_else(
            || format!("{bytes}B"),
            |(unit, scale)| format!("{}{unit}", bytes / scale),
        )
}

/// The text for a time, in the largest unit that divides it.
pub(super) fn time_text(time: Duration) -> String {
    let us = time.as_micros();
    let units = [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)];
    units
        .iter()
        .find(|(_, scale)| us >= *scale && us.is_multiple_of(*scale))
        .map_or_else(|| format!("{us}us"), |(unit, scale)| format!("{}{unit}", us / scale))
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.trim_start_matches(' ');
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}
