//! Tells the program which commit it is built from: the variable `BEAMWAY_VERSION`, such as `0.1.0 (1a2b3c4d5 2026-11-30)`.

use std::env;
use std::fmt::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Digits of a commit that are shown.
const DIGITS: usize = 9;

/// Whenever a build script has run again, Cargo compiles all of its package again, the library and its tests included. So git is
/// asked only for a program that somebody else may get: one built with optimisation. Any other has the version alone, unless
/// `BEAMWAY_COMMIT` is set.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    // Libraries do not show it.
    if env::var_os("CARGO_FEATURE_DAEMON").is_some() {
        println!("cargo::rerun-if-env-changed=BEAMWAY_COMMIT");
        println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
        let told = env::var("BEAMWAY_COMMIT").ok();
        let built = match told {
            Some(commit) => of_environment(&commit, env::var("SOURCE_DATE_EPOCH").ok().as_deref()),
            None if env::var("PROFILE").is_ok_and(|profile| profile == "release") => {
                let package = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
                for file in watched(Path::new(&package)) {
                    println!("cargo::rerun-if-changed={}", file.display());
                }
                of_repository(Path::new(&package))
            }
            None => None,
        };
        if let Some(built) = built {
            let _ = write!(version, " ({built})");
        }
    }
    println!("cargo::rustc-env=BEAMWAY_VERSION={version}");
}

/// Commit and date as who makes a package says: `BEAMWAY_COMMIT`, which may be empty for none, and the second `SOURCE_DATE_EPOCH`.
pub(crate) fn of_environment(commit: &str, epoch: Option<&str>) -> Option<String> {
    let commit = commit.trim();
    if commit.is_empty() || !commit.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let commit: String = commit.chars().take(DIGITS).collect();
    let day = epoch.and_then(|epoch| epoch.trim().parse().ok()).map(day_of);
    Some(day.map_or_else(|| commit.clone(), |day| format!("{commit} {day}")))
}

/// Commit and date of the repository of which `package` is the root. A package within somebody else's repository, such as one
/// that Cargo has unpacked or that was copied there, is not of that repository's commit.
pub(crate) fn of_repository(package: &Path) -> Option<String> {
    let top = PathBuf::from(git(package, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != package.canonicalize().ok()? {
        return None;
    }
    let shown = git(
        package,
        &[
            "log",
            "-1",
            "--no-show-signature",
            "--format=%H %cd",
            "--date=format-local:%Y-%m-%d",
        ],
    )?;
    let (commit, day) = shown.split_once(' ')?;
    // Not git's own abbreviation, whose length depends on what else is in the clone.
    Some(format!("{} {day}", commit.get(..DIGITS)?))
}

/// The files that change with the commit that is checked out: by a checkout `HEAD`, by a commit the branch, or `logs/HEAD` where the
/// branch is packed. git says where they are, which differs in a worktree. Cargo runs a script again and again for a file that
/// does not exist.
pub(crate) fn watched(package: &Path) -> Vec<PathBuf> {
    let branch = git(package, &["symbolic-ref", "--quiet", "HEAD"]);
    ["HEAD", "logs/HEAD", "packed-refs"]
        .into_iter()
        .chain(branch.as_deref())
        .filter_map(|file| git(package, &["rev-parse", "--git-path", file]))
        .map(|file| package.join(file))
        .filter(|file| file.exists())
        .collect()
}

/// What git prints, if it is here and has an answer.
fn git(package: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .current_dir(package)
        .args(arguments)
        // The day is the same wherever it is built.
        .env("TZ", "UTC")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The day of a second since 1970, in UTC. (Days to civil date, with years that begin in March, so that the leap day is the last.)
pub(crate) fn day_of(second: u64) -> String {
    let days = second / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day_of_month:02}", era * 400 + year + next)
}
