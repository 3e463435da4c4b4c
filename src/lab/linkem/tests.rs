use super::*;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;

const MS: Duration = Duration::from_millis(1);

fn line(words: &str) -> (Line, Instant) {
    let mut config = LineConfig::default();
    config.apply(words).unwrap();
    let now = Instant::now();
    (Line::new(config, 1, now), now)
}

fn packet(number: u32, size: usize) -> Bytes {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(size.max(4), 0);
    bytes.into()
}

fn number(packet: &Bytes) -> u32 {
    u32::from_be_bytes(packet[..4].try_into().unwrap())
}

/// Everything that comes out, with its time.
fn drain(line: &mut Line) -> Vec<(u32, Instant)> {
    let mut out = Vec::new();
    while let Some(at) = line.poll_timeout() {
        assert!(line.poll_packet(at - Duration::from_nanos(1)).is_none(), "not before");
        out.push((number(&line.poll_packet(at).unwrap()), at));
    }
    out
}

/// So many packets of 100 bytes, one each `gap`.
fn stream(line: &mut Line, count: u32, gap: Duration, now: Instant) -> Vec<(u32, Instant)> {
    for n in 0..count {
        line.handle_packet(packet(n, 100), now + gap * n);
    }
    drain(line)
}

fn numbers(out: &[(u32, Instant)]) -> Vec<u32> {
    out.iter().map(|(number, _)| *number).collect()
}

#[test]
fn without_faults_everything_arrives_at_once_and_in_order() {
    let (mut line, now) = line("");
    let out = stream(&mut line, 100, MS, now);
    let wanted: Vec<_> = (0..100).map(|n| (n, now + MS * n)).collect();
    assert_eq!(out, wanted);
}

#[test]
fn delay_is_added() {
    let (mut line, now) = line("delay=10ms");
    let out = stream(&mut line, 10, MS, now);
    assert!(out.iter().all(|(n, at)| *at == now + MS * *n + 10 * MS));
}

#[test]
fn jitter_spreads_the_delay_and_keeps_the_order() {
    let (mut line, now) = line("delay=10ms jitter=4ms");
    let out = stream(&mut line, 10_000, 10 * MS, now);
    assert!(numbers(&out).is_sorted());
    let delays: Vec<_> = out.iter().map(|(n, at)| *at - (now + 10 * MS * *n)).collect();
    assert!(delays.iter().all(|delay| (10 * MS..=14 * MS).contains(delay)));
    let mean = delays.iter().sum::<Duration>() / 10_000;
    assert!((11_900..12_100).contains(&mean.as_micros()), "{mean:?}");
    // Packets closer together than the jitter would overtake each other.
    let out = stream(&mut line, 1000, MS / 10, now + Duration::from_secs(200));
    assert!(numbers(&out).is_sorted());
}

#[test]
fn the_rate_spaces_packets() {
    let (mut line, now) = line("rate=8Mbit buffer=1MB");
    for n in 0..10 {
        line.handle_packet(packet(n, 1000), now);
    }
    // 1000 bytes at 8 Mbit/s take a millisecond.
    let wanted: Vec<_> = (0..10).map(|n| (n, now + MS * (n + 1))).collect();
    assert_eq!(drain(&mut line), wanted);
    // An idle line does not save up.
    line.handle_packet(packet(10, 1000), now + 100 * MS);
    assert_eq!(drain(&mut line), [(10, now + 101 * MS)]);
}

#[test]
fn what_does_not_fit_the_buffer_is_dropped_at_its_tail() {
    let (mut line, now) = line("rate=8Mbit buffer=5kB");
    for n in 0..10 {
        line.handle_packet(packet(n, 1000), now);
    }
    assert_eq!(line.stats().overflowed, 5);
    // Two have passed, so there is room for two.
    for n in 10..13 {
        line.handle_packet(packet(n, 1000), now + 2 * MS);
    }
    assert_eq!(numbers(&drain(&mut line)), [0, 1, 2, 3, 4, 10, 11]);
    assert_eq!(line.stats().overflowed, 6);
}

#[test]
fn loss_is_the_fraction_asked_for() {
    for (words, wanted) in [("loss=0.5%", 500), ("loss=5%", 5000), ("loss=100%", 100_000)] {
        let (mut line, now) = line(words);
        let out = stream(&mut line, 100_000, MS, now);
        let lost = line.stats().lost;
        assert!(
            lost.abs_diff(wanted) <= wanted / 7 && (wanted < 100_000 || lost == wanted),
            "{words}: {lost}"
        );
        assert_eq!(out.len() as u64, 100_000 - lost);
    }
}

