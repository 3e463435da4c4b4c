use std::io;
use std::io::Write;

/// Says what is going on: a line per step, its parts as they become known. There are no control characters in it, so a
/// pipe gets what a terminal gets. A reader who left (a closed pipe) does not keep a run from ending in good order:
/// failed writes are ignored.
pub(in crate::lab) struct Screen {
    output: Box<dyn Write>,
    /// Width of the first column.
    columns: usize,
    /// A line was begun and not ended.
    open: bool,
}

impl Screen {
    /// On standard output, or on standard error when the former is for figures only; the first column is so wide.
    pub(in crate::lab) fn new(aside: bool, columns: usize) -> Self {
        let output: Box<dyn Write> = if aside {
            Box::new(io::stderr())
        } else {
            Box::new(io::stdout())
        };
        Self {
            output,
            columns,
            open: false,
        }
    }

    /// Begins the line of a step.
    pub(in crate::lab) fn step(&mut self, label: &str) {
        self.end();
        self.open = true;
        let columns = self.columns;
        self.put(&format!("{label:<columns$}"));
    }

    /// Adds to the line.
    pub(in crate::lab) fn part(&mut self, text: &str) {
        self.open = true;
        self.put(text);
    }

    /// Ends the line, if one was begun.
    pub(in crate::lab) fn end(&mut self) {
        if self.open {
            self.open = false;
            self.put("\n");
        }
    }

    /// Writes a whole block.
    pub(in crate::lab) fn block(&mut self, text: &str) {
        self.end();
        self.put(text);
    }

    fn put(&mut self, text: &str) {
        let _ = self.output.write_all(text.as_bytes());
        let _ = self.output.flush();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.end();
    }
}
