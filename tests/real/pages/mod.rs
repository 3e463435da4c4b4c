//! Every command and every file in the pages is executed by a test, or stands in a short list with the reason why not.
//!
//! * [`page`](self::page): the blocks of all pages.
//! * [`walk`](self::walk): a reader who does what a page says, on hosts made of network namespaces.
//! * [`walks`](self::walks), [`migrating`](self::migrating): what such readers do.
//! * [`LIST`]: which blocks each of them takes. [`NOT_RUN`]: the others.

mod list;
mod migrating;
mod page;
mod walk;
mod walks;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use self::list::LIST;
use self::list::NOT_RUN;
use self::page::Block;
use self::page::blocks;
use self::page::pages;
use crate::harness::BEAMWAY;

/// What the source of the walks begins a walk with.
fn begins(walk: &str) -> String {
    format!("Walk::of(\"{walk}\")")
}

#[test]
fn every_block_is_run_by_a_test_or_says_why_not() {
    let entries: Vec<(&str, &str)> = LIST
        .iter()
        .flat_map(|(_, taken)| *taken)
        .copied()
        .chain(NOT_RUN.iter().map(|(page, start, _)| (*page, *start)))
        .collect();
    let mut used: BTreeMap<(&str, &str), usize> = entries.iter().map(|entry| (*entry, 0)).collect();
    assert_eq!(used.len(), entries.len(), "an entry stands in the lists twice");
    let mut wrong = Vec::new();
    for page in pages() {
        for block in blocks(&page).into_iter().filter(Block::is_for_a_reader_to_use) {
            let fit: Vec<_> = entries
                .iter()
                .filter(|(of, start)| *of == page && block.text.starts_with(start))
                .collect();
            match fit.as_slice() {
                [entry] => *used.get_mut(entry).expect("an entry") += 1,
                _ => wrong.push(format!(
                    "{page}:{}: in {} entries: {}",
                    block.line,
                    fit.len(),
                    block.first_line()
                )),
            }
        }
    }
    wrong.extend(
        used.iter()
            .filter(|(_, count)| **count != 1)
            .map(|((page, start), count)| format!("{page}: {count} blocks begin with {start:?}")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let source = concat!(include_str!("walks.rs"), include_str!("migrating.rs"));
    for (walk, _) in LIST {
        assert!(source.contains(&begins(walk)), "nobody walks {walk:?}");
    }
}

/// A program, benchmark or option that no longer exists is noticed, although nothing is run.
#[test]
fn what_is_not_run_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (page, start, _) in NOT_RUN {
        let block = page::find(page, start);
        for line in block.text.lines().filter(|_| block.language == "sh") {
            let command = line.split(" #").next().unwrap_or_default().trim();
            let words: Vec<&str> = command.split_whitespace().collect();
            match words.as_slice() {
                ["beamway", ..] => assert_understood(command),
                [program, ..] if program.contains('/') && !program.starts_with("bin/") && !program.contains('=') => {
                    assert!(root.join(program).is_file(), "{page}: there is no {program}");
                }
                _ => {}
            }
            for pair in words.windows(2).filter(|pair| pair[0] == "--bench") {
                assert!(
                    manifest.contains(&format!("name = \"{}\"", pair[1])),
                    "{page}: no benchmark {}",
                    pair[1]
                );
            }
        }
    }
}

/// clap reads all words before it shows the help.
fn assert_understood(command: &str) {
    let shell = format!(
        "{BEAMWAY} {} --help",
        command.strip_prefix("beamway ").expect("its name")
    );
    let output = Command::new("sh").args(["-c", &shell]).output().unwrap();
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Options of all commands, as the help has them.
fn all_options() -> String {
    let commands = [
        "run",
        "check",
        "top",
        "certs init",
        "certs issue",
        "call",
        "send",
        "ping",
        "man",
        "completions",
        "demo",
        "bench",
        "sim",
        "linkem",
    ];
    let help = commands.iter().map(|command| {
        let output = Command::new(BEAMWAY)
            .args(command.split(' '))
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}");
        String::from_utf8(output.stdout).unwrap()
    });
    help.collect()
}

/// Options of cargo, and what comes after them.
const OF_CARGO: [&str; 3] = ["--test", "--bench", "--"];

/// Commands within sentences: `beamway call --cookie-file FILE`; and options alone.
#[test]
fn options_within_sentences_exist() {
    let (mut seen, options) = (0, all_options());
    for page in pages().into_iter().filter(|page| page != "CHANGELOG.md") {
        for code in page::inline(&page) {
            // Notes are about programs of their day.
            if code.starts_with("--") && !page.starts_with("docs/notes/") {
                let option = code.split([' ', '=']).next().unwrap_or_default();
                let is_known = options.contains(option) || OF_CARGO.contains(&option);
                assert!(is_known, "{page}: no command of beamway has the option of `{code}`");
            }
            if !code.starts_with("beamway ") {
                continue;
            }
            let words: Vec<&str> = code.split_whitespace().skip(1).collect();
            let commands: Vec<&str> = words
                .iter()
                .copied()
                .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()))
                .take(if words.first() == Some(&"certs") { 2 } else { 1 })
                .collect();
            let output = Command::new(BEAMWAY).args(&commands).arg("--help").output().unwrap();
            let help = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{page}: `{code}`: there is no such command");
            for option in words
                .iter()
                .map(|word| word.trim_start_matches('[').trim_end_matches(']'))
            {
                if option.starts_with("--") {
                    assert!(help.contains(option), "{page}: `{code}` has no option {option}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10, "{seen} options: the pages are not read rightly");
}
