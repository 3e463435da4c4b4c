//! What several rounds say together.

use crate::lab::bench::findings::Latency;

/// At each quantile that any round knows, what the rounds that reach so far say `together`.
pub(super) fn curve(latencies: &[&Latency], together: fn(Vec<f64>) -> Option<f64>) -> Vec<(f64, f64)> {
    let mut quantiles: Vec<f64> = latencies
        .iter()
        .flat_map(|latency| latency.curve.iter().map(|(quantile, _)| *quantile))
        .filter(|quantile| (0.0..=1.0).contains(quantile))
        .collect();
    quantiles.sort_by(f64::total_cmp);
    quantiles.dedup();
    let at = |latency: &Latency, wanted: f64| {
        let mut points = latency.curve.iter();
        points
            .find(|(quantile, _)| *quantile >= wanted)
            .map(|(_, micros)| *micros)
    };
    quantiles
        .into_iter()
        .filter_map(|quantile| {
            let micros = latencies.iter().filter_map(|latency| at(latency, quantile));
            Some((quantile, together(micros.collect())?))
        })
        .collect()
}

/// The least one.
pub(super) fn least(values: Vec<f64>) -> Option<f64> {
    values.into_iter().min_by(f64::total_cmp)
}

/// The middle one; of an even count the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// The least and the most.
pub(super) fn bounds(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().min_by(f64::total_cmp)?;
    let most = values.iter().copied().max_by(f64::total_cmp)?;
    Some((least, most))
}
