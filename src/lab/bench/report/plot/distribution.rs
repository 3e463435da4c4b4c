//! Round trips by percentile, as HdrHistogram plots have it: each step to the right is a tenth of the calls that are left.

use maud::Markup;
use maud::html;

use super::paint::Px;
use super::paint::colour;
use super::paint::points;
use super::paint::shape;
use super::paint::shorten;
use super::picture::Plot;
use super::picture::TitleSpace;
use super::picture::slug;
use super::scale::Scale;
use super::scale::mark;
use crate::lab::bench::findings::Group;
use crate::lab::bench::findings::Row;
use crate::lab::bench::findings::Unit;
use crate::lab::bench::report::judge::Aspect;
use crate::lab::bench::report::judge::Item;
use crate::lab::bench::report::judge::Judgement;
use crate::lab::bench::report::judge::trusted;
use crate::lab::bench::report::words;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 800.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 370.0;
const HEIGHT: f64 = 418.0;
/// Names stand at least so far apart.
const NAME_LINE: f64 = 17.0;
/// From the end of the curves to the shapes beside the names.
const NAMES: f64 = 26.0;

/// The percentiles that stand at the axis, and where shapes stand on the curves.
const PERCENTILES: [(f64, &str); 7] = [
    (0.0, "0"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
];

/// One carrier's curve.
struct Curve<'a> {
    carrier: &'a str,
    /// Decades and microseconds.
    points: Vec<(f64, f64)>,
    /// Up to here there are enough samples beyond, in decades.
    trusted: f64,
}

/// Fewer samples in a round are no distribution.
const SAMPLES_MIN: u64 = 50;

/// A plot for each row of a section whose round trips are known.
pub(super) fn plots(judgement: &Judgement<'_>, group: Group) -> Vec<Plot> {
    let rows = judgement.section(group).filter(|item| item.aspect == Aspect::P50);
    let shown = rows.filter(|item| is_shown(judgement, item.row));
    shown.filter_map(|item| plot(judgement, item)).collect()
}

/// There are enough samples for a curve.
pub(super) fn is_shown(judgement: &Judgement<'_>, row: &Row) -> bool {
    let mut curves = judgement
        .carriers
        .iter()
        .filter_map(|carrier| judgement.curve(row, carrier));
    curves.any(|(_, samples)| samples >= SAMPLES_MIN)
}

fn plot(judgement: &Judgement<'_>, median: &Item<'_>) -> Option<Plot> {
    let row = median.row;
    let curves: Vec<Curve<'_>> = judgement
        .carriers
        .iter()
        .filter_map(|carrier| curve(judgement, row, carrier))
        .collect();
    let decades = curves
        .iter()
        .filter_map(|curve| curve.points.last())
        .map(|(x, _)| *x)
        .fold(1.0, f64::max);
    let across = Scale::linear(decades, LEFT, RIGHT);
    let micros = curves
        .iter()
        .flat_map(|curve| curve.points.iter().map(|(_, micros)| *micros));
    let up = Scale::log(micros, BOTTOM, TOP)?;
    Some(Plot {
        group: row.group,
        name: slug(&["latency", &row.key]),
        title: row.title.clone(),
        description: describe(judgement, row),
        width: WIDTH,
        height: HEIGHT,
        title_space: TitleSpace::Always,
        body: html! {
            text class="quiet" x="0" y="34" { "time, by the share of all that took no longer; less is better" }
            (axes(&across, &up, decades))
            @for curve in &curves { (draw(judgement, curve, &across, &up)) }
            (names(judgement, &curves, &across, &up))
        },
    })
}

fn curve<'a>(judgement: &Judgement<'a>, row: &Row, carrier: &'a str) -> Option<Curve<'a>> {
    let (curve, samples) = judgement.curve(row, carrier)?;
    // The last of n samples stands where one in n is left, not at infinity.
    let last = decades(1.0 - 1.0 / (samples as f64).max(1.0));
    let points = curve
        .into_iter()
        .map(|(quantile, micros)| (decades(quantile).min(last), micros))
        .collect();
    Some(Curve {
        carrier,
        points,
        trusted: decades(trusted(samples)),
    })
}

