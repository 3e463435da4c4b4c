//! The report as Markdown, for pages of documentation; plots stand beside it as files.

use super::grid;
use super::grid::Cell;
use super::grid::Grid;
use super::judge::Judgement;
use super::plot::Plot;
use super::words;
use crate::lab::bench::findings::Findings;

/// The whole report; `plots` of each section are linked by the names of their files.
#[must_use]
pub(super) fn markdown(findings: &Findings, plots: &[Plot]) -> String {
    let judgement = Judgement::new(findings);
    let mut text = "# Erlang distribution carriers: throughput and latency\n\n".to_owned();
    for sentence in words::summary(&judgement) {
        text += &format!("* {}\n", escape(&sentence));
    }
    text += "\n| | |\n|---|---|\n";
    for (name, value) in words::circumstances(&findings.about) {
        text += &format!("| {} | {} |\n", escape(&name), escape(&value));
    }
    for sentence in words::caveats(&judgement)
        .into_iter()
        .chain([words::stolen(&judgement)])
    {
        text += &format!("\n{}\n", escape(&sentence));
    }
    for group in judgement.groups() {
        text += &format!("\n## {}\n\n{}\n", words::group_name(group), words::group_lead(group));
        for plot in plots.iter().filter(|plot| plot.group == group) {
            text += &format!("\n![{}]({})\n", escape(&plot.title), plot.file_name());
        }
        text += &format!("\n{}", lay(&grid::figures(&judgement, judgement.section(group))));
        for (ours, grid) in grid::all_comparisons(&judgement, group) {
            text += &format!(
                "\n{}, speed ratio: median (least to most of the rounds)\n\n{}",
                escape(ours),
                lay(&grid)
            );
        }
    }
    text += "\n## How to read it\n\n";
    for sentence in words::how_to_read(&judgement) {
        text += &format!("* {}\n", escape(&sentence));
    }
    text
}

fn lay(grid: &Grid) -> String {
    let mut text = format!(
        "| | | {} |\n|---|---|",
        joined(grid.head.iter().map(|head| escape(head)))
    );
    text += &"---:|".repeat(grid.head.len());
    text.push('\n');
    let mut title = "";
    for line in &grid.lines {
        if let Some(heading) = &line.heading {
            let empty = grid.head.iter().map(|_| String::new());
            text += &format!("| **{}** | | {} |\n", escape(heading), joined(empty));
        }
        if !line.title.is_empty() {
            title = &line.title;
        }
        let cells = joined(line.cells.iter().map(show));
        text += &format!("| {} | {} | {cells} |\n", escape(title), escape(&line.aspect));
    }
    text
}

fn show(cell: &Option<Cell>) -> String {
    match cell {
        Some(cell) if cell.marked => words::typeset(&format!("{}\\*", cell.text)),
        Some(cell) => words::typeset(&cell.text),
        None => String::new(),
    }
}

fn joined(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(" | ")
}

/// Text from outside says nothing to Markdown or HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '|' | '*' | '`' | '[' | ']' | '\\' | '_' | '!' | '#' => escaped.extend(['\\', letter]),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
