//! Within a host or a rack.

use std::time::Duration;

use super::line::Flow;
use super::line::Line;

/// Three gigabits a second, a fifth of a millisecond, and a buffer without end, as between two processes of one host.
#[test]
fn on_a_short_way_no_more_waits_than_keeps_both_ends_busy() {
    let (trip, buffer) = (Duration::from_micros(200), Duration::from_millis(50));
    let mut line = Line::new(3000.0, trip, buffer, vec![Flow::model()]);
    line.run(Duration::from_secs(1));
    let share = line.run(Duration::from_secs(1))[0];
    let bytes = line.queue_at(0.9).as_secs_f64() * line.rate;
    assert!(
        share > 0.95 && bytes < 160.0 * 1024.0,
        "{share:.2} of the line, {bytes:.0} bytes wait"
    );
}
