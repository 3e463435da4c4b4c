//! Reads the captures beside this file; the form is described at their top.

/// Signals that one deed of the captured node caused.
#[derive(Debug)]
pub(crate) struct Deed {
    /// What the node was told to do.
    pub(crate) name: String,
    /// What the signals must be read as, in the node's own words.
    pub(crate) expected: Vec<String>,
    /// The packets, without their length.
    pub(crate) packets: Vec<Vec<u8>>,
}

/// With fragments in force: `131 68 0 …` and fragments.
pub(crate) const HEADER: &str = include_str!("otp25-header.txt");

/// Without fragments: `112 131 …`.
pub(crate) const PASS_THROUGH: &str = include_str!("otp25-pass-through.txt");

/// All deeds of a capture.
pub(crate) fn read(text: &str) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (kind, rest) = line.split_at(2);
        if kind == "==" {
            deeds.push(Deed {
                name: rest.trim().to_owned(),
                expected: Vec::new(),
                packets: Vec::new(),
            });
            continue;
        }
        let deed = deeds.last_mut().expect("a deed before its packets");
        match kind {
            "> " => deed.expected.push(rest.to_owned()),
            "- " => deed.packets.push(bytes(rest)),
            "  " => deed
                .packets
                .last_mut()
                .expect("a packet to go on with")
                .extend(bytes(rest)),
            other => unreachable!("a line that begins with {other:?}"),
        }
    }
    deeds
}

/// `0aff` or `78*200`, any number of them.
fn bytes(text: &str) -> Vec<u8> {
    text.split(' ')
        .flat_map(|token| {
            let (digits, times) = token.split_once('*').unwrap_or((token, "1"));
            let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
            let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
            bytes.repeat(times.parse().expect("a number of times"))
        })
        .collect()
}
