//! The shape of the code, held by tests: ranks, what touches the world, sizes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The ranks of docs/ARCHITECTURE.md: a module uses only modules of lower rank. `main.rs` stands above all.
const RANKS: &[(&str, u8)] = &[
    ("codec", 0),
    ("fields", 0),
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
    ("vm", 8),
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

/// Circles between files of one module that stay, and the reason for each.
const CIRCLES: &[(&[&str], &str)] = &[
    (
        &["etf::list", "etf::map", "etf::order", "etf::term"],
        "the values: a term holds lists and maps, which hold terms, and maps are kept in the order of terms",
    ),
    (
        &["etf::typed::access", "etf::typed::read"],
        "serde: a value reads its items through an accessor, which reads each item as a value",
    ),
    (
        &["etf::typed::rows", "etf::typed::write"],
        "serde: a value writes its items through a row, which writes each item as a value",
    ),
    (
        &["node::exports", "node::io::context", "node::io::node"],
        "a node holds the functions that it exports, these take a context, and a context holds the node",
    ),
];

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
    sources_in("src")
}

/// The sources below a folder of the repository.
fn sources_in(folder: &str) -> Vec<Source> {
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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
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

/// What a `use` line imports, or re-exports.
fn imported(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest.get(rest.find("use ")?..)?,
        None => line,
    };
    let path = line.strip_prefix("use ")?.strip_suffix(';')?;
    Some(path.split_once(" as ").map_or(path, |(path, _)| path))
}

/// All paths of more than one name in a line.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
        .filter(|word| word.contains("::"))
}

/// `path`, written in `module`, from the root on.
fn absolute(path: &str, module: &str) -> String {
    let mut base: Vec<&str> = module.split("::").collect();
    let mut rest = path;
    loop {
        match rest.split_once("::") {
            Some(("crate", after)) => (base, rest) = (Vec::new(), after),
            Some(("super", after)) => {
                base.pop();
                rest = after;
            }
            Some(("self", after)) => rest = after,
            _ => break,
        }
    }
    base.push(rest);
    base.join("::")
}

/// The top-level module of a path.
fn top(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

/// Which file uses which other file of the same module, also through what a `mod.rs` exports. Tests do not count.
struct Uses<'a> {
    /// Files that are no `mod.rs`, by the paths of their modules, such as `dist::packet`.
    files: BTreeMap<String, &'a Source>,
    /// Each `mod.rs`, by the path of its folder.
    folders: BTreeMap<String, &'a Source>,
}

impl<'a> Uses<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let mut uses = Self {
            files: BTreeMap::new(),
            folders: BTreeMap::new(),
        };
        for source in sources.iter().filter(|source| !source.is_root() && !source.is_test()) {
            let path = source.path.with_extension("").display().to_string().replace('/', "::");
            match path.strip_suffix("::mod") {
                Some(folder) => uses.folders.insert(folder.to_owned(), source),
                None => uses.files.insert(path, source),
            };
        }
        uses
    }

    /// The file that holds what `path` names; `None` for a folder, and for what another crate or a macro provides.
    fn file(&self, path: &str) -> Option<&str> {
        let mut folder = String::new();
        for segment in path.split("::") {
            let within = match folder.as_str() {
                "" => segment.to_owned(),
                folder => format!("{folder}::{segment}"),
            };
            if let Some((file, _)) = self.files.get_key_value(&within) {
                return Some(file);
            }
            if !self.folders.contains_key(&within) {
                let exported = self.exported(&folder, segment)?;
                return self.file(&exported);
            }
            folder = within;
        }
        None
    }

    /// What a `mod.rs` calls `name`, as a path below the root.
    fn exported(&self, folder: &str, name: &str) -> Option<String> {
        let tour = self.folders.get(folder)?;
        tour.code().find_map(|(_, line)| {
            let path = imported(line)?;
            let (_, last) = path.rsplit_once("::")?;
            (last == name).then(|| absolute(path, folder))
        })
    }

    /// The files of its own module that `file` names, in `use` lines and elsewhere.
    fn of(&self, file: &str) -> BTreeSet<&str> {
        let source = self.files.get(file).expect("a file of src");
        // `use super::oneshot;` and then `oneshot::run`: what a folder is used for is seen where it is named.
        let folders: BTreeMap<String, String> = source
            .code()
            .filter_map(|(_, line)| Some(absolute(imported(line)?, file)))
            .filter(|path| self.folders.contains_key(path))
            .map(|path| (path.rsplit("::").next().unwrap_or_default().to_owned(), path))
            .collect();
        let mut found = BTreeSet::new();
        // Within the inner modules of generated code `super` means the file itself.
        if source.name() == "generated.rs" {
            return found;
        }
        for path in source.code().flat_map(|(_, line)| paths(line)) {
            let path = match path.split_once("::") {
                Some(("super" | "crate" | "self", _)) => absolute(path, file),
                Some((first, rest)) => match folders.get(first) {
                    Some(folder) => format!("{folder}::{rest}"),
                    None => continue,
                },
                None => continue,
            };
            found.extend(self.file(&path).filter(|used| *used != file && top(used) == top(file)));
        }
        found
    }

    /// The uses within a circle, one a line.
    fn among(&self, circle: &BTreeSet<&str>) -> String {
        let mut lines = String::new();
        for file in circle {
            let used: Vec<&str> = self.of(file).intersection(circle).copied().collect();
            lines += &format!("    {file} uses {}\n", used.join(", "));
        }
        lines
    }

    /// All sets of more than one file that reach each other.
    fn circles(&self) -> BTreeSet<BTreeSet<&str>> {
        let edges: BTreeMap<&str, BTreeSet<&str>> =
            self.files.keys().map(|file| (file.as_str(), self.of(file))).collect();
        let reached: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|file| (*file, reach(&edges, file))).collect();
        reached
            .iter()
            .map(|(file, all)| {
                all.iter()
                    .copied()
                    .filter(|other| reached.get(other).is_some_and(|all| all.contains(file)))
                    .collect()
            })
            .filter(|circle: &BTreeSet<&str>| circle.len() > 1)
            .collect()
    }
}

