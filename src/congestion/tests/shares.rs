//! How much of a line the model gets, how long the queue is, and how much is left to others.

use std::time::Duration;
use std::time::Instant;

use super::line::Flow;
use super::line::Line;
use super::line::MTU;
use crate::congestion::cubic::Cubic;
use crate::congestion::phase::Competitive;

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

const fn s(time: u64) -> Duration {
    Duration::from_secs(time)
}

/// Bulk data gets at least 0.9 of the line, with a queue of a few milliseconds, whatever the loss, the buffer and the distance.
#[test]
fn alone_it_fills_the_line_but_not_the_buffer() {
    for (rate, round_trip) in [(10.0, 20), (100.0, 1), (100.0, 20), (100.0, 80), (400.0, 80)] {
        for buffer in [10, 50, 200] {
            for loss in [0.0, 0.001, 0.005, 0.02] {
                let mut line = Line::new(rate, ms(round_trip), ms(buffer), vec![Flow::model()]);
                line.loss = loss;
                line.run(s(2));
                let share = line.run(s(4))[0];
                let (p50, p99) = (line.queue_at(0.5), line.queue_at(0.99));
                let seen = format!(
                    "{rate} Mbit/s, {round_trip} ms, buffer {buffer} ms, loss {loss}: {share:.2}, {p50:?}, {p99:?}"
                );
                assert!(share >= 0.9, "{seen}");
                assert!(p50 <= ms(18) && p99 <= ms(25), "{seen}");
            }
        }
    }
}

/// On a slow line a few packets are a long queue. The model must not conclude that there are other flows.
#[test]
fn a_slow_line_is_full_and_its_queue_is_short() {
    for rate in [0.5, 1.0, 2.0, 5.0] {
        for (loss, noise) in [(0.0, 0), (0.0, 15), (0.01, 0), (0.01, 15)] {
            let mut line = Line::new(rate, ms(20), ms(400), vec![Flow::model()]);
            (line.loss, line.noise) = (loss, ms(noise));
            line.run(s(5));
            let (share, queue) = (line.run(s(10))[0], line.queue_at(0.5));
            let seen = format!("{rate} Mbit/s, loss {loss}, noise {noise} ms: {share:.2}, {queue:?}");
            let packets = Duration::from_secs_f64(6.0 * MTU as f64 / line.rate);
            assert!(share > 0.93 && queue < ms(25) + packets, "{seen}");
        }
    }
}

/// A check of the tests above: Cubic fails them in both respects.
#[test]
fn cubic_fills_the_buffer_and_takes_chance_for_congestion() {
    let mut line = Line::new(100.0, ms(20), ms(50), vec![Flow::tcp()]);
    line.run(s(2));
    assert!(line.run(s(4))[0] > 0.9 && line.queue_at(0.5) > ms(25));
    let mut line = Line::new(100.0, ms(20), ms(50), vec![Flow::tcp()]);
    line.loss = 0.005;
    line.run(s(2));
    let share = line.run(s(4))[0];
    assert!(share < 0.3, "{share}");
}

/// Machines read and reply late. A small delay has no effect. A delay of half a round trip is sometimes mistaken for the queue of
/// others, and random losses then cost speed. Even so, more is left than Cubic gets on a steady line.
#[test]
fn times_that_are_measured_late_cost_little() {
    for (noise, least) in [(1, 0.9), (5, 0.9), (10, 0.4)] {
        let mut line = Line::new(100.0, ms(20), ms(50), vec![Flow::model()]);
        (line.noise, line.loss) = (ms(noise), 0.005);
        line.run(s(2));
        let share = line.run(s(10))[0];
        assert!(share > least, "{noise} ms: {share}");
        assert!(line.queue_at(0.5) < ms(20), "{noise} ms: {:?}", line.queue_at(0.5));
    }
}

