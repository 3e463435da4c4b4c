use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;

use crate::carrier::check_secret;
use crate::node::Cookie;

/// The file in the home folder in which nodes keep their cookie (`auth.erl`).
const FILE: &str = ".erlang.cookie";

/// The options of commands that need the nodes' cookie.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct CookieArgs {
    /// The nodes' cookie; unlike a file, it is visible in the process list [default: ~/.erlang.cookie]
    #[arg(long, value_name = "COOKIE", conflicts_with = "cookie_file")]
    pub(crate) cookie: Option<Cookie>,
    /// The file with the nodes' cookie; only its owner may be able to read it
    #[arg(long, value_name = "FILE")]
    pub(crate) cookie_file: Option<PathBuf>,
}

impl CookieArgs {
    /// The given cookie, that of the given file, or the one in the file that this user's nodes read.
    pub(super) fn cookie(self) -> anyhow::Result<Cookie> {
        let cookie = match (self.cookie, self.cookie_file) {
            (Some(given), _) => given,
            (None, Some(file)) => secret(&file)?.into(),
            (None, None) => {
                let home = env::var_os("HOME").map(PathBuf::from);
                at_home(&home.context("no cookie: HOME is not set; set --cookie-file")?)?.into()
            }
        };
        let length = cookie.expose().len();
        if length == 0 || length > 255 {
            bail!("the cookie has {length} characters; allowed: 1 to 255");
        }
        Ok(cookie)
    }
}

fn at_home(home: &Path) -> anyhow::Result<String> {
    let file = home.join(FILE);
    if !file.exists() {
        bail!("no cookie: set --cookie-file, or write one to {}", file.display());
    }
    secret(&file)
}

fn secret(file: &Path) -> anyhow::Result<String> {
    check_secret(file).map_err(|reason| anyhow!(reason))?;
    read(file).with_context(|| format!("cannot read the cookie in {}", file.display()))
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(file: &Path, text: &str, mode: u32) {
        fs::write(file, text).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_line_of_the_file_is_the_cookie() {
        let home = tempfile::tempdir().unwrap();
        let missing = at_home(home.path()).unwrap_err().to_string();
        assert!(missing.contains("--cookie-file"), "{missing}");
        write(&home.path().join(FILE), "SECRET\n\n", 0o400);
        assert_eq!(at_home(home.path()).unwrap(), "SECRET");
    }

    #[test]
    fn what_was_given_counts_if_it_can_be_one() {
        let given = |text: &str| CookieArgs {
            cookie: Some(text.into()),
            cookie_file: None,
        };
        assert_eq!(given("x").cookie().unwrap().expose(), "x");
        assert!(given("").cookie().is_err());
        assert!(given(&"x".repeat(256)).cookie().is_err());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cookie");
        let args = CookieArgs {
            cookie: None,
            cookie_file: Some(file.clone()),
        };
        write(&file, "SECRET", 0o644);
        let refused = args.clone().cookie().unwrap_err().to_string();
        assert!(
            refused.contains("chmod 600") && !refused.contains("SECRET"),
            "{refused}"
        );
        write(&file, "SECRET", 0o600);
        assert_eq!(args.clone().cookie().unwrap().expose(), "SECRET");
        fs::remove_file(&file).unwrap();
        let missing = args.cookie().unwrap_err().to_string();
        assert!(missing.contains("cannot read the cookie in "), "{missing}");
    }

    #[test]
    fn options_do_not_show_the_cookie() {
        let args = CookieArgs {
            cookie: Some("SECRET".into()),
            cookie_file: None,
        };
        assert!(!format!("{args:?}").contains("SECRET"), "{args:?}");
    }
}
