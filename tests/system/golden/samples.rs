//! Reads what `terms.escript` writes; the form is described at the top of the files beside this one.

use beamway::etf::Style;
use bytes::Bytes;

/// A term in the forms that the node gave it.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) bytes: Bytes,
    /// Other encodings of the same term.
    pub(crate) others: Vec<Bytes>,
    /// As the node prints it.
    pub(crate) printed: Vec<(Style, String)>,
}

/// All terms of a text.
pub(crate) fn read(text: &str) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (kind, rest) = line.split_at(2);
        if kind == "- " {
            samples.push(Sample {
                bytes: bytes(rest),
                ..Sample::default()
            });
            continue;
        }
        let sample = samples.last_mut().expect("a term before its other forms");
        match kind {
            "o " | "z " => sample.others.push(bytes(rest)),
            "p " => sample.printed.push((Style::Pretty, rest.to_owned())),
            "u " => sample.printed.push((Style::PrettyUnicode, rest.to_owned())),
            "w " => sample.printed.push((Style::Plain, rest.to_owned())),
            other => unreachable!("a line that begins with {other:?}"),
        }
    }
    samples
}

fn bytes(digits: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(digit).collect()
}
