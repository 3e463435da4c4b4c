use std::fs;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::lab::testbed::rates::float;

/// What Linux counts processor time in, in a second (`USER_HZ`, proc(5)); the same on every machine since 2.6.
const TICKS_PER_SECOND: u64 = 100;

/// The machine that a run is made on, as far as it says.
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_bytes: u64,
    pub(super) kernel: String,
}

impl Machine {
    /// From `/proc`; where there is none, the fields are empty.
    pub(super) fn read() -> Self {
        let file = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
        let kibibytes = field(&file("meminfo"), "MemTotal").and_then(|value| {
            let digits = value.split_whitespace().next()?;
            digits.parse::<u64>().ok()
        });
        Self {
            processor: field(&file("cpuinfo"), "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes.unwrap_or_default().saturating_mul(1024),
            kernel: format!("Linux {}", file("sys/kernel/osrelease").trim()),
        }
    }
}

/// The first value of that name in a file of lines `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

/// Processor time of the whole machine since its start, ticks (`/proc/stat`, proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTime {
    all: u64,
    stolen: u64,
}

impl CpuTime {
    /// Nothing where the system does not say.
    pub(super) fn now() -> Option<Self> {
        Self::of(&fs::read_to_string("/proc/stat").ok()?)
    }

    fn of(text: &str) -> Option<Self> {
        let fields = text.lines().next()?.split_whitespace().skip(1);
        let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; guest times that follow are counted in user already.
        Some(Self {
            all: ticks.iter().take(8).sum(),
            stolen: *ticks.get(7)?,
        })
    }

    /// The share, 0 to 1, that others had until `later`.
    fn stolen_until(self, later: Self) -> f64 {
        float(later.stolen.saturating_sub(self.stolen)) / float(later.all.saturating_sub(self.all).max(1))
    }
}

/// The share of the processors' time, 0 to 1, that others on the host of this machine had since `before`.
pub(super) fn stolen_since(before: Option<CpuTime>) -> f64 {
    before
        .zip(CpuTime::now())
        .map_or(0.0, |(before, after)| before.stolen_until(after))
}

/// Processor time that a process has used, all threads together, to 10 ms. Zero when it is gone.
pub(super) fn used_by(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    Duration::from_millis(ticks_of(&text).unwrap_or_default() * 1000 / TICKS_PER_SECOND)
}

/// `utime` and `stime`, the 14th and 15th field of proc(5); the second one is a name in parentheses that may hold anything.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Now, as RFC 3339 has it, in UTC.
pub(super) fn timestamp() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(since.as_secs())
}

/// The civil calendar in whole days: years begin in March, so that the leap day is the last (Hinnant, `chrono`-compatible
/// low-level date algorithms).
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (month, day) = (
        if march < 10 { march + 3 } else { march - 9 },
        day - (153 * march + 2) / 5 + 1,
    );
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_proc_are_read_by_their_place() {
        let before = CpuTime::of("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2").unwrap();
        let after = CpuTime::of("cpu  150 0 60 1000 10 0 5 75 9 0").unwrap();
        assert_eq!((before.all, before.stolen), (1000, 35));
        assert!((before.stolen_until(after) - 40.0 / 300.0).abs() < 1e-9);
        assert_eq!(CpuTime::of("cpu  1 2 3"), None);
        let stat = "12 (a) b) c) S 1 12 12 0 -1 4194560 2290 0 0 0 310 45 0 0 20 0 8 0 1 2 3";
        assert_eq!(ticks_of(stat), Some(355));
        assert_eq!(ticks_of(""), None);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(rfc3339(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn this_machine_and_this_process_say_something() {
        let machine = Machine::read();
        assert!(
            machine.cores > 0 && machine.memory_bytes > 1 << 20,
            "{} cores",
            machine.cores
        );
        assert!(machine.kernel.len() > "Linux ".len());
        assert_eq!(used_by(u32::MAX), Duration::ZERO);
        let begin = std::time::Instant::now();
        while used_by(std::process::id()) < Duration::from_millis(20) {
            assert!(
                begin.elapsed() < Duration::from_secs(10),
                "a busy process has used nothing"
            );
        }
    }
}
