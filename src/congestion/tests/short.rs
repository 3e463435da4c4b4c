//! Paths within a host or a rack.

use std::time::Duration;
use std::time::Instant;

use super::line::Flow;
use super::line::Line;
use crate::congestion::model::Model;

/// Runs bulk data, and a call every 10 ms if `has_calls`, on a line of 3 Gbit/s and 0.2 ms with an unlimited buffer, as between two
/// processes of one host.
fn carries(line: &mut Line, has_calls: bool) -> (f64, f64) {
    let mut share = 0.0;
    for count in 1..=100 {
        if has_calls {
            line.flows[0].calls().expect("the model").tell(count);
        }
        share += line.run(Duration::from_millis(10))[0] / 100.0;
    }
    (share, line.queue_at(0.9).as_secs_f64() * line.rate)
}

#[test]
fn a_call_that_was_told_of_has_room_until_the_next_acknowledgement() {
    const MTU: u16 = 1200;
    let now = Instant::now();
    let mut model = Model::new(now, MTU);
    let before = model.window();
    model.calls().tell(1);
    assert_eq!(model.window(), before + 2 * u64::from(MTU));
    model.handle_end_acks(now, 0, true);
    assert_eq!(model.window(), before);
}

/// Otherwise the minimum window would be 16 packets for 30 s, as after a probe.
#[test]
fn acknowledgements_that_leave_do_not_fill_the_window() {
    const MTU: u16 = 16_200;
    let mut now = Instant::now();
    let mut model = Model::new(now, MTU);
    for count in 1..50 {
        model.calls().tell(count);
        let sent = now;
        model.handle_sent(sent, model.window());
        now += Duration::from_millis(1);
        model.handle_ack(now, sent, 81_000, false);
        model.handle_end_acks(now, 0, false);
    }
    let window = model.window();
    assert!(
        window < 10 * u64::from(MTU),
        "{window} is not what is kept beside calls"
    );
    for _ in 0..5 {
        model.handle_sent(now, 40);
    }
    model.handle_sent(now, window);
    model.set_mtu(MTU);
    assert_eq!(model.window(), window);
    // This packet is a probe.
    model.handle_sent(now, u64::from(MTU));
    model.set_mtu(MTU);
    assert_eq!(model.window(), 16 * u64::from(MTU));
}

#[test]
fn on_a_short_way_little_waits_while_calls_travel_beside_bulk() {
    let (trip, buffer) = (Duration::from_micros(200), Duration::from_millis(50));
    let mut line = Line::new(3000.0, trip, buffer, vec![Flow::model()]);
    line.run(Duration::from_secs(1));
    let (share, bytes) = carries(&mut line, false);
    assert!(share > 0.95, "{share:.2} of the line");
    assert!(
        bytes > 512.0 * 1024.0,
        "{bytes:.0} bytes wait although there are no calls"
    );
    let (share, bytes) = carries(&mut line, true);
    assert!(share > 0.95, "{share:.2} of the line beside calls");
    assert!(bytes < 64.0 * 1024.0, "{bytes:.0} bytes wait before calls");
    // The calls are forgotten two seconds after the last one.
    line.run(Duration::from_secs(3));
    let (_, bytes) = carries(&mut line, false);
    assert!(bytes > 512.0 * 1024.0, "{bytes:.0} bytes wait when calls are over");
}
