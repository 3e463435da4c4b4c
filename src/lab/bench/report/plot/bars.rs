//! Speeds and costs: a field for each row, a bar for each carrier, and on it the least and the most of the rounds.

use maud::Markup;
use maud::html;

use super::distribution;
use super::paint::Px;
use super::paint::colour;
use super::paint::shorten;
use super::paint::width;
use super::paint::wrap;
use super::picture::Plot;
use super::picture::TitleSpace;
use super::picture::group_slug;
use super::picture::slug;
use super::scale::Scale;
use crate::lab::bench::findings::Group;
use crate::lab::bench::report::judge::Aspect;
use crate::lab::bench::report::judge::Figure;
use crate::lab::bench::report::judge::Item;
use crate::lab::bench::report::judge::Judgement;
use crate::lab::bench::report::words;

const FIELD_WIDTH: f64 = 306.0;
const GAP: f64 = 24.0;
/// Fields beside each other.
const COLUMNS: usize = 3;
/// Above the bars of a field, beside its title.
const FIELD_HEAD: f64 = 28.0;
const TITLE_LINE: f64 = 15.0;
const BAR_LINE: f64 = 19.0;
const BAR: f64 = 12.0;
/// Names of carriers are given no more room.
const NAMES_MAX: f64 = 132.0;
const NUMBERS: f64 = 74.0;
/// For the star of a marked figure.
const STAR: f64 = 8.0;
const TOP: f64 = 30.0;
/// Title, if there is nothing else.
const BULK: &str = "Throughput of the streams beside the calls";
/// Half of the cap at the end of a whisker.
const CAP: f64 = 3.0;

/// What of a section has no curve, if there is any: speeds, costs, and times of which there are few.
pub(super) fn plot(judgement: &Judgement<'_>, group: Group) -> Option<Plot> {
    let items: Vec<&Item<'_>> = judgement
        .section(group)
        .filter(|item| has_bars(judgement, item))
        .collect();
    let columns = items.len().min(COLUMNS);
    let lines = items.iter().map(|item| title(item).len()).max().unwrap_or_default();
    let head = FIELD_HEAD + lines as f64 * TITLE_LINE;
    let mut body = Vec::new();
    let mut top = TOP;
    for items in items.chunks(COLUMNS) {
        let mut deepest: f64 = 0.0;
        for (column, item) in items.iter().enumerate() {
            let left = column as f64 * (FIELD_WIDTH + GAP);
            let (markup, height) = field(judgement, item, (left, top), head);
            body.push(markup);
            deepest = deepest.max(height);
        }
        top += deepest + GAP;
    }
    let bulk_only = items.iter().all(|item| item.aspect == Aspect::Bulk);
    let described: Vec<String> = items.iter().map(|item| describe(judgement, item)).collect();
    (!items.is_empty()).then(|| Plot {
        group,
        name: slug(&["bars", group_slug(group)]),
        title: if bulk_only {
            BULK.to_owned()
        } else {
            words::group_name(group).to_owned()
        },
        description: described.join(" "),
        width: (columns as f64 * (FIELD_WIDTH + GAP) - GAP).max(2.0 * FIELD_WIDTH),
        height: top - GAP + 8.0,
        title_space: if bulk_only {
            TitleSpace::Always
        } else {
            TitleSpace::Alone(TOP - 8.0)
        },
        body: html! {
            @for field in body { (field) }
        },
    })
}

fn has_bars(judgement: &Judgement<'_>, item: &Item<'_>) -> bool {
    match item.aspect {
        Aspect::Value | Aspect::Bulk => true,
        Aspect::P50 => !distribution::is_shown(judgement, item.row),
        _ => false,
    }
}

fn title(item: &Item<'_>) -> Vec<String> {
    // Titles are bold.
    wrap(&item.row.title, FIELD_WIDTH * 0.92)
}

fn measured<'a>(judgement: &Judgement<'a>, item: &Item<'_>) -> Vec<(&'a str, Figure)> {
    let carriers = judgement.carriers.iter();
    carriers
        .filter_map(|carrier| Some((*carrier, item.figure(carrier)?)))
        .collect()
}