/// Beside a Cubic flow that starts earlier or later, neither flow has more than three times as much as the other.
#[test]
fn cubic_and_it_share_a_line() {
    for (round_trip, buffer) in [
        (20, 10),
        (20, 50),
        (20, 100),
        (20, 200),
        (80, 10),
        (80, 20),
        (80, 50),
        (80, 100),
        (80, 200),
    ] {
        for (model, tcp) in [(0, 5), (5, 0)] {
            let flows = vec![Flow::model().beginning(s(model)), Flow::tcp().beginning(s(tcp))];
            let mut line = Line::new(100.0, ms(round_trip), ms(buffer), flows);
            line.run(s(20));
            let shares = line.run(s(40));
            let ratio = shares[0] / shares[1];
            let seen = format!("{round_trip} ms, buffer {buffer} ms, begun at {model} and {tcp} s: {shares:.2?}");
            assert!((1.0 / 3.0..=3.0).contains(&ratio), "{seen}");
        }
    }
}

/// A flow that starts together with TCP at a long buffer soon has a similar share. It is random which packets a full buffer drops, so the
/// mean of several runs is checked.
#[test]
fn who_begins_beside_cubic_has_its_share_soon() {
    let beginnings = [(0, 0), (0, 10), (0, 30), (0, 100), (10, 0), (30, 0), (100, 0)];
    let ratios = beginnings.map(|(model, tcp)| {
        let flows = vec![Flow::model().beginning(ms(model)), Flow::tcp().beginning(ms(tcp))];
        let mut line = Line::new(100.0, ms(20), ms(200), flows);
        line.run(s(8));
        let shares = line.run(s(20));
        shares[0] / shares[1]
    });
    let mean = ratios.map(f64::ln).iter().sum::<f64>() / ratios.len() as f64;
    assert!((0.5..2.0).contains(&mean.exp()), "{:.2}: {ratios:.2?}", mean.exp());
}

/// In competitive mode random loss has no effect. But a window that doubles again and again must not wait for another kind of loss.
#[test]
fn a_slow_start_ends_with_any_loss() {
    let now = Instant::now();
    let mut competitive = Competitive::new(now, Cubic::new(100 * MTU, MTU as u16, now), ms(50));
    for round_trip in 1..=3 {
        competitive.on_loss(now + ms(20 * round_trip), now + ms(20 * round_trip - 1), ms(50), true);
        assert_eq!(competitive.cubic.window(), 70 * MTU, "once");
    }
}

/// A buffer that TCP fills slowly is not mistaken, bit by bit, for a path that has become longer.
#[test]
fn who_finds_a_full_buffer_gets_a_like_share() {
    for buffer in [50, 100] {
        let flows = vec![Flow::model().beginning(s(5)), Flow::tcp()];
        let mut line = Line::new(100.0, ms(20), ms(buffer), flows);
        line.run(s(20));
        let shares = line.run(s(40));
        assert!(shares[0] / shares[1] > 0.6, "buffer {buffer} ms: {shares:.2?}");
    }
}

/// A flow that starts with room for a few packets only, because TCP has filled the buffer before, does not stay there.
#[test]
fn a_flow_of_few_packets_gets_its_share() {
    let mut line = Line::new(20.0, ms(20), ms(200), vec![Flow::model(), Flow::tcp()]);
    line.run(s(20));
    let shares = line.run(s(40));
    assert!(shares[0] > 0.25, "{shares:.2?}");
}

/// Cubic gets little of a line with packet loss. Beside the model it keeps at least half of that.
#[test]
fn cubic_on_a_bad_line_keeps_half() {
    for (round_trip, loss) in [(20, 0.005), (20, 0.02), (80, 0.005)] {
        let run = |flows| {
            let mut line = Line::new(100.0, ms(round_trip), ms(50), flows);
            line.loss = loss;
            line.run(s(5));
            line.run(s(30))
        };
        let alone = run(vec![Flow::tcp()])[0];
        let beside = run(vec![Flow::tcp(), Flow::model()]);
        assert!(
            beside[0] >= alone / 2.0,
            "{round_trip} ms, {loss}: {alone:.3} alone, {beside:.3?}"
        );
        assert!(beside[1] > 0.8, "{beside:.3?}");
    }
}

