//! Which carriers there are, in their order, and which of them are ours.

use crate::lab::bench::findings::Measure;

/// Carriers of this project begin with it.
const FAMILY: &str = "beamway";

/// Carriers that others are measured by, in the order in which they are shown.
const KNOWN: [&str; 3] = ["plain", "tuned", "TLS"];

/// All carriers that were measured: ours by their lanes, then those that others are measured by, then the rest.
pub(super) fn carriers(measures: &[Measure]) -> Vec<&str> {
    let mut carriers: Vec<&str> = Vec::new();
    for measure in measures {
        if !carriers.contains(&measure.carrier.as_str()) {
            carriers.push(&measure.carrier);
        }
    }
    // The sort is stable: what it does not tell apart stays in the order in which it was measured.
    carriers.sort_by_key(|carrier| match KNOWN.iter().position(|known| known == carrier) {
        _ if is_ours(carrier) => (0, lanes(carrier), is_variant(carrier)),
        Some(position) => (1, position, false),
        None => (2, 0, false),
    });
    carriers
}

/// `16` in `beamway 16 cubic`.
fn lanes(carrier: &str) -> usize {
    carrier
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap_or_default()
}

/// One of this project, with whatever lanes.
#[must_use]
pub(super) fn is_ours(carrier: &str) -> bool {
    carrier.starts_with(FAMILY)
}

/// One of this project that differs from the others by more than its lanes.
#[must_use]
pub(super) fn is_variant(carrier: &str) -> bool {
    is_ours(carrier)
        && carrier
            .split_whitespace()
            .skip(1)
            .any(|word| word.parse::<u16>().is_err())
}
