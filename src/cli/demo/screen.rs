use std::io;
use std::io::Write;

/// Width of the first column.
const LABEL_COLUMNS: usize = 18;

/// Says what is going on: a line per step, its parts as they become known. There are no control characters in it, so a
/// pipe gets what a terminal gets. A reader who left (a closed pipe) does not keep the demo from ending in good order:
/// failed writes are ignored.
pub(super) struct Screen {
    output: Box<dyn Write>,
    /// A line was begun and not ended.
    open: bool,
}

impl Screen {
    /// Standard output, or standard error when the former is for figures only.
    pub(super) fn new(json: bool) -> Self {
        let output: Box<dyn Write> = if json {
            Box::new(io::stderr())
        } else {
            Box::new(io::stdout())
        };
        Self { output, open: false }
    }

    /// Begins the line of a step.
    pub(super) fn step(&mut self, label: &str) {
        self.end();
        self.open = true;
        self.put(&format!("{label:<LABEL_COLUMNS$}"));
    }

    /// Adds to the line.
    pub(super) fn part(&mut self, text: &str) {
        self.open = true;
        self.put(text);
    }

    /// Ends the line, if one was begun.
    pub(super) fn end(&mut self) {
        if self.open {
            self.open = false;
            self.put("\n");
        }
    }

    /// Writes a whole block.
    pub(super) fn block(&mut self, text: &str) {
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
