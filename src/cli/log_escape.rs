//! Foreign text in the log: what a stranger, a peer or a node sends as a name or a reason forges no line.

use std::io;
use std::io::Write;

use tracing_subscriber::fmt::MakeWriter;

/// Writes each line of the log with its control characters escaped, whoever they come from.
#[derive(Clone, Debug)]
pub(super) struct Escaped<M> {
    inner: M,
    /// Whether the log itself colours its lines. Then it has escaped the sequences of others.
    is_coloured: bool,
}

impl<M> Escaped<M> {
    pub(super) const fn new(inner: M, is_coloured: bool) -> Self {
        Self { inner, is_coloured }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Escaped<M> {
    type Writer = EscapedLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        EscapedLine {
            inner: self.inner.make_writer(),
            is_coloured: self.is_coloured,
        }
    }
}

/// Writes one line.
#[derive(Debug)]
pub(super) struct EscapedLine<W> {
    inner: W,
    is_coloured: bool,
}

impl<W: Write> Write for EscapedLine<W> {
    /// `line` is a whole line: the log formats each of them before it is written.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.inner.write_all(escaped(line, self.is_coloured).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn escaped(line: &[u8], is_coloured: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let (text, end) = match text.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (&*text, ""),
    };
    let mut out = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if is_misleading(character) && !(is_coloured && character == '\u{1b}') {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out.push_str(end);
    out
}

/// Whether a terminal or a reader of lines does something else with it than show it.
pub(super) fn is_misleading(character: char) -> bool {
    // Besides control characters: ends of lines and paragraphs, marks that change the direction of writing, and the byte order mark.
    let is_format =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    character.is_control() || is_format
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use tracing::warn;

    use super::super::log_json::Json;
    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the log says of a reason, as text and as JSON.
    fn logged(reason: &str) -> [String; 2] {
        [false, true].map(|is_json| {
            let lines = Lines::default();
            let into = lines.clone();
            let log = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(Escaped::new(move || into.clone(), false));
            let say = || warn!(reason, peer = %reason, "a circuit was refused: {reason}");
            if is_json {
                tracing::subscriber::with_default(log.event_format(Json).finish(), say);
            } else {
                tracing::subscriber::with_default(log.finish(), say);
            }
            String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
        })
    }

    #[test]
    fn foreign_text_makes_no_line_of_its_own() {
        let forged =
            "x\n2026-11-30T00:00:00Z  INFO beamway: all is well\r\u{1b}[2J\u{1b}[1;31m\u{7}\u{9b}2J\u{2028}\u{202e}";
        for line in logged(forged) {
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(line.ends_with('\n'));
            let shown = line.trim_end_matches('\n');
            assert!(!shown.chars().any(is_misleading), "{shown:?}");
            assert!(shown.contains("all is well"), "{shown}: nothing is lost");
            if shown.starts_with('{') {
                let line: serde_json::Value = serde_json::from_str(shown).expect("JSON");
                assert_eq!(line["fields"]["reason"], forged);
            }
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for line in logged("größer als 2 µs – 日本語 'quoted'") {
            assert!(line.contains("größer als 2 µs – 日本語 'quoted'"), "{line}");
        }
        assert_eq!(
            escaped(b"\x1b[33m WARN\x1b[0m x\ty\n", true),
            "\u{1b}[33m WARN\u{1b}[0m x\\ty\n"
        );
    }
}