/// How often a tenth of the calls was left out, up to a quantile.
fn decades(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

fn axes(across: &Scale, up: &Scale, decades_most: f64) -> Markup {
    let percentiles = PERCENTILES.iter().map(|(quantile, name)| (decades(*quantile), *name));
    html! {
        @for value in up.marks() {
            line class="grid" x1=(Px(LEFT)) x2=(Px(RIGHT)) y1=(Px(up.at(value))) y2=(Px(up.at(value))) {}
            text class="end number quiet" x=(Px(LEFT - 8.0)) y=(Px(up.at(value) + 4.0)) { (mark(Unit::Microseconds, value)) }
        }
        @for (decade, name) in percentiles.filter(|(decade, _)| *decade <= decades_most) {
            line class="grid" x1=(Px(across.at(decade))) x2=(Px(across.at(decade))) y1=(Px(TOP)) y2=(Px(BOTTOM)) {}
            text class="middle number quiet" x=(Px(across.at(decade))) y=(Px(BOTTOM + 18.0)) { (name) }
        }
        line class="axis" x1=(Px(LEFT)) x2=(Px(RIGHT)) y1=(Px(BOTTOM)) y2=(Px(BOTTOM)) {}
        text class="middle quiet" x=(Px((LEFT + RIGHT) / 2.0)) y=(Px(BOTTOM + 38.0)) { "percentile" }
    }
}

fn draw(judgement: &Judgement<'_>, curve: &Curve<'_>, across: &Scale, up: &Scale) -> Markup {
    let place = |(x, y): &(f64, f64)| (across.at(*x), up.at(*y));
    let sure = curve.points.partition_point(|(x, _)| *x <= curve.trusted + 1e-9);
    let thick: Vec<(f64, f64)> = curve.points.iter().take(sure).map(place).collect();
    let thin: Vec<(f64, f64)> = curve.points.iter().skip(sure.saturating_sub(1)).map(place).collect();
    let strong = if judgement.ours() == Some(curve.carrier) {
        " strong"
    } else {
        ""
    };
    let carriers = &judgement.carriers;
    let at = |decade: f64| curve.points.iter().find(|(x, _)| *x >= decade - 1e-9);
    let marked = PERCENTILES.iter().map(|(quantile, _)| decades(*quantile));
    let marked = marked.filter(|decade| *decade > 0.0 && *decade <= curve.trusted + 1e-9);
    html! {
        g class=(colour(carriers, curve.carrier)) {
            title { (curve.carrier) }
            polyline class={ "curve" (strong) } points=(points(&thick)) {}
            polyline class="curve thin" points=(points(&thin)) {}
            @for (x, y) in marked.filter_map(at).map(place) { (shape(carriers, curve.carrier, x, y)) }
        }
    }
}

/// The names at the ends of the curves, moved apart, with a line to where they belong.
fn names(judgement: &Judgement<'_>, curves: &[Curve<'_>], across: &Scale, up: &Scale) -> Markup {
    let ends = curves
        .iter()
        .filter_map(|curve| Some((curve.carrier, *curve.points.last()?)));
    let mut ends: Vec<(&str, f64, f64)> = ends
        .map(|(carrier, (x, y))| (carrier, across.at(x), up.at(y)))
        .collect();
    ends.sort_by(|(_, _, one), (_, _, two)| one.total_cmp(two));
    let mut lines: Vec<f64> = Vec::new();
    for (_, _, end) in &ends {
        let above = lines.last().map_or(TOP, |line| line + NAME_LINE);
        lines.push(end.max(above));
    }
    let mut below = BOTTOM;
    for line in lines.iter_mut().rev() {
        *line = line.min(below);
        below = *line - NAME_LINE;
    }
    let carriers = &judgement.carriers;
    html! {
        @for ((carrier, x, y), line) in ends.into_iter().zip(lines) {
            g class=(colour(carriers, carrier)) {
                polyline class="leader" points=(points(&[(x, y), (RIGHT + NAMES - 10.0, line), (RIGHT + NAMES, line)])) {}
                (shape(carriers, carrier, RIGHT + NAMES, line))
            }
            text x=(Px(RIGHT + NAMES + 9.0)) y=(Px(line + 4.0)) { (shorten(carrier, WIDTH - RIGHT - NAMES - 9.0)) }
        }
    }
}

fn describe(judgement: &Judgement<'_>, row: &Row) -> String {
    let items = judgement
        .items
        .iter()
        .filter(|item| item.row.key == row.key && item.unit() == Unit::Microseconds);
    let carriers = judgement.carriers.iter().filter_map(|carrier| {
        let figures = items.clone().filter_map(|item| Some((item, item.figure(carrier)?)));
        let figures: Vec<String> = figures
            .map(|(item, figure)| {
                format!(
                    "{} {}",
                    words::aspect_name(item.aspect),
                    words::full_value(item.unit(), figure.value)
                )
            })
            .collect();
        (!figures.is_empty()).then(|| format!("{carrier}: {}.", figures.join(", ")))
    });
    carriers.collect::<Vec<_>>().join(" ")
}
