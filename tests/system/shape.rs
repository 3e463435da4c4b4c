//! The shape of the code, held by tests: ranks, what touches the world, sizes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Ranks of DESIGN: a module uses only modules of lower rank. `main.rs` stands above all.
const RANKS: &[(&str, u8)] = &[
    ("codec", 0),
    ("etf", 1),
    ("dist", 2),
    ("wire", 3),
    ("epmd", 3),
    ("tls", 3),
    ("router", 3),
    ("congestion", 3),
    ("order", 4),
    ("session", 5),
    ("endpoint", 6),
    ("hub", 7),
    ("trunk", 8),
    ("gateway", 8),
    ("node", 8),
    ("cluster", 9),
    ("observe", 10),
    ("config", 11),
    ("carrier", 12),
    ("cli", 13),
    ("lab", 14),
];

/// Exported macros stand at the root, whichever module they belong to.
const MACROS: &[(&str, &str)] = &[("term", "etf")];

/// What reaches the outside world; only files of a folder `io/` may name it, and those of [`WORLDLY`] modules.
const WORLD: &[&str] = &[
    "tokio::",
    "quinn::Endpoint;",
    "quinn::Connection;",
    "socket2::",
    "std::net::Tcp",
    "std::net::Udp",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "rand::rng",
    "rand::random",
];

/// The modules that touch the world everywhere: where all parts meet, and the person at the keyboard.
const WORLDLY: &[&str] = &["carrier", "cli", "lab", "main"];

/// No file is longer than this; most stay under 400 lines.
const FILE_LINES_MAX: usize = 600;

/// No line is longer than this.
const LINE_COLUMNS_MAX: usize = 140;

struct Source {
    /// Path below `src/`.
    path: PathBuf,
    text: String,
}

impl Source {
    fn name(&self) -> &str {
        self.path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a file name in UTF-8")
    }

    /// The module of rank that the file belongs to: its folder, or its own name at the top level.
    fn module(&self) -> String {
        let first = self.path.components().next().expect("a path");
        let first = first.as_os_str().to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    }

    fn is_test(&self) -> bool {
        self.path.components().any(|part| {
            let part = part.as_os_str().to_string_lossy();
            part == "tests" || part == "tests.rs"
        })
    }

    fn is_root(&self) -> bool {
        matches!(self.path.to_str(), Some("lib.rs" | "main.rs"))
    }

    /// Whether it stands in the folder `io/` of its module.
    fn is_io(&self) -> bool {
        self.path
            .components()
            .nth(1)
            .is_some_and(|part| part.as_os_str() == "io")
    }

    fn may_touch_the_world(&self) -> bool {
        self.is_io() || WORLDLY.contains(&self.module().as_str()) || self.is_test()
    }

    /// Lines of code: no comments, and nothing below an inner `mod tests`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]") || self.name() == "mod.rs")
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line))
    }
}

fn sources() -> Vec<Source> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).expect("a folder of src") {
            let path = entry.expect("an entry of src").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file in UTF-8");
                let path = path.strip_prefix(root).expect("a path below src").to_owned();
                found.push(Source { path, text });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The modules that a line names as `crate::module`.
fn used(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let name = rest.get(..end).expect("a character boundary");
        let owner = MACROS.iter().find(|(exported, _)| *exported == name);
        owner.map_or(name, |(_, module)| module)
    })
}

/// All uses of a module of the same or a higher rank, one message each.
fn rank_violations(source: &Source) -> Vec<String> {
    let ranks: BTreeMap<_, _> = RANKS.iter().copied().collect();
    let module = source.module();
    let Some(own) = ranks.get(module.as_str()) else {
        return vec![format!(
            "{}: module `{module}` has no rank; give it one in tests/system/shape.rs",
            source.path.display()
        )];
    };
    let mut found = Vec::new();
    for (number, line) in source.code() {
        for target in used(line).filter(|target| *target != module) {
            match ranks.get(target) {
                Some(rank) if rank < own => {}
                Some(_) => found.push(format!(
                    "{}:{number}: `{module}` uses `{target}`, which is not below it",
                    source.path.display()
                )),
                None => found.push(format!(
                    "{}:{number}: `crate::{target}` has no rank",
                    source.path.display()
                )),
            }
        }
    }
    found
}

