//! Heavy loss, reordering, variable delay and outages: how much of the line is used meanwhile, and how soon it is full afterwards.

use std::time::Duration;

use rand::RngExt;
use rand::SeedableRng;
use rand::prelude::StdRng;

use super::line::Flow;
use super::line::Line;

/// The number of random lines.
const LINES: u64 = 120;

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

const fn s(time: u64) -> Duration {
    Duration::from_secs(time)
}

/// The properties of a line and its disturbances.
#[derive(Clone, Copy, Debug)]
struct Weather {
    seed: u64,
    /// The rate in Mbit/s, and times in milliseconds.
    rate: f64,
    round_trip: u64,
    buffer: u64,
    loss: f64,
    reorder: f64,
    noise: u64,
    /// The offered load as a fraction of the rate. `None` means that there is always more to send.
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

/// Ten seconds of disturbances, with any offered load. The line is full within ten round trips after them (and the half second for which
/// a sender may wait for an acknowledgement).
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

/// Whatever the line does, the model gets as much of it as Cubic, apart from random differences and delays that vary by more than a
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

/// A loss of up to 2 % and a delay that varies by half a round trip leave most of the line. A delay that varies by more than one round
/// trip leaves half of it.
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
