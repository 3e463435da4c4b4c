//! The report on a terminal, or in a pipe: no control characters, no colours.

use std::iter;

use super::grid;
use super::grid::Cell;
use super::grid::Grid;
use super::judge::Judgement;
use super::words;
use crate::lab::bench::findings::Findings;

/// Between two columns.
const GAP: usize = 2;

/// The name of a row that is longer takes more than one line.
const TITLE_COLUMNS: usize = 30;

/// The name of a column that is longer than its figures takes more than one line from here on.
const HEAD_COLUMNS: usize = 10;

/// Lines of text are not longer, however wide the terminal.
const TEXT_COLUMNS: usize = 120;

/// The whole report as text, `columns` wide at most, as long as each carrier's name finds room beside a label.
#[must_use]
pub fn table(findings: &Findings, columns: usize) -> String {
    let judgement = Judgement::new(findings);
    let mut text = String::new();
    for group in judgement.groups() {
        text += &format!("\n{}\n", words::group_name(group));
        text += &lay(&grid::figures(&judgement, judgement.section(group)), columns);
        for (ours, grid) in grid::all_comparisons(&judgement, group) {
            text += &format!("\n{ours}, speed ratio: median (least to most of the rounds)\n");
            text += &lay(&grid, columns);
        }
    }
    text.push('\n');
    let paragraphs = words::summary(&judgement)
        .into_iter()
        .chain(words::caveats(&judgement))
        .chain([words::stolen(&judgement)])
        .chain(words::how_to_read(&judgement));
    for paragraph in paragraphs {
        for line in wrap(&paragraph, columns.min(TEXT_COLUMNS)) {
            text += &format!("{line}\n");
        }
    }
    // Names come from files and must not send control characters to a terminal.
    text.retain(|letter| letter == '\n' || !letter.is_control());
    text
}

/// Lays a table out. Where it is too wide, columns follow below.
fn lay(grid: &Grid, columns: usize) -> String {
    let layout = Layout::new(grid, columns);
    let mut text = String::new();
    for first in (0..grid.head.len()).step_by(layout.fit) {
        let mut put = |label: &str, cells: &mut dyn Iterator<Item = String>| {
            text += &layout.line(label, &mut cells.skip(first).take(layout.fit));
        };
        for part in layout.head_lines(first) {
            put("", &mut part.into_iter());
        }
        for (line, title) in grid.lines.iter().zip(&layout.titles) {
            if let Some(heading) = &line.heading {
                put(&format!("over {heading}"), &mut iter::empty());
            }
            let (last, above) = title
                .split_last()
                .map_or(("", &[][..]), |(last, above)| (last.as_str(), above));
            for part in above {
                put(part, &mut iter::empty());
            }
            let label = format!("{}{}", pad_right(last, layout.title_columns), line.aspect);
            put(&label, &mut line.cells.iter().map(show));
        }
    }
    text
}

/// Where everything stands in a table.
struct Layout {
    /// Names of rows and of columns, in lines.
    titles: Vec<Vec<String>>,
    heads: Vec<Vec<String>>,
    /// With the gap behind.
    title_columns: usize,
    /// Titles and aspects together.
    label_columns: usize,
    /// With the gap before.
    cell_columns: usize,
    /// How many cells find room.
    fit: usize,
}

impl Layout {
    fn new(grid: &Grid, columns: usize) -> Self {
        let titles: Vec<Vec<String>> = grid.lines.iter().map(|line| wrap(&line.title, TITLE_COLUMNS)).collect();
        let title_columns = GAP + widest(titles.iter().flatten());
        let label_columns = title_columns + widest(grid.lines.iter().map(|line| &line.aspect));
        let figures = widest(grid.lines.iter().flat_map(|line| line.cells.iter().map(show)));
        let heads: Vec<Vec<String>> = grid
            .head
            .iter()
            .map(|head| wrap(head, figures.max(HEAD_COLUMNS)))
            .collect();
        let cell = figures.max(widest(heads.iter().flatten()));
        // Columns come nearer to each other if that brings all of them beside each other.
        let narrow = label_columns + grid.head.len() * (cell + GAP) > columns;
        let cell_columns = cell + if narrow { 1 } else { GAP };
        Self {
            titles,
            heads,
            title_columns,
            label_columns,
            cell_columns,
            fit: (columns.saturating_sub(label_columns) / cell_columns).max(1),
        }
    }

    /// The names of the columns, line by line, as many as those take that are shown from `first` on. They stand on the
    /// figures: those with fewer lines begin lower.
    fn head_lines(&self, first: usize) -> Vec<Vec<String>> {
        let shown = self.heads.iter().skip(first).take(self.fit);
        let lines = shown.map(Vec::len).max().unwrap_or_default();
        let part =
            |head: &Vec<String>, below: usize| head.len().checked_sub(below).and_then(|line| head.get(line).cloned());
        let line = |below: usize| {
            self.heads
                .iter()
                .map(|head| part(head, below).unwrap_or_default())
                .collect()
        };
        (1..=lines).rev().map(line).collect()
    }

    fn line(&self, label: &str, cells: &mut dyn Iterator<Item = String>) -> String {
        let cells: String = cells.map(|cell| pad_left(&cell, self.cell_columns)).collect();
        format!(
            "{}\n",
            format!("{}{cells}", pad_right(label, self.label_columns)).trim_end()
        )
    }
}

fn show(cell: &Option<Cell>) -> String {
    match cell {
        Some(cell) if cell.marked => format!("{}*", cell.text),
        Some(cell) => cell.text.clone(),
        None => "-".to_owned(),
    }
}

fn widest(texts: impl Iterator<Item = impl AsRef<str>>) -> usize {
    texts
        .map(|text| text.as_ref().chars().count())
        .max()
        .unwrap_or_default()
}

fn pad_right(text: &str, columns: usize) -> String {
    format!("{text:<columns$}")
}

fn pad_left(text: &str, columns: usize) -> String {
    format!("{text:>columns$}")
}

/// Breaks a text between words.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
