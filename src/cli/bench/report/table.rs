//! The report on a terminal, or in a pipe: no control characters, no colours.

use std::iter;

use super::super::findings::Findings;
use super::grid;
use super::grid::Cell;
use super::grid::Grid;
use super::judge::Judgement;
use super::words;

/// Between two columns.
const GAP: usize = 2;

/// The name of a row that is longer takes more than one line.
const TITLE_COLUMNS: usize = 30;

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
        if let (Some(ours), Some(grid)) = (judgement.ours(), grid::comparisons(&judgement, group)) {
            text += &format!("\n{ours}: times as fast, and within which bounds\n");
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
    // Names come from files; a terminal obeys what it is sent.
    text.retain(|letter| letter == '\n' || !letter.is_control());
    text
}

/// Lays a table out. Where it is too wide, columns follow below.
fn lay(grid: &Grid, columns: usize) -> String {
    let titles: Vec<Vec<String>> = grid.lines.iter().map(|line| wrap(&line.title, TITLE_COLUMNS)).collect();
    let title_columns = GAP + widest(titles.iter().flatten());
    let label = title_columns + widest(grid.lines.iter().map(|line| &line.aspect));
    let cells: Vec<String> = grid.lines.iter().flat_map(|line| line.cells.iter().map(show)).collect();
    let widest = widest(cells.iter().chain(&grid.head));
    // Columns come nearer to each other if that brings all of them beside each other.
    let narrow = label + grid.head.len() * (widest + GAP) > columns;
    let width = widest + if narrow { 1 } else { GAP };
    let fit = (columns.saturating_sub(label) / width).max(1);
    let mut text = String::new();
    for first in (0..grid.head.len()).step_by(fit) {
        let mut put = |label_text: &str, cells: &mut dyn Iterator<Item = String>| {
            let cells: String = cells.skip(first).take(fit).map(|cell| pad_left(&cell, width)).collect();
            text += &format!("{}\n", format!("{}{cells}", pad_right(label_text, label)).trim_end());
        };
        put("", &mut grid.head.iter().cloned());
        for (line, title) in grid.lines.iter().zip(&titles) {
            if let Some(heading) = &line.heading {
                put(&format!("over {heading}"), &mut iter::empty());
            }
            let (last, above) = title
                .split_last()
                .map_or(("", &[][..]), |(last, above)| (last.as_str(), above));
            for part in above {
                put(part, &mut iter::empty());
            }
            let label_text = format!("{}{}", pad_right(last, title_columns), line.aspect);
            put(&label_text, &mut line.cells.iter().map(show));
        }
    }
    text
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
