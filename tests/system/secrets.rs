//! What is secret has a type that does not show it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Fields and arguments of the command line that would show a secret in `Debug`, and so in a log.
fn bare_secrets(text: &str) -> Vec<&str> {
    let is_bare = |line: &&str| {
        let Some((name, kind)) = line.trim().trim_end_matches(',').split_once(": ") else {
            return false;
        };
        let name = name.rsplit(' ').next().unwrap_or(name);
        ["cookie", "secret", "password"].contains(&name) && ["String", "Option<String>", "Vec<u8>"].contains(&kind)
    };
    text.lines().filter(is_bare).collect()
}

#[test]
fn cookies_are_not_kept_as_plain_text() {
    assert_eq!(
        bare_secrets("    pub(crate) cookie: String,\n    cookie: Cookie,\n").len(),
        1
    );
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 100, "{} files", files.len());
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        let bare = bare_secrets(&text);
        assert!(
            bare.is_empty(),
            "{}: {bare:?}: use a type whose `Debug` hides it",
            file.display()
        );
    }
}