fn describe(judgement: &Judgement<'_>, item: &Item<'_>) -> String {
    let figures = measured(judgement, item).into_iter();
    let figures =
        figures.map(|(carrier, figure)| format!("{carrier} {}", words::full_value(item.unit(), figure.value)));
    format!(
        "{}: {}.",
        words::item_name(item),
        figures.collect::<Vec<_>>().join(", ")
    )
}

fn field(judgement: &Judgement<'_>, item: &Item<'_>, (left, top): (f64, f64), head: f64) -> (Markup, f64) {
    let figures = measured(judgement, item);
    let names = figures
        .iter()
        .map(|(carrier, _)| width(carrier))
        .fold(0.0, f64::max)
        .min(NAMES_MAX);
    let start = left + names + 10.0;
    let most = figures.iter().map(|(_, figure)| figure.most).fold(0.0, f64::max);
    let scale = Scale::linear(most, start, left + FIELD_WIDTH - NUMBERS - 6.0);
    let hint = [
        words::aspect_name(item.aspect),
        words::unit_name(item.unit()).unwrap_or_default(),
        words::direction(item.unit()),
    ];
    let hint: Vec<&str> = hint.into_iter().filter(|part| !part.is_empty()).collect();
    let line = |index: usize| top + head + index as f64 * BAR_LINE;
    let height = line(figures.len()) - top;
    let markup = html! {
        @for (index, title) in title(item).iter().enumerate() {
            text class="field" x=(Px(left)) y=(Px(top + 14.0 + index as f64 * TITLE_LINE)) { (title) }
        }
        text class="quiet small" x=(Px(left)) y=(Px(top + head - 13.0)) { (hint.join(", ")) }
        @for (index, (carrier, figure)) in figures.iter().enumerate() {
            g {
                title { (carrier) ": " (told(item, figure)) }
                text class="end" x=(Px(start - 8.0)) y=(Px(line(index) + 10.0)) { (shorten(carrier, NAMES_MAX)) }
                (bar(judgement, &scale, carrier, figure, line(index)))
                text class="end number" x=(Px(left + FIELD_WIDTH - STAR)) y=(Px(line(index) + 10.0)) {
                    (words::typeset(&words::value(item.unit(), figure.value)))
                }
                @if figure.marked > 0 { text x=(Px(left + FIELD_WIDTH - STAR)) y=(Px(line(index) + 10.0)) { "*" } }
            }
        }
        line class="axis" x1=(Px(start)) x2=(Px(start)) y1=(Px(line(0) - 4.0)) y2=(Px(top + height - 1.0)) {}
    };
    (markup, height)
}

fn bar(judgement: &Judgement<'_>, scale: &Scale, carrier: &str, figure: &Figure, top: f64) -> Markup {
    let (least, most, middle) = (scale.at(figure.least), scale.at(figure.most), top + BAR / 2.0);
    let colour = colour(&judgement.carriers, carrier);
    html! {
        rect class={ "bar " (colour) } x=(Px(scale.at(0.0))) y=(Px(top)) rx="1.5"
            width=(Px(scale.at(figure.value) - scale.at(0.0))) height=(Px(BAR)) {}
        @if figure.rounds > 1 {
            (whisker(least, most, middle))
        }
    }
}

/// From the least to the most, seen on any ground.
pub(super) fn whisker(least: f64, most: f64, y: f64) -> Markup {
    let (top, cap) = (y - CAP, 2.0 * CAP);
    let path = format!("M{least:.1} {top:.1}v{cap}M{least:.1} {y:.1}H{most:.1}M{most:.1} {top:.1}v{cap}");
    html! {
        path class="halo" d=(path) {}
        path class="bounds" d=(path) {}
    }
}

/// A figure in full.
pub(super) fn told(item: &Item<'_>, figure: &Figure) -> String {
    let full = |value| words::full_value(item.unit(), value);
    let marked = if figure.marked > 0 {
        format!(", {} marked", figure.marked)
    } else {
        String::new()
    };
    format!(
        "{} ({} to {}; {} rounds{marked})",
        full(figure.value),
        full(figure.least),
        full(figure.most),
        figure.rounds
    )
}
