//! Heavy loss, packets out of order, times that vary, darkness: what is left of the line meanwhile, and how soon it is full afterwards.

use std::time::Duration;

use rand::RngExt;
use rand::SeedableRng;
use rand::prelude::StdRng;

use super::line::Flow;
use super::line::Line;

/// Lines drawn.
const LINES: u64 = 120;

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

const fn s(time: u64) -> Duration {
    Duration::from_secs(time)
}

/// What a line is and what befalls it.
#[derive(Clone, Copy, Debug)]
struct Weather {
    seed: u64,
    /// Mbit/s, and milliseconds.
    rate: f64,
    round_trip: u64,
    buffer: u64,
    loss: f64,
    reorder: f64,
    noise: u64,
    /// This share of the line there is to send, or always more.
    offered: Option<f64>,
    is_dark: bool,
}

impl Weather {
    fn draw(seed: u64, losses: [f64; 2]) -> Self {
        fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
            from[rng.random_range(0..from.len())]
        }
        let rng = &mut StdRng::seed_from_u64(seed);
        Self {
            seed,
            rate: pick(rng, &[5.0, 20.0, 100.0, 200.0]),
            round_trip: pick(rng, &[4, 10, 20, 40, 80]),
            buffer: pick(rng, &[10, 50, 200]),
            loss: rng.random_range(losses[0]..losses[1]),
            reorder: pick(rng, &[0.0, 0.05, 0.1]),
            noise: pick(rng, &[0, 0, 3, 15]),
            offered: pick(rng, &[None, Some(0.02), Some(0.3)]),
            is_dark: rng.random_range(0..3) == 0,
        }
    }

    fn line(&self, flow: Flow) -> Line {
        Line::new(self.rate, ms(self.round_trip), ms(self.buffer), vec![flow]).seeded(self.seed)
    }

    fn begin(&self, line: &mut Line) {
        (line.loss, line.reorder, line.noise) = (self.loss, self.reorder, ms(self.noise));
    }
}

/// Ten seconds of it, with a part of the line's worth to send or more: within ten round trips after it (and the half second in which a
/// sender may wait in vain for an acknowledgement) the line is full.
#[test]
fn after_bad_weather_the_line_is_soon_full() {
    for seed in 0..LINES {
        let weather = Weather::draw(seed, [0.02, 0.3]);
        let mut line = weather.line(Flow::model());
        line.flows[0].offered = weather.offered.map(|share| share * line.rate);
        line.run(s(1));
        weather.begin(&mut line);
        line.run(s(8));
        line.is_dark = weather.is_dark;
        line.run(s(2));
        line.is_dark = false;
        (line.loss, line.reorder, line.noise) = (0.0, 0.0, Duration::ZERO);
        line.flows[0].offered = None;
        let window = line.flows[0].window();
        line.run(ms(weather.round_trip * 10 + if weather.is_dark { 1000 } else { 500 }));
        let share = line.run(ms(weather.round_trip * 20))[0];
        assert!(share >= 0.8, "{weather:?}: {share:.2}, from a window of {window}");
    }
}

/// Whatever the line does, the model has as much of it as Cubic, but for what chance decides and where times vary by more than a
/// round trip.
#[test]
fn in_bad_weather_it_is_not_worse_than_cubic() {
    for seed in 0..LINES {
        let weather = Weather::draw(seed, [0.0, 0.3]);
        let share = |flow| {
            let mut line = weather.line(flow);
            weather.begin(&mut line);
            line.run(s(4));
            line.run(s(4))[0]
        };
        let (model, tcp) = (share(Flow::model()), share(Flow::tcp()));
        let is_wild = weather.noise > weather.round_trip || weather.loss > 0.15;
        let least = if is_wild { 0.4 } else { 0.9 };
        assert!(model >= tcp * least, "{weather:?}: {model:.3}, Cubic {tcp:.3}");
    }
}

/// Up to two lost of a hundred and times that vary by half of a round trip leave most of the line; by more than one, half of it.
#[test]
fn times_that_vary_and_loss_by_chance_leave_most_of_the_line() {
    let (mut shares, mut worst) = (Vec::new(), f64::MAX);
    for seed in 0..LINES {
        let weather = Weather {
            noise: 15,
            reorder: 0.0,
            ..Weather::draw(seed, [0.0, 0.02])
        };
        let mut line = weather.line(Flow::model());
        weather.begin(&mut line);
        line.run(s(4));
        let share = line.run(s(8))[0];
        shares.push(share);
        worst = share.min(worst);
    }
    shares.sort_by(f64::total_cmp);
    let median = shares[shares.len() / 2];
    eprintln!("{median:.2}, {:.2} {worst:.2}", shares[shares.len() / 10]);
    assert!(median > 0.9 && worst > 0.4, "median {median:.2}, worst {worst:.2}");
}
