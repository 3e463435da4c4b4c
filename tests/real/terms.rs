//! A real node makes terms up, prints them, and reads back what was made of them here.

use std::path::Path;
use std::process::Command;

use beamway::etf::Style;
use beamway::etf::Term;
use beamway::etf::to_bytes;

use crate::samples;

/// Terms made up in each run.
const COUNT: usize = 2000;

/// What `terms.escript` answers, on a node that takes such characters for printable.
fn escript(printable: &str, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/golden/terms.escript");
    let output = Command::new("escript")
        .arg(script)
        .args(arguments)
        .env("ERL_FLAGS", format!("+pc {printable}"))
        .output()
        .unwrap_or_else(|error| panic!("cannot run escript: {error}; install it with: apt install erlang-base"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Terms that the node made up, and here are written anew, every other one through serde.
fn there_and_back(printable: &str, style: Style) {
    let text = escript(printable, &["random", &COUNT.to_string(), "7"]);
    let samples = samples::read(&text);
    assert_eq!(samples.len(), COUNT);
    let mut answer = String::new();
    for (index, sample) in samples.iter().enumerate() {
        let term = Term::decode(&sample.bytes).unwrap();
        for (style, text) in &sample.printed {
            assert_eq!(term.print(*style).to_string(), *text);
        }
        for other in &sample.others {
            assert_eq!(Term::decode(other).as_ref(), Ok(&term));
        }
        let bytes = if index % 2 == 0 {
            term.encode().unwrap()
        } else {
            to_bytes(&term).unwrap()
        };
        assert_eq!(bytes, sample.bytes, "{term}");
        answer.push_str(&format!(
            "{} {} {}\n",
            hex(&sample.bytes),
            hex(&bytes),
            term.print(style)
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer");
    std::fs::write(&file, answer).unwrap();
    let verdict = escript(printable, &["check", file.to_str().unwrap()]);
    assert_eq!(verdict.trim(), format!("ok {COUNT}"));
}

#[test]
fn terms_there_and_back() {
    there_and_back("latin1", Style::Pretty);
    there_and_back("latin1", Style::Plain);
}

#[test]
fn terms_there_and_back_with_text_of_any_script() {
    there_and_back("unicode", Style::PrettyUnicode);
}

/// What only Rust writes: values through serde, text, numbers and lists beyond what the node made up.
#[test]
fn what_rust_writes_is_read_as_what_it_says() {
    let long: Vec<u8> = vec![7; 70_000];
    let cases: Vec<(bytes::Bytes, Term)> = vec![
        (
            to_bytes(&("text", 'c', 1.5f32, ())).unwrap(),
            Term::parse("{<<\"text\">>,99,1.5,{}}").unwrap(),
        ),
        (
            to_bytes(&vec![Some(1u64 << 63), None]).unwrap(),
            Term::parse("[9223372036854775808,undefined]").unwrap(),
        ),
        (to_bytes(&long).unwrap(), Term::from(long.clone())),
        (Term::from(&long[..]).encode().unwrap(), Term::from(&long[..])),
        (
            Term::Tuple(vec![Term::NIL; 300]).encode().unwrap(),
            Term::Tuple(vec![Term::NIL; 300]),
        ),
        (Term::from(i128::MIN).encode().unwrap(), Term::from(i128::MIN)),
        (
            Term::integer(false, &[255; 300]).encode().unwrap(),
            Term::integer(false, &[255; 300]),
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer");
    // The text says what the bytes must be.
    let lines = cases
        .iter()
        .map(|(bytes, term)| format!("{0} {0} {term}\n", hex(bytes)));
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let verdict = escript("latin1", &["check", file.to_str().unwrap()]);
    assert_eq!(verdict.trim(), format!("ok {}", cases.len()));
}
