//! Rows on emulated network paths, a field for each bandwidth and delay; packet loss grows from left to right.

use maud::Markup;
use maud::html;

use super::bars::told;
use super::paint::Px;
use super::paint::colour;
use super::paint::legend;
use super::paint::shape;
use super::paint::shorten;
use super::picture::Plot;
use super::picture::TitleSpace;
use super::picture::slug;
use super::scale::Scale;
use super::scale::mark;
use crate::lab::bench::findings::Group;
use crate::lab::bench::findings::Unit;
use crate::lab::bench::report::judge::Aspect;
use crate::lab::bench::report::judge::Item;
use crate::lab::bench::report::judge::Judgement;
use crate::lab::bench::report::judge::more_is_better;
use crate::lab::bench::report::words;

const WIDTH: f64 = 960.0;
const GAP: f64 = 28.0;
/// For the values at the axis.
const MARKS: f64 = 48.0;
const TIMES: f64 = 150.0;
const SPEEDS: f64 = 80.0;
const FIELD_HEAD: f64 = 30.0;
const BETWEEN: f64 = 16.0;
const FOOT: f64 = 40.0;
const TOP: f64 = 58.0;

/// The part of the name of a line that says how much it loses begins with it.
const LOSS: &str = "loss ";

/// Rows of one title on lines that differ by their loss only.
struct Field<'a> {
    /// Rate and delay, or whatever the lines have in common.
    place: &'a str,
    /// By loss: its name, and what was measured.
    losses: Vec<(&'a str, Vec<&'a Item<'a>>)>,
}

/// What all fields have in common.
struct Sheet<'a> {
    judgement: &'a Judgement<'a>,
    carriers: Vec<&'a str>,
    fields: Vec<Field<'a>>,
    charts: Vec<Chart>,
    field_width: f64,
}

/// What stands in one chart of a field: the same scale for all fields.
#[derive(Clone, Copy)]
struct Chart {
    /// Where the shape stands.
    aspect: Aspect,
    /// Up to where a line goes.
    upper: Option<Aspect>,
    unit: Unit,
    height: f64,
}

/// A plot for each title among the rows on lines.
pub(super) fn plots(judgement: &Judgement<'_>) -> Vec<Plot> {
    let mut titles: Vec<&str> = Vec::new();
    for item in judgement.section(Group::Line) {
        if !titles.contains(&item.row.title.as_str()) {
            titles.push(&item.row.title);
        }
    }
    titles.into_iter().filter_map(|title| plot(judgement, title)).collect()
}

fn plot(judgement: &Judgement<'_>, title: &str) -> Option<Plot> {
    let fields = fields(judgement, title);
    let columns = match fields.len() {
        0..=2 | 4 => 2,
        _ => 3,
    };
    let sheet = Sheet {
        judgement,
        carriers: shown(judgement, &fields),
        charts: charts(&fields),
        field_width: (WIDTH - GAP * (columns as f64 - 1.0)) / columns as f64,
        fields,
    };
    let (legend, legend_height) = legend(&judgement.carriers, &sheet.carriers, 0.0, TOP, WIDTH);
    let field_height = FIELD_HEAD + sheet.charts.iter().map(|chart| chart.height + BETWEEN).sum::<f64>() + FOOT;
    let top = TOP + legend_height;
    let place = |index: usize| {
        let left = (index % columns) as f64 * (sheet.field_width + GAP);
        (left, top + (index / columns) as f64 * field_height)
    };
    let hint: Vec<String> = sheet.charts.iter().map(|chart| hint(*chart)).collect();
    (!sheet.charts.is_empty()).then(|| Plot {
        group: Group::Line,
        name: slug(&["lines", title]),
        title: title.to_owned(),
        description: sheet.describe(),
        width: WIDTH,
        height: top + sheet.fields.len().div_ceil(columns) as f64 * field_height - FOOT / 2.0,
        title_space: TitleSpace::Always,
        body: html! {
            text class="quiet" x="0" y="34" { (hint.join("; ")) }
            (legend)
            @for (index, field) in sheet.fields.iter().enumerate() { (sheet.field(field, place(index))) }
        },
    })
}

