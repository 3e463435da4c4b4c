use super::findings::Unit;
use crate::cli::demo::report::microseconds;
use crate::cli::demo::report::thousands;

/// A value with its unit, for a line of progress.
pub(super) fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::MessagesPerSecond => format!("{} msg/s", thousands(value)),
        Unit::MegabytesPerSecond => format!("{} MB/s", thousands(value)),
        Unit::Microseconds => microseconds(value),
        Unit::MicrosecondsPerMessage => format!("{value:.2} us each"),
        Unit::PerSecond => format!("{} /s", thousands(value)),
    }
}
