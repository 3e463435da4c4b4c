//! The tables, before they take the form of a terminal, a page or a document.

use super::judge::Figure;
use super::judge::Item;
use super::judge::Judgement;
use super::judge::Ratio;
use super::judge::Verdict;
use super::words;
use crate::lab::bench::findings::Group;

/// A table: a label and a cell for each column on each line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    /// Over the columns.
    pub(super) head: Vec<String>,
    /// From top to bottom.
    pub(super) lines: Vec<Line>,
}

/// One line of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// The emulated line that this one and those that follow were measured on, where it changes.
    pub(super) heading: Option<String>,
    /// Its name; empty if it goes on with the row above.
    pub(super) title: String,
    /// What of it, and the unit.
    pub(super) aspect: String,
    /// As many as there are columns; `None` where nothing was measured.
    pub(super) cells: Vec<Option<Cell>>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    /// The figure.
    pub(super) text: String,
    /// How it stands beside the reference, where that is another one.
    pub(super) beside: Option<Ratio>,
    /// What that says.
    pub(super) verdict: Verdict,
    /// Some of its rounds are marked.
    pub(super) marked: bool,
}

/// The figures of some items: a column for each carrier that has any.
#[must_use]
pub(super) fn figures<'a>(judgement: &Judgement<'a>, items: impl Iterator<Item = &'a Item<'a>> + Clone) -> Grid {
    let measured = |carrier: &&&str| items.clone().any(|item| item.figure(carrier).is_some());
    let carriers: Vec<&str> = judgement.carriers.iter().filter(measured).copied().collect();
    let reference = judgement.reference();
    let cell = |item: &Item<'_>, carrier: &str| {
        let figure = item.figure(carrier)?;
        let ratio = reference.filter(|reference| *reference != carrier);
        let ratio = ratio.and_then(|reference| item.ratio(carrier, reference));
        Some(Cell {
            text: words::value(item.unit(), figure.value),
            beside: ratio,
            verdict: ratio.map_or(Verdict::Even, |ratio| ratio.verdict()),
            marked: figure.marked > 0,
        })
    };
    let lines = items
        .clone()
        .map(|item| carriers.iter().map(|carrier| cell(item, carrier)).collect());
    Grid {
        head: carriers.iter().map(|carrier| (*carrier).to_owned()).collect(),
        lines: named(items.clone().zip(lines)),
    }
}

/// The tables of [`comparisons`] for one section, each with whom it is about.
#[must_use]
pub(super) fn all_comparisons<'a>(judgement: &Judgement<'a>, group: Group) -> Vec<(&'a str, Grid)> {
    let subjects = judgement.subjects().into_iter();
    subjects
        .filter_map(|ours| Some((ours, comparisons(judgement, group, ours)?)))
        .collect()
}

/// How `ours` stands beside each of the others, by what matters most of each row. `None` if there is nothing to compare.
fn comparisons(judgement: &Judgement<'_>, group: Group, ours: &str) -> Option<Grid> {
    let mut others = judgement.others();
    others.retain(|other| *other != ours && judgement.section(group).any(|item| item.ratio(ours, other).is_some()));
    let cell = |item: &Item<'_>, other: &str| {
        let ratio = item.ratio(ours, other)?;
        let marked = |figure: Option<Figure>| figure.is_some_and(|figure| figure.marked > 0);
        Some(Cell {
            text: words::times_within(&ratio),
            beside: None,
            verdict: ratio.verdict(),
            marked: marked(item.figure(ours)) || marked(item.figure(other)),
        })
    };
    let lines = judgement
        .section(group)
        .filter(|item| item.is_main())
        .filter_map(|item| {
            let cells: Vec<_> = others.iter().map(|other| cell(item, other)).collect();
            cells.iter().any(Option::is_some).then_some((item, cells))
        });
    let lines = named(lines);
    (!lines.is_empty()).then_some(Grid {
        head: others.iter().map(|other| format!("beside {other}")).collect(),
        lines,
    })
}

/// Names each line, as far as the line above does not say it.
fn named<'a, 'b: 'a>(items: impl Iterator<Item = (&'a Item<'b>, Vec<Option<Cell>>)>) -> Vec<Line> {
    let (mut row, mut place) = (None, None);
    let mut lines = Vec::new();
    for (item, cells) in items {
        let new_row = row.replace(&item.row.key) != Some(&item.row.key);
        let new_place = place != item.row.line.as_deref();
        place = item.row.line.as_deref();
        let unit = words::unit_name(item.unit()).unwrap_or_default();
        let aspect = [words::aspect_name(item.aspect), unit].join(" ");
        lines.push(Line {
            heading: item.row.line.clone().filter(|_| new_place),
            title: if new_row { item.row.title.clone() } else { String::new() },
            aspect: aspect.trim().to_owned(),
            cells,
        });
    }
    lines
}
