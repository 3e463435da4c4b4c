//! From values to places.

use super::super::super::findings::Unit;
use super::super::words;

/// Steps of a logarithmic axis within a decade.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// Between two decades there are more marks only as long as an axis has few decades.
const FEW_DECADES: f64 = 2.2;

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
            let few = (self.high / self.low).log10() <= FEW_DECADES;
            let steps = if few { &STEPS[..] } else { &STEPS[..1] };
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