#[test]
fn bursts_have_the_length_and_the_loss_the_fraction_asked_for() {
    let (mut line, now) = line("loss=2% burst=10");
    let out = numbers(&stream(&mut line, 1_000_000, MS, now));
    let gaps: Vec<_> = out
        .windows(2)
        .map(|pair| pair[1] - pair[0] - 1)
        .filter(|gap| *gap > 0)
        .collect();
    let lost: u32 = gaps.iter().sum();
    let mean = f64::from(lost) / gaps.len() as f64;
    assert!((18_000..22_000).contains(&lost), "{lost}");
    assert!((9.0..11.0).contains(&mean), "{mean}");
}

#[test]
fn lost_packets_use_up_the_rate() {
    let (mut line, now) = line("rate=8Mbit loss=50% buffer=1MB");
    for n in 0..100 {
        line.handle_packet(packet(n, 1000), now);
    }
    assert!(drain(&mut line).iter().all(|(n, at)| *at == now + MS * (n + 1)));
}

#[test]
fn duplicates_arrive_together() {
    let (mut line, now) = line("duplicate=10%");
    let out = stream(&mut line, 10_000, MS, now);
    assert_eq!(out.len() as u64, 10_000 + line.stats().duplicated);
    assert!((900..1100).contains(&line.stats().duplicated));
    assert!(numbers(&out).is_sorted());
}

#[test]
fn reordered_packets_come_late_and_the_others_keep_their_order() {
    let (mut line, now) = line("delay=10ms reorder=2% late=5ms");
    let out = stream(&mut line, 10_000, MS, now);
    assert_eq!(out.len(), 10_000);
    let reordered = line.stats().reordered;
    assert!((160..240).contains(&reordered), "{reordered}");
    let overtaken = numbers(&out).windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!((100..=reordered as usize).contains(&overtaken), "{overtaken}");
    assert!(out.iter().all(|(n, at)| *at <= now + MS * *n + 15 * MS));
}

#[test]
fn a_blackout_takes_what_comes_in_and_spares_what_is_underway() {
    let (mut line, now) = line("delay=10ms");
    line.handle_packet(packet(1, 100), now);
    let mut config = line.config().clone();
    config.apply("blackout=on").unwrap();
    line.set_config(config.clone());
    line.handle_packet(packet(2, 100), now + MS);
    config.apply("blackout=off").unwrap();
    line.set_config(config);
    line.handle_packet(packet(3, 100), now + 2 * MS);
    assert_eq!(numbers(&drain(&mut line)), [1, 3]);
    assert_eq!(line.stats().blacked_out, 1);
}

/// When packets come, and how large they are, changes nothing about which of them are lost, late or doubled.
#[test]
fn a_seed_decides_the_fate_of_the_nth_packet() {
    let words = "loss=3% duplicate=3% reorder=3% jitter=1ms";
    let run = |seed: u64, gap: Duration| {
        let mut config = LineConfig::default();
        config.apply(words).unwrap();
        let now = Instant::now();
        let mut line = Line::new(config, seed, now);
        let mut out = numbers(&stream(&mut line, 2000, gap, now));
        out.sort_unstable();
        (out, line.stats())
    };
    assert_eq!(run(7, MS), run(7, 3 * MS));
    assert_ne!(run(7, MS), run(8, MS));
}

#[test]
fn wrong_words_are_refused_and_change_nothing() {
    let mut config = LineConfig::default();
    config
        .apply("delay=2.5ms loss=0.5% burst=3 rate=100Mbit buffer=64KiB")
        .unwrap();
    assert_eq!(config.delay, Duration::from_micros(2500));
    assert_eq!(config.loss, 0.005);
    assert_eq!(config.rate, Some(100_000_000));
    assert_eq!(config.buffer, 65_536);
    let before = config.clone();
    for words in [
        "delay",
        "delay=10",
        "delay=-1ms",
        "delay=61s",
        "loss=5",
        "loss=101%",
        "burst=0.5",
        "rate=0Mbit",
        "rate=1",
        "buffer=1",
        "blackout=yes",
        "speed=1",
        "delay=1ms loss=x%",
        "late=..s",
    ] {
        let error = config.apply(words).unwrap_err().to_string();
        assert!(error.contains(": allowed: "), "{words}: {error}");
        assert_eq!(config, before, "{words}");
    }
    config.apply("rate=off").unwrap();
    assert_eq!(config.rate, None);
}