/// All files that `from` uses, also through others.
fn reach<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = edges.get(from).into_iter().flatten().copied().collect();
    while let Some(file) = next.pop() {
        if found.insert(file) {
            next.extend(edges.get(file).into_iter().flatten());
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
    let found: Vec<String> = sources_in("erlang/native/src")
        .iter()
        .flat_map(size_violations)
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
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
    let folders: BTreeSet<String> = sources()
        .iter()
        .filter(|source| !source.is_root())
        .map(Source::module)
        .collect();
    assert_eq!(
        declared
            .iter()
            .map(|module| (*module).to_owned())
            .collect::<BTreeSet<_>>(),
        folders
    );
}

/// What is wrong with the circles between files, given those that may stay.
fn circle_violations(sources: &[Source], allowed: &[(&[&str], &str)]) -> Vec<String> {
    let uses = Uses::new(sources);
    let circles = uses.circles();
    let allowed: BTreeSet<BTreeSet<&str>> = allowed
        .iter()
        .map(|(files, _)| files.iter().copied().collect())
        .collect();
    let found = circles
        .difference(&allowed)
        .map(|circle| format!("files that use each other: {circle:?}\n{}", uses.among(circle)));
    let needless = allowed
        .difference(&circles)
        .map(|circle| format!("this circle is no more; remove it from CIRCLES: {circle:?}"));
    found.chain(needless).collect()
}

#[test]
fn files_of_a_module_form_no_circles() {
    let found = circle_violations(&sources(), CIRCLES);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
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

    let files = |texts: [&str; 3]| -> Vec<Source> {
        let paths = ["dist/mod.rs", "dist/flags.rs", "dist/name.rs"];
        paths.iter().zip(texts).map(|(path, text)| source(path, text)).collect()
    };
    let circle = files([
        "pub use flags::Flags;\npub(crate) use name::Name;",
        "use super::Name;\n",
        "/// See [`crate::dist::Name`].\nfn flags() -> crate::dist::Flags {}",
    ]);
    assert_eq!(
        circle_violations(&circle, &[]).len(),
        1,
        "through the exports of a mod.rs, and without `use`"
    );
    let allowed: &[(&[&str], &str)] = &[(&["dist::flags", "dist::name"], "a reason")];
    assert_eq!(circle_violations(&circle, allowed).len(), 0);
    let none = files([
        "pub use flags::Flags;\npub use name::Name;",
        "use super::Name;\n",
        "#[cfg(test)]\nuse super::Flags;",
    ]);
    assert_eq!(circle_violations(&none, &[]).len(), 0, "tests do not count");
    assert_eq!(
        circle_violations(&none, allowed).len(),
        1,
        "an entry that is no longer needed"
    );
    let folder = files([
        "pub mod io;\npub use io::Task;",
        "use super::io;\nfn run() { io::Task::new() }",
        "",
    ])
    .into_iter()
    .chain([
        source("dist/io/mod.rs", "pub use task::Task;"),
        source("dist/io/task.rs", "use crate::dist::flags::Flags;"),
    ])
    .collect::<Vec<_>>();
    assert_eq!(circle_violations(&folder, &[]).len(), 1, "through the name of a folder");
}