fn world_violations(source: &Source) -> Vec<String> {
    if source.may_touch_the_world() {
        return Vec::new();
    }
    source
        .code()
        .filter_map(|(number, line)| {
            let word = WORLD.iter().find(|word| line.contains(**word))?;
            Some(format!(
                "{}:{number}: `{word}` belongs into `io/` of its module",
                source.path.display()
            ))
        })
        .collect()
}

fn tour_violations(source: &Source) -> Vec<String> {
    if source.name() != "mod.rs" {
        return Vec::new();
    }
    let mut found = Vec::new();
    if !source.text.starts_with("//!") {
        found.push(format!("{}: a mod.rs opens with a tour", source.path.display()));
    }
    for (number, line) in source.code() {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        if line.starts_with("fn ")
            || line.starts_with("impl")
            || line.starts_with("struct ")
            || line.starts_with("enum ")
        {
            found.push(format!("{}:{number}: a mod.rs holds no logic", source.path.display()));
        }
    }
    found
}

fn size_violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX && !source.is_test() {
        found.push(format!(
            "{}: {lines} lines; split where state splits",
            source.path.display()
        ));
    }
    for (index, line) in source.text.lines().enumerate() {
        if line.chars().count() > LINE_COLUMNS_MAX {
            found.push(format!(
                "{}:{}: longer than {LINE_COLUMNS_MAX} columns",
                source.path.display(),
                index + 1
            ));
        }
    }
    found
}

fn hold(check: fn(&Source) -> Vec<String>) {
    let found: Vec<String> = sources()
        .iter()
        .filter(|source| !source.is_root())
        .flat_map(check)
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn modules_use_only_lower_ranks() {
    hold(rank_violations);
}

#[test]
fn only_io_touches_the_world() {
    hold(world_violations);
}

#[test]
fn mod_files_are_tours() {
    hold(tour_violations);
}

#[test]
fn files_and_lines_stay_readable() {
    hold(size_violations);
}

#[test]
fn lib_declares_the_modules_in_the_order_of_their_ranks() {
    let text = sources()
        .into_iter()
        .find(|source| source.path == Path::new("lib.rs"))
        .expect("lib.rs")
        .text;
    let declared: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let position = |module: &&str| RANKS.iter().position(|(name, _)| name == module);
    for module in &declared {
        assert!(position(module).is_some(), "module `{module}` of lib.rs has no rank");
    }
    assert!(
        declared.is_sorted_by_key(position),
        "lib.rs declares {declared:?}, not in the order of ranks"
    );
    let folders: std::collections::BTreeSet<String> = sources()
        .iter()
        .filter(|source| !source.is_root())
        .map(Source::module)
        .collect();
    assert_eq!(
        declared
            .iter()
            .map(|module| (*module).to_owned())
            .collect::<std::collections::BTreeSet<_>>(),
        folders
    );
}

/// The checks above can fail: each finds what it looks for in a made-up file.
#[test]
fn each_rule_catches_its_breach() {
    let source = |path: &str, text: &str| Source {
        path: path.into(),
        text: text.to_owned(),
    };
    assert_eq!(
        rank_violations(&source("dist/flags.rs", "use crate::gateway::Leg;")).len(),
        1
    );
    assert_eq!(
        rank_violations(&source("trunk/io/session.rs", "use crate::gateway::Leg;")).len(),
        1,
        "siblings are blind"
    );
    assert_eq!(
        rank_violations(&source("gateway/io/leg.rs", "use crate::session::Session;")).len(),
        0
    );
    assert_eq!(rank_violations(&source("helpers.rs", "")).len(), 1);
    assert_eq!(
        world_violations(&source("order/inbound.rs", "let now = Instant::now();")).len(),
        1
    );
    assert_eq!(
        world_violations(&source("order/io/driver.rs", "let now = Instant::now();")).len(),
        0
    );
    assert_eq!(tour_violations(&source("dist/mod.rs", "fn logic() {}")).len(), 2);
    assert_eq!(
        size_violations(&source("dist/big.rs", &"\n".repeat(FILE_LINES_MAX + 1))).len(),
        1
    );
}
