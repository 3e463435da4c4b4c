use std::time::Duration;

use super::error::LinkemError;

/// What one direction of a network path does to packets. Changed by words such as `delay=10ms`: see [`apply`](Self::apply).
#[derive(Clone, Debug, PartialEq)]
pub struct LineConfig {
    /// From the end of the bottleneck to the other side.
    pub delay: Duration,
    /// Up to this is added to the delay of each packet, evenly spread; packets keep their order.
    pub jitter: Duration,
    /// The fraction of packets that is lost, 0 to 1. They have used up the rate all the same.
    pub loss: f64,
    /// How many packets in a row are lost at a time, on average; 0: each packet is lost or not by itself.
    pub burst: f64,
    /// Bits per second that pass the bottleneck; none: any number.
    pub rate: Option<u64>,
    /// Bytes that may wait for the bottleneck; a packet that does not fit is dropped.
    pub buffer: u64,
    /// The fraction of packets that arrives twice.
    pub duplicate: f64,
    /// The fraction of packets that is held back, so that later ones overtake them.
    pub reorder: f64,
    /// Such a packet is held back by up to this, evenly spread.
    pub late: Duration,
    /// Nothing that comes in now ever arrives.
    pub blackout: bool,
}

impl Default for LineConfig {
    /// A path without faults and without limits.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: 0.0,
            rate: None,
            buffer: 256_000,
            duplicate: 0.0,
            reorder: 0.0,
            late: Duration::from_millis(5),
            blackout: false,
        }
    }
}

/// A longer delay is a typing error; it would also fill the memory with packets under way.
const TIME_MAX: Duration = Duration::from_secs(60);

const TIMES: &[(&str, f64)] = &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
const RATES: &[(&str, f64)] = &[("kbit", 1e3), ("Mbit", 1e6), ("Gbit", 1e9)];
const SIZES: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("KiB", 1024.0),
    ("MB", 1e6),
    ("MiB", 1_048_576.0),
];

impl LineConfig {
    /// Changes what the words say, such as `delay=10ms loss=0.5% rate=100Mbit`, separated by blanks; all of them or, when
    /// one of them is wrong, none.
    ///
    /// # Errors
    ///
    /// The first word that is wrong, and what is allowed.
    pub fn apply(&mut self, words: &str) -> Result<(), LinkemError> {
        let mut changed = self.clone();
        for word in words.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            changed.set(key, value).map_err(|allowed| LinkemError::Word {
                word: word.to_owned(),
                allowed,
            })?;
        }
        *self = changed;
        Ok(())
    }

    /// Sets one key, or says what is allowed.
    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "delay" => self.delay = time(value)?,
            "jitter" => self.jitter = time(value)?,
            "loss" => self.loss = fraction(value)?,
            "burst" => {
                let number = value.parse().ok().filter(|n| *n == 0.0 || (1.0..=1e6).contains(n));
                self.burst = number.ok_or("0, or how many packets in a row, from 1 on")?;
            }
            "rate" if value == "off" => self.rate = None,
            "rate" => {
                let rate = scaled(value, RATES).map(|rate| rate as u64).filter(|rate| *rate > 0);
                self.rate = Some(rate.ok_or("off, or bits per second such as 100Mbit (kbit, Mbit, Gbit)")?);
            }
            "buffer" => {
                let size = scaled(value, SIZES).map(|size| size as u64);
                self.buffer = size.ok_or("a size such as 250kB (B, kB, KiB, MB, MiB)")?;
            }
            "duplicate" => self.duplicate = fraction(value)?,
            "reorder" => self.reorder = fraction(value)?,
            "late" => self.late = time(value)?,
            "blackout" => {
                self.blackout = match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err("on or off"),
                }
            }
            _ => {
                return Err(
                    "the keys delay, jitter, loss, burst, rate, buffer, duplicate, reorder, late, blackout, each with = and a value",
                );
            }
        }
        Ok(())
    }
}

fn time(value: &str) -> Result<Duration, &'static str> {
    scaled(value, TIMES)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| *time <= TIME_MAX)
        .ok_or("a time such as 10ms (us, ms, s), at most 60s")
}

fn fraction(value: &str) -> Result<f64, &'static str> {
    scaled(value, &[("%", 0.01)])
        .filter(|fraction| *fraction <= 1.0)
        .ok_or("a percentage such as 0.5%, at most 100%")
}

/// A number that is not negative, times its unit.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(end)?;
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number.parse::<f64>().ok()? * scale)
}
