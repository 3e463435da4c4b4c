use std::collections::BTreeSet;

use super::bars;
use super::distribution;
use super::lines;
use super::picture::Plot;
use super::ratios;
use crate::lab::bench::findings::Group;
use crate::lab::bench::report::judge::Judgement;

/// All plots of a run, section by section.
#[must_use]
pub(crate) fn all(judgement: &Judgement<'_>) -> Vec<Plot> {
    let mut plots = Vec::new();
    for group in judgement.groups() {
        if group == Group::Line {
            plots.extend(lines::plots(judgement));
        } else {
            plots.extend(distribution::plots(judgement, group));
            plots.extend(bars::plot(judgement, group));
            plots.extend(ratios::plot(judgement, group));
        }
    }
    number_equal_names(&mut plots);
    plots
}

/// Different keys may make the same name; files and ids of elements must differ.
fn number_equal_names(plots: &mut [Plot]) {
    let mut taken = BTreeSet::new();
    for plot in plots {
        let stem = plot.name.clone();
        let mut number = 1;
        while !taken.insert(plot.name.clone()) {
            number += 1;
            plot.name = format!("{stem}-{number}");
        }
    }
}