#[test]
fn when_the_others_are_gone_the_queue_is_short_again() {
    let mut tcp = Flow::tcp();
    tcp.ends = s(20);
    let mut line = Line::new(100.0, ms(20), ms(100), vec![Flow::model(), tcp]);
    line.run(s(20));
    assert!(line.flows[0].is_competitive());
    assert!(line.queue_at(0.5) > ms(40), "TCP fills the buffer");
    // The model probes every eight seconds whether it is alone.
    line.run(s(10));
    let share = line.run(s(5))[0];
    assert!(!line.flows[0].is_competitive());
    assert!(
        share > 0.9 && line.queue_at(0.99) < ms(15),
        "{share} {:?}",
        line.queue_at(0.99)
    );
}

/// Two flows of the model end up with similar shares, whichever starts first.
#[test]
fn two_of_a_kind_share_evenly() {
    for round_trip in [20, 80] {
        let flows = vec![Flow::model(), Flow::model().beginning(s(4))];
        let mut line = Line::new(100.0, ms(round_trip), ms(50), flows);
        line.run(s(15));
        let shares = line.run(s(20));
        assert!((0.6..1.6).contains(&(shares[0] / shares[1])), "{shares:.2?}");
        assert!(line.queue_at(0.99) < ms(25), "{:?}", line.queue_at(0.99));
    }
}

#[test]
fn it_starts_quickly() {
    let mut line = Line::new(100.0, ms(20), ms(50), vec![Flow::model()]);
    line.run(ms(300));
    let share = line.run(ms(300))[0];
    assert!(share > 0.9, "{share}");
}

/// After minutes with few small messages, or none at all, a burst gets the whole line at once.
#[test]
fn little_to_send_does_not_make_it_forget() {
    for offered in [0.0, 20e3] {
        let mut line = Line::new(100.0, ms(20), ms(50), vec![Flow::model()]);
        line.run(s(3));
        let known = line.flows[0].window();
        let begun = line.flows[0].carried() as f64;
        // The offered load is counted from the beginning, so that none of it is left over.
        line.flows[0].ends = s(3);
        line.run(s(100));
        line.flows[0].begins = s(103);
        (line.flows[0].offered, line.flows[0].ends) = (Some(offered + begun / 1e3), Duration::MAX);
        line.run(s(20));
        assert!(
            line.flows[0].window() > known * 9 / 10,
            "{known} became {}",
            line.flows[0].window()
        );
        line.flows[0].offered = None;
        line.run(ms(40));
        let share = line.run(ms(100))[0];
        assert!(share > 0.9, "{share} after {offered} bytes a second");
    }
}

/// A sender that was never limited by the line learns nothing about it, and is not limited by what it does not know.
#[test]
fn who_sends_little_is_not_held_back() {
    let mut flow = Flow::model();
    flow.offered = Some(2e6);
    let mut line = Line::new(1000.0, ms(20), ms(50), vec![flow]);
    line.run(s(1));
    let share = line.run(s(5))[0];
    assert!((0.0159..0.0161).contains(&share), "{share}: all of 2 MB/s");
    line.flows[0].offered = None;
    line.run(ms(200));
    assert!(line.run(ms(500))[0] > 0.9);
}

#[test]
fn it_recovers_from_darkness() {
    let mut line = Line::new(100.0, ms(20), ms(50), vec![Flow::model()]);
    line.run(s(3));
    line.is_dark = true;
    line.run(s(3));
    assert!(line.flows[0].window() >= 4 * MTU);
    line.is_dark = false;
    line.run(s(1));
    let share = line.run(s(3))[0];
    assert!(share > 0.9 && line.queue_at(0.99) < ms(15), "{share}");
}

#[test]
fn a_line_that_changes_is_followed() {
    let mut line = Line::new(100.0, ms(20), ms(200), vec![Flow::model()]);
    line.run(s(5));
    line.rate /= 4.0;
    line.run(s(3));
    let share = line.run(s(5))[0];
    assert!(
        share > 0.9 && line.queue_at(0.5) < ms(20),
        "{share} {:?}",
        line.queue_at(0.5)
    );
    line.rate *= 8.0;
    line.run(s(2));
    let share = line.run(s(5))[0];
    assert!(share > 0.9, "{share}");
    // At first, a longer path looks like a queue of others.
    line.round_trip = ms(60);
    line.run(s(70));
    let share = line.run(s(10))[0];
    assert!(
        share > 0.9 && line.queue_at(0.5) < ms(20),
        "{share} {:?}",
        line.queue_at(0.5)
    );
}
