use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::bail;

/// The file in the home folder in which nodes keep their cookie (`auth.erl`).
const FILE: &str = ".erlang.cookie";

/// The given cookie, or the one in the file that this user's nodes read.
pub(super) fn cookie(given: Option<String>) -> anyhow::Result<String> {
    let cookie = match given {
        Some(given) => given,
        None => {
            let home = env::var_os("HOME").map(PathBuf::from);
            at_home(&home.context("no cookie: HOME is not set; set --cookie")?)?
        }
    };
    if cookie.is_empty() || cookie.len() > 255 {
        bail!("the cookie has {} characters; allowed: 1 to 255", cookie.len());
    }
    Ok(cookie)
}

fn at_home(home: &Path) -> anyhow::Result<String> {
    let file = home.join(FILE);
    read(&file).with_context(|| format!("no cookie: set --cookie, or write one to {}", file.display()))
}

/// Reads a cookie file in the same way as a node: the cookie ends at the first line break.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    let text = fs::read_to_string(file)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_file_is_the_cookie() {
        let home = tempfile::tempdir().unwrap();
        let missing = at_home(home.path()).unwrap_err().to_string();
        assert!(missing.contains("--cookie"), "{missing}");
        fs::write(home.path().join(FILE), "SECRET\n\n").unwrap();
        assert_eq!(at_home(home.path()).unwrap(), "SECRET");
    }

    #[test]
    fn what_was_given_counts_if_it_can_be_one() {
        assert_eq!(cookie(Some("x".into())).unwrap(), "x");
        assert!(cookie(Some(String::new())).is_err());
        assert!(cookie(Some("x".repeat(256))).is_err());
    }
}
