/// `count` in `us` microseconds as a rate. Zero time counts as one microsecond.
pub(in crate::lab) fn per_second(count: u64, us: u64) -> f64 {
    float(count) * 1e6 / float(us.max(1))
}

/// Counts here stay far below 2^53, so nothing is lost.
pub(in crate::lab) fn float(count: u64) -> f64 {
    count as f64
}

/// Millions of bytes in a second.
pub(in crate::lab) fn megabytes_per_second(bytes: u64, us: u64) -> f64 {
    per_second(bytes, us) / 1e6
}
