use super::findings::Latency;
use crate::lab::testbed::rates::float;

/// Those that have a name in [`Latency`], the longest last.
const NAMED: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];

/// One in a thousand is worth telling from so many samples on: ten of them lie beyond.
const SAMPLES_P999: u64 = 10_000;

/// The quantiles that a node is asked for: those with a name, then those of the curve.
pub(super) fn wanted() -> Vec<f64> {
    NAMED.into_iter().chain(curve()).collect()
}

/// Even steps to 0.9, then nine in each power of ten towards 1.
fn curve() -> impl Iterator<Item = f64> {
    let even = (0..=18_u32).map(|step| f64::from(step) / 20.0);
    let tails = [10.0, 100.0, 1000.0, 10_000.0];
    let dense = tails
        .into_iter()
        .flat_map(|part| (0..9_u32).map(move |step| 1.0 - (10.0 - f64::from(step)) / (part * 10.0)));
    even.chain(dense.filter(|quantile| *quantile > 0.9)).chain([1.0])
}

/// What a node answered to [`wanted`]. Nothing if it answered something else.
pub(super) fn latency(samples: u64, times: &[u64]) -> Option<Latency> {
    let [p50, p90, p99, p999, max, times @ ..] = times else {
        return None;
    };
    // Beyond the last sample but one there is only the longest.
    let known = |quantile: f64| quantile >= 1.0 || (1.0 - quantile) * float(samples) >= 1.0;
    let curve: Vec<(f64, f64)> = curve()
        .zip(times)
        .map(|(quantile, us)| (quantile, float(*us)))
        .collect();
    (samples > 0 && times.len() + NAMED.len() == wanted().len()).then(|| Latency {
        samples,
        p50: float(*p50),
        p90: float(*p90),
        p99: float(*p99),
        p999: (samples >= SAMPLES_P999).then_some(float(*p999)),
        max: float(*max),
        curve: curve.into_iter().filter(|(quantile, _)| known(*quantile)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_rise_and_are_denser_towards_1() {
        let points: Vec<f64> = curve().collect();
        assert!((50..=70).contains(&points.len()), "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0] < pair[1]), "{points:?}");
        assert!(points.first() == Some(&0.0) && points.last() == Some(&1.0));
        let beyond = |quantile: f64| points.iter().filter(|point| **point > quantile).count();
        assert!(beyond(0.9) > 30 && beyond(0.999) >= 9, "{points:?}");
    }

    #[test]
    fn one_in_a_thousand_needs_ten_thousand() {
        let times: Vec<u64> = (0..wanted().len() as u64).collect();
        let few = latency(SAMPLES_P999 - 1, &times).unwrap();
        let many = latency(SAMPLES_P999, &times).unwrap();
        assert_eq!((few.p999, many.p999), (None, Some(3.0)));
        assert_eq!((many.p50, many.max), (0.0, 4.0));
        assert_eq!(latency(0, &times), None);
        assert_eq!(latency(10, &times[1..]), None);
    }

    #[test]
    fn the_curve_ends_where_the_samples_do() {
        let times: Vec<u64> = (0..wanted().len() as u64).collect();
        let curve = latency(100, &times).unwrap().curve;
        let [.., before, last] = curve.as_slice() else {
            panic!("{curve:?}")
        };
        assert!(before.0 <= 0.991 && last.0 >= 1.0, "{curve:?}");
    }
}
