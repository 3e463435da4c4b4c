/// The least that is left of a name.
const NAME_MIN: usize = 8;

/// Between two columns.
const GAP: usize = 2;

/// How a column is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Column {
    /// At the left, and cut where there is no room.
    Name,
    /// At the left.
    Word,
    /// At the right.
    Number,
}

/// A text in at most `width` columns: what is cut off is `…`. Characters that move the cursor or turn the direction of the text are
/// foreign, and shown as `?`.
pub(super) fn cut(text: &str, width: usize) -> String {
    let harmless = |c: char| match c {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        c if c.is_control() => '?',
        c => c,
    };
    if text.chars().count() <= width {
        return text.chars().map(harmless).collect();
    }
    let kept = text.chars().take(width.saturating_sub(1)).map(harmless);
    kept.chain(['…']).take(width).collect()
}

/// Rows as lines, of which the first is the head. Names are cut, the longest first, until the lines fit.
pub(in crate::cli) fn table(columns: &[Column], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let mut widths = vec![0; columns.len()];
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.chars().count());
        }
    }
    let gaps = GAP * columns.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let names = widths
            .iter_mut()
            .zip(columns)
            .filter(|(_, column)| **column == Column::Name);
        match names.map(|(width, _)| width).max() {
            Some(widest) if *widest > NAME_MIN => *widest -= 1,
            _ => break,
        }
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).zip(columns).map(|((cell, width), column)| {
            let cell = cut(cell, *width);
            match column {
                Column::Number => format!("{cell:>width$}"),
                Column::Name | Column::Word => format!("{cell:<width$}"),
            }
        });
        let cells: Vec<String> = cells.collect();
        cut(cells.join(&" ".repeat(GAP)).trim_end(), width)
    };
    rows.iter().map(line).collect()
}
