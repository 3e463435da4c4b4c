//! From values to places.

use crate::lab::bench::findings::Unit;
use crate::lab::bench::report::words;

/// Steps of a logarithmic axis within a decade.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// Between two decades there are marks as long as they stand so far apart, pixels.
const MARK_ROOM: f64 = 30.0;

/// Marks at a linear axis, about.
const MARKS: f64 = 4.0;

/// Values → places in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    log: bool,
}

impl Scale {
    /// From 0 at `start` to at least `most` at `end`.
    pub(super) fn linear(most: f64, start: f64, end: f64) -> Self {
        let high = if most > 0.0 && most.is_finite() { most } else { 1.0 };
        Self {
            low: 0.0,
            high,
            start,
            end,
            log: false,
        }
    }

    /// Wide enough for all `values` above 0, rounded to 1, 2 or 5 on both sides; `None` if there is no such value.
    pub(super) fn log(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Option<Self> {
        let values: Vec<f64> = values.filter(|value| value.is_finite() && *value > 0.0).collect();
        let least = values.iter().copied().min_by(f64::total_cmp)?;
        let most = values.iter().copied().max_by(f64::total_cmp)?;
        let steps = || decades(least, most).flat_map(|decade| STEPS.map(|step| step * decade));
        // Steps are products: a value that is one itself must not miss it by the last bit.
        let low = steps().filter(|step| *step <= least * 1.000_001).last()?;
        let high = steps().find(|step| *step >= most * 0.999_999 && *step > low)?;
        Some(Self {
            low,
            high,
            start,
            end,
            log: true,
        })
    }

    /// Where a value stands; what lies outside stands at the edge.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.start + share * (self.end - self.start)
    }

    /// The values that are written at the axis.
    pub(super) fn marks(&self) -> Vec<f64> {
        let inside = |value: &f64| *value >= self.low * 0.999_999 && *value <= self.high * 1.000_001;
        if self.log {
            let marks = (self.high / self.low).log10() * STEPS.len() as f64;
            let room = (self.end - self.start).abs() >= marks * MARK_ROOM;
            let steps = if room { &STEPS[..] } else { &STEPS[..1] };
            let marks = decades(self.low, self.high).flat_map(|decade| steps.iter().map(move |step| step * decade));
            return marks.filter(inside).collect();
        }
        let rough = self.high / MARKS;
        let decade = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|step| step * decade)
            .find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        (0..)
            .map(|mark| f64::from(mark) * step)
            .take_while(|value| *value <= self.high)
            .collect()
    }
}

/// Powers of ten around two values.
fn decades(least: f64, most: f64) -> impl Iterator<Item = f64> + Clone {
    let (first, last) = (least.log10().floor() as i32 - 1, most.log10().ceil() as i32 + 1);
    (first..=last).map(|power| 10_f64.powi(power))
}

/// A value at an axis, as short as possible.
pub(super) fn mark(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Microseconds | Unit::MicrosecondsPerMessage if value >= 999_999.0 => trim(value / 1e6, "s"),
        Unit::Microseconds | Unit::MicrosecondsPerMessage if value >= 999.999 => trim(value / 1e3, "ms"),
        Unit::Microseconds | Unit::MicrosecondsPerMessage => trim(value, "µs"),
        _ => words::value(unit, value),
    }
}

fn trim(value: f64, unit: &str) -> String {
    let digits = format!("{value:.3}");
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_begins_at_zero_and_has_round_marks() {
        let scale = Scale::linear(583.0, 100.0, 300.0);
        assert_eq!((scale.at(0.0), scale.at(583.0), scale.at(291.5)), (100.0, 300.0, 200.0));
        assert_eq!(scale.at(9999.0), 300.0, "what lies outside stands at the edge");
        assert_eq!(scale.marks(), [0.0, 200.0, 400.0]);
        assert_eq!(Scale::linear(0.0, 0.0, 10.0).at(0.0), 0.0);
    }

    #[test]
    fn a_logarithmic_axis_is_rounded_to_1_2_5_and_may_rise_upwards() {
        let scale = Scale::log([90.0, 0.0, 4000.0].into_iter(), 340.0, 40.0).unwrap();
        assert_eq!((scale.low, scale.high), (50.0, 5000.0));
        assert_eq!(
            (scale.at(50.0), scale.at(5000.0), scale.at(500.0)),
            (340.0, 40.0, 190.0)
        );
        assert_eq!(scale.marks(), [50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0]);
        let low = Scale::log([90.0, 4000.0].into_iter(), 100.0, 0.0).unwrap();
        assert_eq!(
            low.marks(),
            [100.0, 1000.0],
            "where there is little room only decades are marked"
        );
        let one = Scale::log([1.0].into_iter(), 0.0, 10.0).unwrap();
        assert_eq!((one.low, one.high), (1.0, 2.0));
        assert!(Scale::log([0.0, -1.0, f64::NAN].into_iter(), 0.0, 10.0).is_none());
    }

    #[test]
    fn marks_are_short() {
        let micros = |value| mark(Unit::Microseconds, value);
        assert_eq!(
            [0.5, 50.0, 1000.0, 20_000.0, 1e6].map(micros),
            ["0.5 µs", "50 µs", "1 ms", "20 ms", "1 s"]
        );
        assert_eq!(mark(Unit::MegabytesPerSecond, 2500.0), "2,500");
    }
}
