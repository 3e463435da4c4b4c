//! The pages of the repository, and what stands in them.

use std::fs;
use std::path::Path;

/// Folders with pages.
const FOLDERS: [&str; 6] = ["", "docs", "docs/notes", "certs", "erlang", "fuzz"];

/// Languages of blocks that a reader types, or saves to a file. Any other block shows something.
const USED: [&str; 7] = ["sh", "erlang", "toml", "ini", "elixir", "rust", "text"];

/// A fenced block.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) language: String,
    pub(super) text: String,
    /// The line of its page on which it begins.
    pub(super) line: usize,
}

impl Block {
    /// Whether a reader is to type it or to save it. Blocks without a language show what is printed or how something is built; one that
    /// begins with a prompt or a flag is to be used all the same.
    pub(super) fn is_for_a_reader_to_use(&self) -> bool {
        USED.contains(&self.language.as_str()) || self.text.starts_with(['$', '-'])
    }

    pub(super) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages, as paths from the root of the repository.
pub(super) fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    for folder in FOLDERS {
        let entries = fs::read_dir(root().join(folder)).expect("a folder of the repository");
        for entry in entries {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            if name.ends_with(".md") {
                pages.push(if folder.is_empty() {
                    name
                } else {
                    format!("{folder}/{name}")
                });
            }
        }
    }
    pages.sort();
    assert!(pages.len() > 20, "{pages:?}");
    pages
}

fn text(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The fenced blocks of a page.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text(page).lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    text: String::new(),
                    line: number + 1,
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page} ends within a block");
    blocks
}

/// The block of a page that begins with this text.
pub(super) fn find(page: &str, start: &str) -> Block {
    let mut found = blocks(page)
        .into_iter()
        .filter(|block| block.is_for_a_reader_to_use() && block.text.starts_with(start));
    let block = found
        .next()
        .unwrap_or_else(|| panic!("{page} has no block that begins with {start:?}"));
    assert!(
        found.next().is_none(),
        "{page} has several blocks that begin with {start:?}"
    );
    block
}

/// Code within the sentences of a page.
pub(super) fn inline(page: &str) -> Vec<String> {
    let mut is_block = false;
    let mut prose = String::new();
    for line in text(page).lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