fn fields<'a>(judgement: &'a Judgement<'a>, title: &str) -> Vec<Field<'a>> {
    let mut fields: Vec<Field<'a>> = Vec::new();
    for item in judgement.section(Group::Line).filter(|item| item.row.title == title) {
        let line = item.row.line.as_deref().unwrap_or_default();
        let loss = line
            .rsplit_once(", ")
            .and_then(|(place, loss)| Some((place, loss.strip_prefix(LOSS)?)));
        let (place, loss) = loss.unwrap_or((line, ""));
        match fields.iter_mut().find(|field| field.place == place) {
            Some(field) => field.add(loss, item),
            None => fields.push(Field {
                place,
                losses: vec![(loss, vec![item])],
            }),
        }
    }
    fields
}

impl<'a> Field<'a> {
    fn add(&mut self, loss: &'a str, item: &'a Item<'a>) {
        match self.losses.iter_mut().find(|(known, _)| *known == loss) {
            Some((_, items)) => items.push(item),
            None => self.losses.push((loss, vec![item])),
        }
    }

    fn items(&self) -> impl Iterator<Item = &'a Item<'a>> {
        self.losses.iter().flat_map(|(_, items)| items.iter().copied())
    }
}

/// What there is to be shown: times from the median to the 99th of a hundred, or speeds, or both.
fn charts(fields: &[Field<'_>]) -> Vec<Chart> {
    let wanted = [
        (Aspect::P50, Some(Aspect::P99), TIMES),
        (Aspect::Value, None, TIMES),
        (Aspect::Bulk, None, SPEEDS),
    ];
    let chart = |(aspect, upper, height)| {
        let item = fields
            .iter()
            .flat_map(Field::items)
            .find(|item| item.aspect == aspect)?;
        Some(Chart {
            aspect,
            upper,
            unit: item.unit(),
            height,
        })
    };
    wanted.into_iter().filter_map(chart).collect()
}

fn shown<'a>(judgement: &Judgement<'a>, fields: &[Field<'_>]) -> Vec<&'a str> {
    let measured = |carrier: &&&str| {
        fields
            .iter()
            .flat_map(Field::items)
            .any(|item| item.figure(carrier).is_some())
    };
    judgement.carriers.iter().filter(measured).copied().collect()
}

fn hint(chart: Chart) -> String {
    let direction = words::direction(chart.unit);
    match chart.aspect {
        Aspect::P50 => format!("time of a call: marker at p50, line up to p99; {direction}"),
        Aspect::Bulk => format!("below: throughput of the streams beside the calls, MB/s; {direction}"),
        _ => format!("{}; {direction}", words::unit_name(chart.unit).unwrap_or("time")),
    }
}

impl Sheet<'_> {
    fn field(&self, field: &Field<'_>, (left, top): (f64, f64)) -> Markup {
        let slot = (self.field_width - MARKS) / field.losses.len().max(1) as f64;
        let mut bottom = top + FIELD_HEAD;
        let mut body = Vec::new();
        for chart in &self.charts {
            body.push(self.chart(field, *chart, slot, (left, bottom)));
            bottom += chart.height + BETWEEN;
        }
        html! {
            text class="field" x=(Px(left)) y=(Px(top + 14.0)) { (shorten(field.place, self.field_width)) }
            @for chart in body { (chart) }
            text class="end quiet small" x=(Px(left + MARKS - 6.0)) y=(Px(bottom + 1.0)) { "loss" }
            @for (index, (loss, _)) in field.losses.iter().enumerate() {
                @let x = left + MARKS + slot * (index as f64 + 0.5);
                text class="middle quiet" x=(Px(x)) y=(Px(bottom + 1.0)) { (loss) }
            }
        }
    }

    fn chart(&self, field: &Field<'_>, chart: Chart, slot: f64, (left, top): (f64, f64)) -> Markup {
        let bottom = top + chart.height;
        let Some(up) = self.scale(chart, top, bottom) else {
            return html! {};
        };
        let (start, end) = (left + MARKS, left + self.field_width);
        let room = slot * 0.84 / self.carriers.len().max(1) as f64;
        let place = |loss: usize, carrier: usize| start + slot * (loss as f64 + 0.08) + room * (carrier as f64 + 0.5);
        html! {
            @for value in up.marks() {
                line class="grid" x1=(Px(start)) x2=(Px(end)) y1=(Px(up.at(value))) y2=(Px(up.at(value))) {}
                text class="end number quiet small" x=(Px(start - 6.0)) y=(Px(up.at(value) + 4.0)) { (mark(chart.unit, value)) }
            }
            @for (loss, (_, items)) in field.losses.iter().enumerate() {
                @let x = start + slot * loss as f64;
                @if loss > 0 { line class="grid" x1=(Px(x)) x2=(Px(x)) y1=(Px(top)) y2=(Px(bottom)) {} }
                @for (index, carrier) in self.carriers.iter().enumerate() {
                    (self.point(carrier, items, chart, &up, (place(loss, index), room)))
                }
            }
            line class="axis" x1=(Px(start)) x2=(Px(end)) y1=(Px(bottom)) y2=(Px(bottom)) {}
        }
    }

    fn scale(&self, chart: Chart, top: f64, bottom: f64) -> Option<Scale> {
        let shown = |item: &&Item<'_>| item.aspect == chart.aspect || Some(item.aspect) == chart.upper;
        let items = self.fields.iter().flat_map(Field::items).filter(shown);
        let values = items.flat_map(|item| {
            self.carriers
                .iter()
                .filter_map(|carrier| Some(item.figure(carrier)?.value))
        });
        if more_is_better(chart.unit) {
            return Some(Scale::linear(values.fold(0.0, f64::max), bottom, top));
        }
        Scale::log(values, bottom, top)
    }

    /// One carrier on one line.
    fn point(&self, carrier: &str, items: &[&Item<'_>], chart: Chart, up: &Scale, (x, room): (f64, f64)) -> Markup {
        let known = |aspect| {
            let item = items.iter().find(|item| item.aspect == aspect)?;
            Some((*item, item.figure(carrier)?))
        };
        let Some((item, figure)) = known(chart.aspect) else {
            return html! {};
        };
        let y = up.at(figure.value);
        let upper = chart.upper.and_then(known);
        html! {
            g class=(colour(&self.judgement.carriers, carrier)) {
                title {
                    (carrier) ": " (told(item, &figure))
                    @if let Some((item, figure)) = &upper { "; p99 " (told(item, figure)) }
                }
                @if let Some((_, upper)) = &upper {
                    path class="range" d=(format!("M{x:.1} {y:.1}V{:.1}m-2.5 0h5", up.at(upper.value))) {}
                }
                @if more_is_better(chart.unit) {
                    rect class="bar" x=(Px(x - room * 0.4)) y=(Px(y)) width=(Px(room * 0.8)) height=(Px(up.at(0.0) - y)) {}
                } @else {
                    (shape(&self.judgement.carriers, carrier, x, y))
                }
            }
        }
    }

    fn describe(&self) -> String {
        let items = self.fields.iter().flat_map(Field::items).filter(|item| item.is_main());
        let sentences = items.map(|item| {
            let figures = self.carriers.iter().filter_map(|carrier| {
                let figure = item.figure(carrier)?;
                Some(format!("{carrier} {}", words::full_value(item.unit(), figure.value)))
            });
            let figures: Vec<String> = figures.collect();
            let line = item.row.line.as_deref().unwrap_or_default();
            format!("{line}, {}: {}.", words::aspect_name(item.aspect), figures.join(", "))
        });
        sentences.collect::<Vec<_>>().join(" ")
    }
}
